//! Both ends of one connection, and the octets that go through it.

use crate::stage::{Stage, far_end};
use lastack_lab::segment::{Segment, Seq};
use lastack_lab::sockets;
use lastack_lab::states::wait_until;
use lastack_model::ids::Uid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// One connection from the near host to the far one.
pub(crate) struct Connection {
    pub(crate) near: TcpStream,
    pub(crate) far: TcpStream,
    /// The first octet's number in either direction.
    pub(crate) near_start: Seq,
    pub(crate) far_start: Seq,
}

impl Connection {
    /// Sends that many octets up and then down, a piece at a time, and waits until each is read.
    pub(crate) fn exchange(&mut self, octet: u8, up: u32, down: u32) {
        pump(&mut self.near, &mut self.far, octet, up);
        pump(&mut self.far, &mut self.near, octet, down);
    }

    /// Exchanges octets until the sequence numbers are as far ahead of the clock from which the kernel takes those of
    /// the next connection (`secure_tcp_seq`: one octet in 64 ns) as that clock moves in the time given.
    pub(crate) fn run_ahead(&mut self, lead: Duration) {
        let began = Instant::now();
        let mut sent = 0.0;
        while sent < ISN_OCTETS_A_SECOND * (began.elapsed() + lead).as_secs_f64() {
            self.exchange(OLD, BURST, BURST);
            sent += f64::from(BURST);
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{sent} octets in ten seconds are too few to run ahead of the sequence clock"
            );
        }
    }

    /// Exchanges as much as it takes for this segment to be the next that the far host expects, and waits until the
    /// far host knows that all its own octets have arrived.
    pub(crate) fn advance_to(&mut self, stage: &Stage, segment: &Segment) {
        let up = segment.seq.past(self.near_start);
        let down = segment.ack.past(self.far_start);
        self.exchange(NEW, up, down);
        stage.wire.far.run(|_| {
            wait_until("all is acknowledged", || far_end().is_some_and(|end| end.send_queue == 0));
        });
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a connection from {:?} and {:?}", self.near_start, self.far_start)
    }
}

/// The next connection of the listener, once it is there.
pub(crate) fn accepted(listener: &OwnedFd) -> OwnedFd {
    let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
    let arrived = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&patience));
    assert_eq!(arrived, Ok(1), "no connection came");
    sockets::accept(listener, Uid(0)).expect("a connection in the queue")
}

/// A socket whose reads wait, for ten seconds at most.
pub(crate) fn blocking(socket: OwnedFd) -> TcpStream {
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false).expect("a blocking socket");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
    stream
}

/// Reads what comes next, at most so much; an empty answer is the end.
pub(crate) fn read(stream: &mut TcpStream, most: usize) -> std::io::Result<Vec<u8>> {
    let mut octets = vec![0; most];
    let length = stream.read(&mut octets)?;
    octets.truncate(length);
    Ok(octets)
}

fn pump(from: &mut TcpStream, to: &mut TcpStream, octet: u8, mut left: u32) {
    let written = vec![octet; 1 << 16];
    let mut arrived = vec![0; 1 << 16];
    while left > 0 {
        let length = left.min(1 << 16) as usize;
        from.write_all(&written[..length]).expect("room to write");
        to.read_exact(&mut arrived[..length]).expect("what was written");
        assert!(arrived[..length] == written[..length], "other octets arrived");
        left -= length as u32;
    }
}

/// What the first connection's data consists of.
pub(crate) const OLD: u8 = b'o';
/// What the next one's does.
pub(crate) const NEW: u8 = b'n';
/// `seq_scale`: the clock of initial sequence numbers moves by one in 64 ns.
const ISN_OCTETS_A_SECOND: f64 = 1e9 / 64.0;
/// Octets sent in one direction before the other has its turn.
const BURST: u32 = 1 << 18;
