//! A TCP segment as it lies on the wire: read out of an IPv4 packet, never written.

use std::net::{Ipv4Addr, SocketAddrV4};

/// The header of a segment and the length of its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// Whom it is for.
    pub to: SocketAddrV4,
    /// The number of its first octet, SYN and FIN included.
    pub seq: Seq,
    /// The next octet that its sender awaits; without meaning in the first SYN.
    pub ack: Seq,
    /// Octets of data.
    pub length: u32,
    /// True when it carries timestamps (RFC 7323 §3).
    pub timestamps: bool,
    flags: u8,
}

/// A sequence number, which wraps around (RFC 9293 §3.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seq(pub u32);

impl Segment {
    /// Reads the segment of a packet, or `None` when it is no TCP over IPv4, or a fragment.
    pub fn of(packet: &[u8]) -> Option<Self> {
        let is_whole_tcp =
            packet.first()? >> 4 == 4 && *packet.get(9)? == TCP && half(packet, 6)? & FRAGMENT == 0;
        let header = usize::from(packet[0] & 0xf) * 4;
        let tcp = packet.get(header..usize::from(half(packet, 2)?)).filter(|_| is_whole_tcp)?;
        let offset = usize::from(tcp.get(12)? >> 4) * 4;
        let options = tcp.get(20..offset)?;
        let end = |at: usize, port| {
            let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(octets), half(tcp, port)?))
        };
        Some(Self {
            from: end(12, 0)?,
            to: end(16, 2)?,
            seq: Seq(word(tcp, 4)?),
            ack: Seq(word(tcp, 8)?),
            length: (tcp.len() - offset) as u32,
            timestamps: has_timestamps(options),
            flags: tcp[13],
        })
    }

    /// It opens a connection, or answers such a segment.
    pub const fn is_syn(&self) -> bool {
        self.flags & SYN != 0
    }

    /// It ends its sender's direction.
    pub const fn is_fin(&self) -> bool {
        self.flags & FIN != 0
    }

    /// It ends the connection at once.
    pub const fn is_rst(&self) -> bool {
        self.flags & RST != 0
    }

    /// It acknowledges and does nothing else.
    pub const fn is_bare_ack(&self) -> bool {
        self.flags & (SYN | FIN | RST | ACK) == ACK && self.length == 0
    }

    /// The first number after it.
    pub const fn end(&self) -> Seq {
        let controls = self.is_syn() as u32 + self.is_fin() as u32;
        self.seq.plus(self.length.wrapping_add(controls))
    }
}

impl Seq {
    /// That many octets on.
    #[must_use]
    pub const fn plus(self, octets: u32) -> Self {
        Self(self.0.wrapping_add(octets))
    }

    /// How many octets it lies past another, which is taken to be the earlier of the two.
    pub const fn past(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

fn has_timestamps(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        match (*kind, rest.first()) {
            (END, _) => return false,
            (PADDING, _) => options = rest,
            (TIMESTAMPS, _) => return true,
            (_, Some(&length)) => {
                options = options.get(usize::from(length).max(2)..).unwrap_or(&[]);
            }
            (_, None) => return false,
        }
    }
    false
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// More fragments follow, or this is not the first.
const FRAGMENT: u16 = 0x3fff;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const END: u8 = 0;
const PADDING: u8 = 1;
const TIMESTAMPS: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// A FIN of 10.0.0.1:80 to 10.0.0.2:4000 with timestamps and three octets of data.
    const PACKET: [u8; 55] = [
        0x45, 0, 0, 55, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, //
        0, 80, 0x0f, 0xa0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 9, 0x80, 0x11, 0, 100, 0, 0, 0,
        0, //
        1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, b'a', b'b', b'c',
    ];

    #[test]
    fn a_segment_is_read_and_its_end_wraps_around() {
        let segment = Segment::of(&PACKET).expect("a segment");
        assert_eq!(segment.from, "10.0.0.1:80".parse().expect("an address"));
        assert_eq!(segment.to, "10.0.0.2:4000".parse().expect("an address"));
        assert!(segment.is_fin() && !segment.is_syn() && !segment.is_rst());
        assert!(segment.timestamps && !segment.is_bare_ack());
        assert_eq!((segment.seq, segment.ack, segment.length), (Seq(u32::MAX - 1), Seq(9), 3));
        assert_eq!(segment.end(), Seq(2));
        assert_eq!(segment.end().past(segment.seq), 4);
    }

    #[test]
    fn what_is_cut_short_or_something_else_is_no_segment() {
        for length in 0..PACKET.len() {
            assert_eq!(Segment::of(&PACKET[..length]), None, "{length} octets");
        }
        let with = |at: usize, value| {
            let mut packet = PACKET;
            packet[at] = value;
            Segment::of(&packet)
        };
        assert_eq!(with(0, 0x65), None, "IPv6");
        assert_eq!(with(6, 0x20), None, "a fragment");
        assert_eq!(with(9, 17), None, "UDP");
        assert_eq!(with(32, 0xf0), None, "options longer than the segment");
        assert_eq!(with(32, 0x40), None, "a header shorter than a header");
    }
}
