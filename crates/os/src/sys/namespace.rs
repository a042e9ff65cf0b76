//! Who owns a namespace, and (for tests) a fresh one for the calling thread.

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::io;

/// `NS_GET_USERNS`: the user namespace that owns it. Refused (`EPERM`) when that one is above the caller's, which is
/// when the caller's capabilities count for nothing in it (`ns_capable`).
pub(crate) fn owner_of(namespace: &impl AsFd) -> io::Result<OwnedFd> {
    // SAFETY: the request takes no argument; a result that is not negative is a new descriptor that nobody else owns.
    #[expect(unsafe_code, reason = "this ioctl has no safe wrapper")]
    unsafe {
        let fd = libc::ioctl(namespace.as_fd().as_raw_fd(), NS_GET_USERNS);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// Puts the calling thread into a network namespace of its own, with loopback up.
#[cfg(test)]
pub(crate) fn enter_fresh_network() {
    enter_untouched_network();
    ip("link set lo up");
}

/// The same with loopback still down.
#[cfg(test)]
pub(crate) fn enter_untouched_network() {
    // SAFETY: CLONE_NEWNET alone leaves descriptors, memory and the file system shared as they were.
    #[expect(unsafe_code, reason = "rustix marks every unshare unsafe for CLONE_FILES' sake")]
    let entered = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) };
    entered.expect("make a network namespace (needs CAP_SYS_ADMIN: run the tests as root)");
}

/// Runs `ip` in the calling thread's namespace.
#[cfg(test)]
pub(crate) fn ip(arguments: &str) {
    let status = std::process::Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.expect("run ip (install iproute2)").success(), "ip {arguments}");
}

/// `_IO(0xb7, 1)`.
const NS_GET_USERNS: libc::Ioctl = 0xb701;
