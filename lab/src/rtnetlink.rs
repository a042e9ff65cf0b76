//! Just enough route netlink to furnish an empty namespace: links up, a veth pair, addresses.
//!
//! Not the `ip` command, because a fork copies every socket descriptor of the process for a moment, and a socket whose
//! copy is still open is not closed.

use rustix::fd::OwnedFd;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use std::net::IpAddr;

/// A connection to the calling thread's namespace.
#[derive(Debug)]
pub struct RouteNetlink {
    socket: OwnedFd,
}

impl RouteNetlink {
    /// Opens one.
    ///
    /// # Panics
    ///
    /// When the kernel refuses, as do all methods.
    pub fn open() -> Self {
        let flags = SocketFlags::CLOEXEC;
        // NETLINK_ROUTE is number 0.
        let socket = net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None);
        Self { socket: socket.expect("a route netlink socket") }
    }

    /// Brings an interface up.
    pub fn set_up(&self, index: u32) {
        let body = link(index, IFF_UP, IFF_UP);
        self.request(libc::RTM_NEWLINK, 0, &body, "bring an interface up");
    }

    /// Makes two interfaces that are wired to each other.
    pub fn add_veth_pair(&self, first: &str, second: &str) {
        let mut peer = link(0, 0, 0);
        attribute(&mut peer, libc::IFLA_IFNAME, &zero_terminated(second));
        let mut data = Vec::new();
        attribute(&mut data, VETH_INFO_PEER, &peer);
        let mut info = Vec::new();
        attribute(&mut info, libc::IFLA_INFO_KIND, b"veth");
        attribute(&mut info, libc::IFLA_INFO_DATA, &data);
        let mut body = link(0, 0, 0);
        attribute(&mut body, libc::IFLA_IFNAME, &zero_terminated(first));
        attribute(&mut body, libc::IFLA_LINKINFO, &info);
        self.request(libc::RTM_NEWLINK, CREATE, &body, "make a veth pair");
    }

    /// Gives an interface an address that is usable at once.
    pub fn add_address(&self, index: u32, address: IpAddr, prefix: u8) {
        let (family, scope, bytes) = match address {
            IpAddr::V4(v4) => (AF_INET, libc::RT_SCOPE_UNIVERSE, v4.octets().to_vec()),
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                (AF_INET6, libc::RT_SCOPE_LINK, v6.octets().to_vec())
            }
            IpAddr::V6(v6) => (AF_INET6, libc::RT_SCOPE_UNIVERSE, v6.octets().to_vec()),
        };
        let mut body = vec![family, prefix, libc::IFA_F_NODAD as u8, scope];
        body.extend(index.to_ne_bytes());
        attribute(&mut body, libc::IFA_LOCAL, &bytes);
        attribute(&mut body, libc::IFA_ADDRESS, &bytes);
        if let IpAddr::V4(v4) = address {
            let host_bits = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let broadcast = u32::from(v4) | host_bits;
            attribute(&mut body, libc::IFA_BROADCAST, &broadcast.to_be_bytes());
        }
        self.request(libc::RTM_NEWADDR, CREATE, &body, "add an address");
    }

    fn request(&self, kind: u16, flags: u16, body: &[u8], what: &str) {
        let length = HEADER + body.len();
        let mut message = Vec::with_capacity(length);
        message.extend((length as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((flags | REQUEST | ACKNOWLEDGE).to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        net::sendto(&self.socket, &message, SendFlags::empty(), &kernel)
            .unwrap_or_else(|error| panic!("failed to {what}: {error}"));
        let mut reply = [0_u8; 4096];
        let (_, length) = net::recv(&self.socket, &mut reply[..], RecvFlags::empty())
            .unwrap_or_else(|error| panic!("failed to {what}: {error}"));
        let code = reply[..length].get(HEADER..HEADER + 4).expect("an acknowledgement");
        let code = i32::from_ne_bytes(code.try_into().expect("four bytes"));
        let cause = std::io::Error::from_raw_os_error(-code);
        assert!(code == 0, "failed to {what}: {cause}");
    }
}

/// `struct ifinfomsg`.
fn link(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(change.to_ne_bytes());
    body
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend(((4 + value.len()) as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn zero_terminated(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

const AF_INET: u8 = libc::AF_INET.cast_unsigned() as u8;
const AF_INET6: u8 = libc::AF_INET6.cast_unsigned() as u8;
const HEADER: usize = 16;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
/// `NLM_F_CREATE | NLM_F_EXCL`.
const CREATE: u16 = 0x600;
const IFF_UP: u32 = 1;
const VETH_INFO_PEER: u16 = 1;
