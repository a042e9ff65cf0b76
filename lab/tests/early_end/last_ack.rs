//! The last acknowledgement is lost: the peer repeats its end and needs somebody to answer.

use crate::connection::{Connection, NEW, read};
use crate::stage::{Stage, Timestamps, destroy_here, near_end};
use lastack_lab::program::undisturbed;
use lastack_lab::segment::{Segment, Seq};
use lastack_lab::states::wait_until;
use lastack_lab::wire::{FAR, Fate};
use lastack_model::state::State;
use rustix::net::{Shutdown, shutdown};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

#[test]
fn without_time_wait_a_peer_whose_answer_arrived_is_told_that_it_did_not() {
    let stage = Stage::set_up(Timestamps::On);
    let server = answered_and_unacknowledged(&stage);
    destroy_here(State::TimeWait);
    assert_eq!(end_of(&stage, &server), Some(ErrorKind::ConnectionReset));
}

#[test]
fn time_wait_acknowledges_what_the_peer_repeats() {
    let stage = Stage::set_up(Timestamps::On);
    let server = answered_and_unacknowledged(&stage);
    assert_eq!(end_of(&stage, &server), None);
    assert_eq!(near_end().map(|socket| socket.state), Some(State::TimeWait));
}

/// The client has sent a question and its end, has read the whole answer and the server's end, and is in `TIME_WAIT`.
/// The server, whose side is returned, knows nothing of that: no acknowledgement of its answer arrived. What it repeats
/// is on its way.
fn answered_and_unacknowledged(stage: &Stage) -> TcpStream {
    let Connection { mut near, mut far, .. } = stage.connect().expect("a connection");
    near.write_all(b"question").expect("room to write");
    shutdown(&near, Shutdown::Write).expect("half a close");
    assert_eq!(read(&mut far, 100).expect("a question"), b"question");
    assert_eq!(read(&mut far, 1).expect("its end"), b"");
    stage.wire.follow(lose_acknowledgements_of_the_answer());
    far.write_all(&[NEW; ANSWER]).expect("room to write");
    shutdown(&far, Shutdown::Write).expect("half a close");
    let mut answer = 0;
    while let length @ 1.. = read(&mut near, ANSWER).expect("an answer").len() {
        answer += length;
    }
    assert_eq!(answer, ANSWER, "the client has all of it");
    undisturbed(|| drop(near));
    wait_until("the client waits", || {
        near_end().is_some_and(|socket| socket.state == State::TimeWait)
    });
    let end = stage.far_end().expect("the server's end");
    assert_eq!((end.state, end.send_queue), (State::LastAck, ANSWER as u32 + 1));
    wait_until("the server repeats itself", || !stage.wire.held().is_empty());
    far
}

/// What the server sends arrives once, no acknowledgement of it does, and what it repeats is held.
fn lose_acknowledgements_of_the_answer() -> impl FnMut(&Segment) -> Fate + Send {
    let mut answered: Option<Seq> = None;
    move |segment| {
        let from_server = *segment.from.ip() == FAR;
        let takes_room = segment.length > 0 || segment.is_fin();
        let is_new = |answered: Seq| (1..1 << 31).contains(&segment.end().past(answered));
        match answered {
            None if !(from_server && takes_room) => Fate::Pass,
            Some(_) if !from_server => Fate::Lose,
            Some(end) if takes_room && !is_new(end) => Fate::Hold,
            None | Some(_) => {
                answered = Some(segment.end());
                Fate::Pass
            }
        }
    }
}

/// What the server learns of the connection's end, once the repeated segments have arrived.
fn end_of(stage: &Stage, server: &TcpStream) -> Option<ErrorKind> {
    stage.wire.follow(|_| Fate::Pass);
    assert!(stage.wire.release(|_| true) > 0);
    wait_until("the server's end is over", || stage.far_end().is_none());
    server.take_error().expect("SO_ERROR").map(|cause| cause.kind())
}

/// Octets of the server's answer.
const ANSWER: usize = 1000;
