//! What a service manager and a service say to each other, as systemd does: sockets that were opened before the service
//! was started, and words about its state.
//!
//! Both are a few environment variables; `sd_listen_fds(3)` and `sd_notify(3)` describe them.

use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::net::{UnixDatagram, UnixListener},
};

/// The variables, which are not for our own children.
pub(super) const VARIABLES: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET"];

/// The socket that the service manager listens at for us, if it does. To be called once, before anything else opens
/// descriptors.
#[cfg(target_os = "linux")]
pub(super) fn take_socket() -> Result<Option<UnixListener>, anyhow::Error> {
    use std::os::fd::{FromRawFd as _, OwnedFd};

    use anyhow::{Context as _, ensure};
    use rustix::{
        io::{FdFlags, fcntl_setfd},
        net::{AddressFamily, SocketType, sockopt},
    };

    /// Number of the first descriptor that a service manager passes.
    const FIRST_DESCRIPTOR: i32 = 3;

    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(None);
    }
    match number("LISTEN_FDS") {
        None | Some(0) => return Ok(None),
        Some(count) => ensure!(count == 1, "the service manager passes {count} sockets (LISTEN_FDS); one is served"),
    }
    #[expect(unsafe_code, reason = "the protocol is the number of a descriptor")]
    // SAFETY:
    // - LISTEN_PID and LISTEN_FDS say that descriptor 3 was opened for this process, by the one who started it;
    // - nobody else owns it: this is called once, at the start, and no descriptor of ours can have its number, since it
    //   was taken before.
    let socket = unsafe { OwnedFd::from_raw_fd(FIRST_DESCRIPTOR) };
    fcntl_setfd(&socket, FdFlags::CLOEXEC).context("cannot use the socket of the service manager (LISTEN_FDS)")?;
    let is_ours = sockopt::socket_type(&socket).is_ok_and(|kind| kind == SocketType::STREAM)
        && sockopt::socket_domain(&socket).is_ok_and(|domain| domain == AddressFamily::UNIX)
        && sockopt::socket_acceptconn(&socket).unwrap_or(false);
    ensure!(
        is_ours,
        "the service manager passes something else than a listening Unix stream socket (ListenStream=PATH)"
    );
    Ok(Some(UnixListener::from(socket)))
}

/// Other systems have other ways.
#[cfg(not(target_os = "linux"))]
pub(super) fn take_socket() -> Result<Option<UnixListener>, anyhow::Error> {
    Ok(None)
}

/// Tells the service manager, if it wants to know: `READY=1`, `STOPPING=1`.
pub(super) fn notify(state: &str) {
    let Some(address) = env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&address, state.as_bytes()) {
        tracing::warn!("cannot tell the service manager {state}: {error}");
    }
}

fn send(address: &OsStr, state: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = address.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};

        return socket.send_to_addr(state, &SocketAddr::from_abstract_name(name)?).map(drop);
    }
    socket.send_to(state, address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_at_named_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), b"READY=1").unwrap();
        let mut word = [0; 16];
        let count = manager.recv(&mut word).unwrap();
        assert_eq!(&word[..count], b"READY=1");
        assert!(send(folder.path().join("nobody").as_os_str(), b"READY=1").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn words_arrive_at_abstract_sockets() {
        use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};

        let name = format!("venus-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), b"STOPPING=1").unwrap();
        let mut word = [0; 16];
        let count = manager.recv(&mut word).unwrap();
        assert_eq!(&word[..count], b"STOPPING=1");
    }
}
