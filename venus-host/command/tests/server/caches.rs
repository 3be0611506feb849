//! The key of pipeline caches.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::common::{Server, venus};

#[test]
fn a_server_keeps_a_key_where_others_cannot_read_it() {
    let server = Server::start(&[]);
    // Its worker has found it, or would not serve.
    drop(server.connect());
    let path = server.path.with_file_name("state").join("venus/pipeline-cache.key");
    let key = fs::read(&path).unwrap();
    assert_eq!((key.len(), fs::metadata(&path).unwrap().permissions().mode() & 0o777), (32, 0o600));
    let arguments = ["--pipeline-cache-key", path.to_str().unwrap()];
    drop(Server::start(&arguments).connect());
    assert_eq!(fs::read(&path).unwrap(), key);
    drop(server);
}

#[test]
fn whoever_trusts_guests_keeps_no_key() {
    let server = Server::start(&["--pipeline-cache", "trust"]);
    drop(server.connect());
    assert!(!server.path.with_file_name("state").exists());
}

#[test]
fn without_a_folder_for_the_key_guests_are_served_and_a_line_says_so() {
    let server = Server::start_by(&[], |command| command.env("XDG_STATE_HOME", "/dev/null"));
    drop(server.connect());
    let log = server.log();
    assert!(log.contains("pipeline caches") && log.contains("/dev/null/venus/pipeline-cache.key"), "{log}");
}

#[test]
fn a_key_that_others_can_read_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, [7; 32]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut server = venus(&folder.path().join("vtest"));
    let output = server.arg("--pipeline-cache-key").arg(&path).stderr(std::process::Stdio::piped()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && message.contains("--pipeline-cache-key") && message.contains("644"),
        "{message}"
    );
}
