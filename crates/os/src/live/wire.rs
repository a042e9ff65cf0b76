//! Segments as octets: what a script lets arrive is written into an IPv4 packet, what the kernel sends is read from
//! one. Checksums are computed, since the kernel checks them.

use lastack_model::script::Pattern;
use lastack_model::tcp::segment::{Control, Segment};
use lastack_model::tcp::seq::SeqNumber;
use std::net::Ipv4Addr;

/// A connection's two ports.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ports {
    pub(crate) own: u16,
    pub(crate) peer: u16,
}

/// The segment of a packet that the kernel sent, and its ports; `None` when it is no TCP.
pub(crate) fn read(packet: &[u8]) -> Option<(Ports, Segment)> {
    let is_tcp = packet.first()? >> 4 == 4 && *packet.get(9)? == TCP;
    let header = usize::from(packet[0] & 0xf) * 4;
    let tcp = packet.get(header..usize::from(half(packet, 2)?)).filter(|_| is_tcp)?;
    let data = tcp.len().checked_sub(usize::from(tcp.get(12)? >> 4) * 4)?;
    let flags = *tcp.get(13)?;
    let ports = Ports { own: half(tcp, 0)?, peer: half(tcp, 2)? };
    let set = BITS.into_iter().filter(|(bit, _)| flags & bit != 0);
    let control = set.fold(Control::NONE, |all, (_, control)| all.with(control));
    let ack = (flags & ACK != 0).then_some(SeqNumber(word(tcp, 8)?));
    let segment = Segment::new(SeqNumber(word(tcp, 4)?), ack, control);
    Some((ports, Segment { length: data as u32, window: half(tcp, 14)?.into(), ..segment }))
}

/// A packet that carries this segment from the peer; options are taken from the script as far as they matter.
pub(super) fn packet(ends: Ends, segment: &Segment, pattern: &Pattern) -> Vec<u8> {
    let options = options(pattern);
    let length = 40 + options.len() + segment.length as usize;
    let mut packet = Vec::with_capacity(length);
    packet.extend([0x45, 0]);
    packet.extend((length as u16).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, TCP, 0, 0]);
    packet.extend(ends.peer.octets());
    packet.extend(ends.own.octets());
    let checksum = checksum(&packet, 0);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(ends.ports.peer.to_be_bytes());
    packet.extend(ends.ports.own.to_be_bytes());
    packet.extend(segment.seq.0.to_be_bytes());
    packet.extend(segment.ack.map_or(0, |ack| ack.0).to_be_bytes());
    let set = BITS.into_iter().filter(|(_, control)| segment.has(*control));
    let acknowledges = if segment.ack.is_some() { ACK } else { 0 };
    let flags = set.fold(acknowledges, |all, (bit, _)| all | bit);
    packet.extend([((20 + options.len()) as u8) << 2, flags]);
    packet.extend((segment.window.min(0xffff) as u16).to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(options);
    packet.resize(length, b'x');
    let pseudo = u32::from(TCP) + (length - 20) as u32;
    let checksum = checksum_of_two(&packet[12..20], &packet[20..], pseudo);
    packet[36..38].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// Who is at either end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) own: Ipv4Addr,
    pub(super) peer: Ipv4Addr,
    pub(super) ports: Ports,
}

/// The largest segment alone says how much is sent at once; the rest is about what is not compared.
fn options(pattern: &Pattern) -> Vec<u8> {
    let size = pattern.options.value("mss").and_then(|size| size.parse::<u16>().ok());
    size.map_or_else(Vec::new, |size| [&[2, 4][..], &size.to_be_bytes()].concat())
}

fn checksum(octets: &[u8], start: u32) -> u16 {
    checksum_of_two(octets, &[], start)
}

/// The Internet checksum (RFC 1071) over both, the first of even length.
fn checksum_of_two(first: &[u8], second: &[u8], start: u32) -> u16 {
    let pairs = first.chunks(2).chain(second.chunks(2));
    let sum = pairs.fold(u64::from(start), |sum, pair| {
        sum + (u64::from(pair[0]) << 8) + pair.get(1).map_or(0, |low| u64::from(*low))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// `IPPROTO_TCP`.
const TCP: u8 = 6;
const ACK: u8 = 16;
const BITS: [(u8, Control); 3] = [(1, Control::FIN), (2, Control::SYN), (4, Control::RST)];

#[cfg(test)]
mod tests {
    use super::*;
    use lastack_model::script::{Acknowledged, Options, Sequence};

    fn pattern() -> Pattern {
        let sequence = Sequence { first: Some(7), length: 3 };
        let options = Options { all: vec!["mss 1460".to_owned(), "sackOK".to_owned()] };
        let acknowledged = Acknowledged::Upto(9);
        Pattern { control: Control::FIN, acknowledged, sequence, window: Some(100), options }
    }

    fn written() -> (Ends, Segment, Vec<u8>) {
        let ports = Ports { own: 8080, peer: 4000 };
        let [own, peer] = [1, 2].map(|host| Ipv4Addr::new(192, 0, 2, host));
        let segment = Segment::new(SeqNumber(7), Some(SeqNumber(9)), Control::FIN);
        let segment = Segment { length: 3, window: 100, ..segment };
        let ends = Ends { own, peer, ports };
        (ends, segment, packet(ends, &segment, &pattern()))
    }

    #[test]
    fn what_is_written_is_read_again_with_right_checksums() {
        let (ends, segment, packet) = written();
        let swapped = Ports { own: ends.ports.peer, peer: ends.ports.own };
        assert_eq!(read(&packet), Some((swapped, segment)));
        assert_eq!(checksum(&packet[..20], 0), 0, "the header's");
        let pseudo = u32::from(TCP) + (packet.len() - 20) as u32;
        assert_eq!(checksum_of_two(&packet[12..20], &packet[20..], pseudo), 0, "the segment's");
    }

    #[test]
    fn what_is_cut_short_is_no_segment() {
        let (.., packet) = written();
        for length in 0..packet.len() {
            assert_eq!(read(&packet[..length]), None, "{length} octets");
        }
    }
}
