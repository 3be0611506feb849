//! One guest's misfortune is not another's.

use crate::common::{TEARDOWN, drawing_guest, endless_cube, host, vulkaninfo};

#[test]
fn a_killed_worker_takes_only_its_own_guest_along() {
    if let Some(guest) = drawing_guest("a_killed_worker_takes_only_its_own_guest_along") {
        let mut host = host(&[]);
        let socket = host.socket();
        let mut cube = endless_cube(&guest, &host);
        let workers = host.descendants();
        assert!(!workers.is_empty(), "no process of its own for a context");
        for worker in workers {
            testbed::process::kill(worker).unwrap();
        }

        // The next guest finds a host that works. The first one may spin on its socket, and is ended by us.
        let info = vulkaninfo(&guest, &socket).args(["--summary"]).output().unwrap();
        info.expect_success(&format!("the next guest: {}", host.log())).unwrap();
        host.expect_alive().unwrap();
        cube.kill().unwrap();
        drop(cube);
        host.expect_no_guests(TEARDOWN).unwrap();
    }
}
