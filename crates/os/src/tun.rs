//! A TUN device: a network interface whose wire is this program.
//!
//! What the kernel sends through the interface is read as IP packets, each whole and with its checksums computed, since
//! a TUN device promises the kernel no offloads; what is written arrives at the kernel as if from the wire. The device
//! is in the network namespace of the thread that made it and ends with it. Needs `CAP_NET_ADMIN` there.

use crate::{Error, Result, sys};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

/// An interface that this program answers for.
#[derive(Debug)]
pub struct Tun {
    device: OwnedFd,
    name: String,
}

impl Tun {
    /// Makes the interface, which is down and has no address.
    pub fn new(name: &str) -> Result<Self> {
        let object = || format!("the TUN device {name}");
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let device = rustix::fs::open(CONTROL, flags, Mode::empty()).map_err(|cause| {
            Error::new("open", CONTROL, cause).with_remedy("load the kernel module tun")
        })?;
        sys::tun::attach_tun(&device, name).map_err(|cause| {
            let remedy = match cause.kind() {
                ErrorKind::PermissionDenied => "needs CAP_NET_ADMIN: run as root",
                ErrorKind::ResourceBusy => "another program has a device of that name",
                _ => "a name is at most 15 octets and none that another interface has",
            };
            Error::new("make", object(), cause).with_remedy(remedy)
        })?;
        Ok(Self { device, name: name.to_owned() })
    }

    /// Gives the interface an address and the address of the one host that it leads to, and brings it up.
    pub fn bring_up(&self, own: Ipv4Addr, peer: Ipv4Addr) -> Result<()> {
        let flags = SocketFlags::CLOEXEC;
        let failed = |cause| Error::new("bring up", self.object(), cause);
        let control = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None);
        let control = control.map_err(|cause| failed(cause.into()))?;
        sys::tun::bring_up(&control, &self.name, own, peer).map_err(failed)
    }

    /// The next packet that the kernel sends, or `None` when there is none yet. A packet longer than the buffer is cut.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Option<usize>> {
        match rustix::io::read(&self.device, buffer) {
            Ok(length) => Ok(Some(length)),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(cause) => Err(Error::new("read", self.object(), cause)),
        }
    }

    /// Hands over every packet that the kernel has sent so far, in order.
    pub fn drain(&self, mut each: impl FnMut(&[u8])) -> Result<()> {
        let mut packet = vec![0; LONGEST];
        while let Some(length) = self.receive(&mut packet)? {
            each(&packet[..length]);
        }
        Ok(())
    }

    /// Hands a packet to the kernel as received. Never waits: the kernel takes it or drops it.
    pub fn send(&self, packet: &[u8]) -> Result<()> {
        rustix::io::write(&self.device, packet)
            .map(|_| ())
            .map_err(|cause| Error::new("write", self.object(), cause))
    }

    fn object(&self) -> String {
        format!("the TUN device {}", self.name)
    }
}

/// To wait until there is something to receive.
impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

/// No IP packet is longer.
const LONGEST: usize = 0xffff;
const CONTROL: &str = "/dev/net/tun";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::namespace::{enter_fresh_network, ip};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::net::UdpSocket;

    /// The next IPv4 packet; the kernel sends IPv6 ones of its own accord.
    fn next(tun: &Tun) -> Vec<u8> {
        let mut packet = vec![0; 2000];
        loop {
            let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
            let ready = poll(&mut [PollFd::new(tun, PollFlags::IN)], Some(&patience));
            assert_eq!(ready, Ok(1), "nothing was sent");
            let length = tun.receive(&mut packet).expect("a packet").expect("it is there");
            if packet[0] >> 4 == 4 {
                return packet[..length].to_vec();
            }
        }
    }

    /// The Internet checksum's sum, which is `0xffff` over a header that includes a right checksum.
    fn sum(octets: &[u8]) -> u16 {
        let pairs = octets
            .chunks(2)
            .map(|pair| (u32::from(pair[0]) << 8) | pair.get(1).map_or(0, |low| u32::from(*low)));
        let sum: u32 = pairs.sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        ((folded & 0xffff) + (folded >> 16)) as u16
    }

    #[test]
    fn a_datagram_goes_out_with_its_checksum_and_an_answer_comes_in() {
        enter_fresh_network();
        let tun = Tun::new("t0").expect("a TUN device");
        ip("address add 10.9.0.1/24 dev t0");
        ip("link set t0 up");
        let socket = UdpSocket::bind("10.9.0.1:7").expect("a socket");
        socket.send_to(b"question", "10.9.0.2:7").expect("a way out");
        let mut packet = next(&tun);
        assert_eq!(&packet[12..20], [10, 9, 0, 1, 10, 9, 0, 2]);
        let udp = &packet[20..];
        let pseudo = [&packet[12..20], &[0, 17], &(udp.len() as u16).to_be_bytes()[..]].concat();
        assert_eq!(sum(&[&pseudo, udp].concat()), 0xffff, "the checksum is computed");
        // Back with the addresses exchanged, which leaves every checksum right.
        for octet in 12..16 {
            packet.swap(octet, octet + 4);
        }
        tun.send(&packet).expect("a way in");
        let mut answer = [0; 100];
        socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("a time limit");
        let (length, from) = socket.recv_from(&mut answer).expect("an answer");
        assert_eq!((&answer[..length], from), (&b"question"[..], "10.9.0.2:7".parse().unwrap()));
    }

    #[test]
    fn a_name_that_is_too_long_or_taken_is_refused() {
        enter_fresh_network();
        let refusal = |name| Tun::new(name).expect_err("a refusal").to_string();
        assert!(refusal("sixteen-octets-x").contains("at most 15 octets"));
        let _first = Tun::new("t1").expect("a TUN device");
        assert!(refusal("t1").starts_with("make the TUN device t1: "), "{}", refusal("t1"));
        assert!(refusal("lo").contains("none that another interface has"), "{}", refusal("lo"));
    }
}
