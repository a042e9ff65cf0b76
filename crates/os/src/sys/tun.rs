//! A TUN device of one's own.

use rustix::fd::{AsFd, AsRawFd};
use std::io;
use std::net::Ipv4Addr;

/// `TUNSETIFF`: makes the open `/dev/net/tun` a device of that name, which carries bare IP packets. A name too long
/// for the kernel is refused with `EINVAL`.
pub(crate) fn attach_tun(control: &impl AsFd, name: &str) -> io::Result<()> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the request reads and writes one `ifreq`, which outlives the call; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "this ioctl has no safe wrapper")]
    let result =
        unsafe { libc::ioctl(control.as_fd().as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `SIOCSIFADDR`, `SIOCSIFDSTADDR`, `SIOCSIFFLAGS`: the two ends of a point-to-point device, and up with it.
pub(crate) fn bring_up(
    control: &impl AsFd,
    name: &str,
    own: Ipv4Addr,
    peer: Ipv4Addr,
) -> io::Result<()> {
    let mut request = request(name)?;
    for (what, address) in [(libc::SIOCSIFADDR, own), (libc::SIOCSIFDSTADDR, peer)] {
        request.ifr_ifru.ifru_addr = sockaddr(address);
        interface(control, what, &mut request)?;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    interface(control, libc::SIOCSIFFLAGS, &mut request)
}

fn interface(control: &impl AsFd, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: the request reads one `ifreq`, which outlives the call; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "these ioctls have no safe wrapper")]
    let result = unsafe { libc::ioctl(control.as_fd().as_raw_fd(), what, &raw mut *request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `sockaddr_in` in the bytes of a `sockaddr`: the address stands behind two octets of port.
fn sockaddr(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (place, octet) in data[2..6].iter_mut().zip(address.octets()) {
        *place = octet.cast_signed();
    }
    libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data }
}

/// A request about the device of that name.
fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is plain numbers, so all zeroes is one.
    #[expect(unsafe_code, reason = "an ioctl wants a whole structure")]
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(rustix::io::Errno::INVAL.into());
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    Ok(request)
}
