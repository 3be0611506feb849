//! Who is served, and what the others are told: a refusal that makes Mesa give up in milliseconds, on a connection that
//! stays open until they close it.

use venus_guest::bare::until;

use crate::common::{Server, is_refused};

#[test]
fn guests_beyond_the_bound_are_refused() {
    let server = Server::start(&["--max-guests", "2"]);
    let first = server.connect();
    let _second = server.connect();
    assert!(server.is_refused());
    assert!(
        server.log().contains("as many guests are being served already as there may be (2); see --max-guests"),
        "{}",
        server.log()
    );
    drop(first);
    until("there is a place again", || !server.is_refused());
}

#[test]
fn guests_of_one_user_are_counted() {
    let server = Server::start(&["--max-guests-per-uid", "1"]);
    let _first = server.connect();
    assert_eq!(server.is_refused(), cfg!(target_os = "linux"));
}

#[cfg(target_os = "linux")]
#[test]
fn users_are_let_in_by_number() {
    let own = rustix::process::getuid().as_raw();
    let other = (own + 1).to_string();
    let server = Server::start(&["--allow-uid", &other]);
    assert!(server.is_refused());
    let line = format!(
        "user {own} is none of those who may be guests; see --max-guests, --max-guests-per-uid and --allow-uid"
    );
    assert!(server.log().contains(&line), "{}", server.log());
    let server = Server::start(&["--allow-uid", &other, "--allow-uid", &own.to_string()]);
    assert!(!server.is_refused());
}

#[test]
fn connections_without_words_lock_nobody_out() {
    let server = Server::start(&["--max-guests", "2"]);
    let mut idle: Vec<_> = (0..300).map(|_| server.arrive()).collect();
    let _guest = server.connect();
    let mut patient = idle.pop().unwrap();
    assert!(!is_refused(&mut patient), "it has waited, and is a guest like others");
    let mut late = idle.pop().unwrap();
    assert!(is_refused(&mut late));
}

#[test]
fn a_guest_without_a_worker_is_refused() {
    for (program, told) in [("/bin/false", "exit status: 1"), ("/nowhere/at-all", "cannot start a worker process")] {
        let server = Server::start(&["--worker-program", program]);
        assert!(server.is_refused(), "{program}");
        until("it says why", || server.log().contains(told));
        assert!(server.is_refused(), "{program}: and so is the next");
    }
}

#[test]
fn a_guest_that_its_worker_gave_up_unheard_is_refused() {
    for arguments in [&[][..], &["--in-process"]] {
        let server = Server::start(arguments);
        let mut guest = server.arrive();
        // No request has this number.
        guest.send(&[0, 99]);
        assert_eq!(guest.receive(3), [1, 7, 0], "{arguments:?}");
    }
}

#[test]
fn three_hundred_guests_at_once_are_served_or_refused() {
    let server = Server::start(&["--max-guests", "20"]);
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..300).map(|_| scope.spawn(|| server.is_refused())).collect();
        all.into_iter().map(|guest| guest.join().unwrap()).collect()
    });
    assert!(outcomes.iter().any(|refused| !refused), "some are served");
}
