//! A small netlink client: dumps of tables, and acts that the kernel acknowledges one by one.
//!
//! Parsing is a pure function over bytes and survives any input; it knows nothing of what the payloads mean.

use crate::{Error, Result, sys};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use std::fmt;

/// Which part of the kernel to talk to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Channel {
    /// `NETLINK_SOCK_DIAG`: sockets.
    SockDiag,
    /// `NETLINK_ROUTE`: addresses, routes and interfaces.
    Route,
}

/// A netlink socket.
#[derive(Debug)]
pub struct Netlink {
    channel: Channel,
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

/// Whether a dump was consistent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Consistency {
    /// Nothing changed under it.
    Whole,
    /// The table changed while it was read (`NLM_F_DUMP_INTR`) or replies were lost: read it again.
    Interrupted,
}

/// One netlink message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// A message or attribute whose length field does not fit the bytes that carry it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Truncated;

/// The messages in a buffer, up to the first that is truncated.
#[derive(Clone, Debug)]
pub struct Messages<'a>(&'a [u8]);

/// The attributes in a payload, up to the first that is truncated.
#[derive(Clone, Debug)]
pub struct Attributes<'a>(&'a [u8]);

impl Netlink {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open(channel: Channel) -> Result<Self> {
        let socket = channel.socket()?;
        Ok(Self { channel, socket, buffer: vec![0; BUFFER_LENGTH], sequence: 0 })
    }

    /// Sends one dump request and hands every reply's payload to `each`.
    pub fn dump(
        &mut self,
        kind: u16,
        payload: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Consistency> {
        self.sequence += 1;
        let flags = NLM_F_REQUEST | NLM_F_DUMP;
        self.send(&message(kind, flags, self.sequence, payload))?;
        let mut consistency = Consistency::Whole;
        loop {
            let Some(length) = self.receive()? else {
                // The rest of the dump is still on its way; a new socket is rid of it.
                self.socket = self.channel.socket()?;
                return Ok(Consistency::Interrupted);
            };
            let progress = replies(&self.buffer[..length], self.sequence, &mut each)?;
            consistency = consistency.and(progress.consistency);
            if progress.is_done {
                return Ok(consistency);
            }
        }
    }

    /// Sends several requests in one datagram and returns what the kernel said to each, in their order.
    pub fn act(&mut self, kind: u16, payloads: &[Vec<u8>]) -> Result<Vec<std::io::Result<()>>> {
        let first = self.sequence + 1;
        let mut datagram = Vec::new();
        for payload in payloads {
            self.sequence += 1;
            datagram.extend(message(kind, NLM_F_REQUEST | NLM_F_ACK, self.sequence, payload));
            datagram.resize(datagram.len().next_multiple_of(4), 0);
        }
        self.send(&datagram)?;
        let mut answers: Vec<Option<std::io::Result<()>>> = payloads.iter().map(|_| None).collect();
        while answers.iter().any(Option::is_none) {
            let Some(length) = self.receive()? else {
                let cause = std::io::Error::from_raw_os_error(libc::ENOBUFS);
                return Err(Error::new("receive", "the kernel's acknowledgements", cause));
            };
            acknowledgements(&self.buffer[..length], first, &mut answers)?;
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// Gives the socket an address of its own. Without one it gets no multicast message: the kernel takes it for the
    /// sender, whose address is 0 as well (`do_one_broadcast`).
    pub fn bind(&self) -> Result<()> {
        net::bind(&self.socket, &netlink::SocketAddrNetlink::new(0, 0))
            .map_err(|cause| Error::new("bind", self.channel.to_string(), cause))
    }

    /// Drops one datagram that has come, without waiting for any. False when there was none.
    pub fn discard(&mut self) -> Result<bool> {
        match net::recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
            // The kernel had to drop some for want of room: something came.
            Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(cause) => Err(Error::new("receive", "a netlink message", cause)),
        }
    }

    fn send(&self, datagram: &[u8]) -> Result<()> {
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        net::sendto(&self.socket, datagram, SendFlags::empty(), &kernel)
            .map(drop)
            .map_err(|cause| Error::new("send", "a netlink request", cause))
    }

    /// The length of the next datagram; none when the kernel had to drop some (`ENOBUFS`).
    fn receive(&mut self) -> Result<Option<usize>> {
        loop {
            match net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((_, length)) if length <= self.buffer.len() => return Ok(Some(length)),
                Err(Errno::NOBUFS) => return Ok(None),
                Ok(_) => return Err(damaged("reply")),
                Err(Errno::INTR) => {}
                Err(cause) => return Err(Error::new("receive", "a netlink reply", cause)),
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Channel {
    fn socket(self) -> Result<OwnedFd> {
        let protocol = match self {
            Self::SockDiag => Some(netlink::SOCK_DIAG),
            // NETLINK_ROUTE is number 0.
            Self::Route => None,
        };
        let socket = net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )
        .map_err(|cause| Error::new("open", self.to_string(), cause))?;
        // Lets the kernel filter routes by table; one that cannot sends all, and the reader filters too.
        let _unsupported_is_fine = sys::set_netlink_strict_check(&socket);
        Ok(socket)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SockDiag => "a NETLINK_SOCK_DIAG socket",
            Self::Route => "a NETLINK_ROUTE socket",
        })
    }
}

impl Consistency {
    /// That of two dumps together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole, Self::Whole) => Self::Whole,
            _ => Self::Interrupted,
        }
    }
}

impl<'a> Messages<'a> {
    /// The messages in these bytes.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Truncated>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((body, rest)) = u32_at(self.0, 0).and_then(|n| split(self.0, n as usize, HEADER))
        else {
            self.0 = &[];
            return Some(Err(Truncated));
        };
        self.0 = rest;
        Some(Ok(Message {
            kind: u16_at(body, 4).unwrap_or_default(),
            flags: u16_at(body, 6).unwrap_or_default(),
            sequence: u32_at(body, 8).unwrap_or_default(),
            payload: &body[HEADER..],
        }))
    }
}

impl<'a> Attributes<'a> {
    /// The attributes in these bytes.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Truncated>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((body, rest)) =
            u16_at(self.0, 0).and_then(|n| split(self.0, usize::from(n), ATTRIBUTE_HEADER))
        else {
            self.0 = &[];
            return Some(Err(Truncated));
        };
        self.0 = rest;
        let kind = u16_at(body, 2).unwrap_or_default() & NLA_TYPE_MASK;
        Some(Ok((kind, &body[ATTRIBUTE_HEADER..])))
    }
}

/// The number in native byte order at an offset.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The number in native byte order at an offset.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// Appends one attribute, padded.
pub fn push_attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    to.extend(((ATTRIBUTE_HEADER + value.len()) as u16).to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}

/// One request with its header.
fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = HEADER + payload.len();
    let mut bytes = Vec::with_capacity(length.next_multiple_of(4));
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

/// Notes what one datagram acknowledges, each by the number of its request; what answers an earlier one is stale.
fn acknowledgements(
    datagram: &[u8],
    first: u32,
    answers: &mut [Option<std::io::Result<()>>],
) -> Result<()> {
    for message in Messages::of(datagram) {
        let message = message.map_err(|Truncated| damaged("reply"))?;
        let at = message.sequence.wrapping_sub(first) as usize;
        if let (NLMSG_ERROR, Some(answer)) = (message.kind, answers.get_mut(at)) {
            *answer = Some(verdict(message.payload)?);
        }
    }
    Ok(())
}

/// What one datagram of a dump says about the dump.
struct Progress {
    consistency: Consistency,
    is_done: bool,
}

/// Hands every reply to the request of that number in one datagram to `each`; what answers another is stale.
fn replies(
    datagram: &[u8],
    sequence: u32,
    each: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<Progress> {
    let mut progress = Progress { consistency: Consistency::Whole, is_done: false };
    for message in Messages::of(datagram) {
        let message = message.map_err(|Truncated| damaged("reply"))?;
        if message.sequence != sequence {
            continue;
        }
        if message.flags & NLM_F_DUMP_INTR != 0 || message.kind == NLMSG_OVERRUN {
            progress.consistency = Consistency::Interrupted;
        }
        match message.kind {
            NLMSG_DONE => {
                finished(message.payload)?;
                progress.is_done = true;
                break;
            }
            NLMSG_ERROR => finished(message.payload)?,
            NLMSG_NOOP | NLMSG_OVERRUN => {}
            _ => each(message.payload)?,
        }
    }
    Ok(progress)
}

/// Splits off an item of the length it claims; items are padded to four bytes, the last one need not be.
fn split(bytes: &[u8], length: usize, header: usize) -> Option<(&[u8], &[u8])> {
    if length < header {
        return None;
    }
    let body = bytes.get(..length)?;
    Some((body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// What the end of a dump says of it.
fn finished(payload: &[u8]) -> Result<()> {
    verdict(payload)?.map_err(|cause| Error::new("dump", "kernel tables over netlink", cause))
}

/// What a final or error message says: 0, or a negated error number.
fn verdict(payload: &[u8]) -> Result<std::io::Result<()>> {
    let code = u32_at(payload, 0).ok_or_else(|| damaged("reply"))?.cast_signed();
    let number = code.checked_neg().unwrap_or(libc::EPROTO);
    Ok(if code == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(number)) })
}

fn damaged(what: &str) -> Error {
    let cause = std::io::Error::new(std::io::ErrorKind::InvalidData, "message is truncated");
    Error::new("read", format!("a netlink {what}"), cause)
}

/// The kernel sizes its dump messages by the largest buffer it was offered, up to 32 KiB.
const BUFFER_LENGTH: usize = 64 * 1024;
const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
const NLA_TYPE_MASK: u16 = 0x3fff;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_and_its_attributes_are_read_back() {
        let mut payload = Vec::new();
        push_attribute(&mut payload, 7, b"abcde");
        push_attribute(&mut payload, 9, &1_u32.to_ne_bytes());
        let bytes = message(20, 2, 5, &payload);
        let message = Messages::of(&bytes).next().expect("one message").expect("whole");
        assert_eq!((message.kind, message.flags, message.sequence), (20, 2, 5));
        let attributes: Vec<_> =
            Attributes::of(message.payload).map(|a| a.expect("whole")).collect();
        assert_eq!(attributes, [(7, &b"abcde"[..]), (9, &1_u32.to_ne_bytes()[..])]);
    }

    /// What the datagram says to request 5, and the payloads it gave.
    fn answers(messages: &[Vec<u8>]) -> Result<(Consistency, bool, Vec<u8>)> {
        let mut payloads = Vec::new();
        let progress = replies(&messages.concat(), 5, &mut |payload| {
            payloads.extend(payload);
            Ok(())
        })?;
        Ok((progress.consistency, progress.is_done, payloads))
    }

    #[test]
    fn a_dump_goes_on_until_the_message_that_ends_it() {
        let record = || message(20, 2, 5, b"abcd");
        let end = message(NLMSG_DONE, 2, 5, &[0; 4]);
        let open = answers(&[record(), record()]).expect("records");
        assert_eq!(open, (Consistency::Whole, false, b"abcdabcd".to_vec()));
        let closed = answers(&[record(), end, record()]).expect("records");
        assert_eq!(closed, (Consistency::Whole, true, b"abcd".to_vec()));
    }

    #[test]
    fn a_dump_that_a_change_interrupted_says_so_even_at_its_end() {
        let marked = message(20, NLM_F_DUMP_INTR, 5, b"abcd");
        let end = message(NLMSG_DONE, NLM_F_DUMP_INTR, 5, &[0; 4]);
        assert_eq!(answers(&[marked]).expect("a record").0, Consistency::Interrupted);
        assert_eq!(answers(&[end]).expect("the end").0, Consistency::Interrupted);
        let lost = message(NLMSG_OVERRUN, 0, 5, &[]);
        assert_eq!(answers(&[lost]).expect("a loss").0, Consistency::Interrupted);
    }

    #[test]
    fn a_reply_to_an_earlier_request_is_not_taken_for_this_ones() {
        let stale = [message(20, 2, 4, b"old!"), message(NLMSG_DONE, 2, 4, &[0; 4])];
        assert_eq!(answers(&stale).expect("nothing"), (Consistency::Whole, false, vec![]));
    }

    #[test]
    fn a_refusal_is_the_kernels_error_number_wherever_it_stands() {
        let refused = (-libc::ENOENT).to_ne_bytes();
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            let error = answers(&[message(kind, 0, 5, &refused)]).expect_err("refused");
            assert_eq!(error.cause().raw_os_error(), Some(libc::ENOENT));
        }
        let acknowledged = message(NLMSG_ERROR, 0, 5, &[0; 4]);
        assert!(!answers(&[acknowledged]).expect("an acknowledgement").1);
        assert!(answers(&[message(NLMSG_DONE, 0, 5, &[])]).is_err(), "an end without its number");
    }

    #[test]
    fn a_refused_dump_leaves_the_socket_fit_for_the_next() {
        let mut netlink = Netlink::open(Channel::SockDiag).expect("open");
        netlink.dump(20, &[255; 56], |_| Ok(())).expect_err("no such family");
        let mut request = vec![libc::AF_INET as u8, libc::IPPROTO_TCP as u8];
        request.resize(56, 0);
        let whole = netlink.dump(20, &request, |_| Ok(())).expect("a dump of no states");
        assert_eq!(whole, Consistency::Whole);
    }

    #[test]
    fn each_request_of_a_datagram_has_its_own_answer() {
        let said = |sequence, code: i32| message(NLMSG_ERROR, 0, sequence, &code.to_ne_bytes());
        let datagram = [said(8, -libc::ENOENT), said(7, 0), said(3, -libc::EPERM)].concat();
        let mut answers = vec![None, None, None];
        acknowledgements(&datagram, 7, &mut answers).expect("answers");
        let numbers: Vec<_> = answers
            .iter()
            .map(|a| a.as_ref().map(|a| a.as_ref().err().and_then(std::io::Error::raw_os_error)))
            .collect();
        assert_eq!(numbers, [Some(None), Some(Some(libc::ENOENT)), None]);
    }

    #[test]
    fn a_message_longer_than_its_buffer_is_truncated() {
        let mut bytes = 64_u32.to_ne_bytes().to_vec();
        bytes.resize(32, 0);
        assert_eq!(Messages::of(&bytes).collect::<Vec<_>>(), [Err(Truncated)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_loop(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let messages = Messages::of(&bytes).count();
            let attributes = Attributes::of(&bytes).count();
            prop_assert!(messages <= bytes.len() && attributes <= bytes.len());
        }
    }
}
