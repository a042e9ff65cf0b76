//! A TUN device of one's own.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// `TUNSETIFF`: makes the open `/dev/net/tun` a device of that name, which carries bare IP packets. A name too long
/// for the kernel is refused with `EINVAL`.
pub(crate) fn attach_tun(control: &impl AsFd, name: &str) -> io::Result<()> {
    // SAFETY: `ifreq` is plain numbers, so all zeroes is one.
    #[expect(unsafe_code, reason = "an ioctl wants a whole structure")]
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(rustix::io::Errno::INVAL.into());
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the request reads and writes one `ifreq`, which outlives the call; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "this ioctl has no safe wrapper")]
    let result =
        unsafe { libc::ioctl(control.as_fd().as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
