//! A segment of the old connection that arrives in the next one between the same addresses and ports.

use crate::connection::{Connection, NEW, OLD, read};
use crate::stage::{CLIENT, LEAD, Stage, Timestamps, destroy_here, near_end, start_connecting};
use lastack_lab::program::undisturbed;
use lastack_lab::segment::Segment;
use lastack_lab::states::wait_until;
use lastack_lab::wire::{Fate, NEAR};
use lastack_model::errno::Errno;
use lastack_model::state::State;
use std::io::{ErrorKind, Write};

#[test]
fn a_late_segment_is_read_as_data_of_the_next_connection() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.fast_connection_closed();
    destroy_here(State::TimeWait);
    let (mut next, late) = next_connection(&stage, |segment| segment.length > 0);
    stage.deliver(&late);
    assert_eq!(read(&mut next.far, 1 << 17).expect("data"), vec![OLD; late.length as usize]);
    // The octets that the near host sends under the same numbers now count as received already.
    next.near.write_all(&vec![NEW; late.length as usize]).expect("room to write");
    next.near.write_all(b"the end").expect("room to write");
    assert_eq!(read(&mut next.far, 1 << 17).expect("data"), b"the end");
    for end in [&next.near, &next.far] {
        assert!(end.take_error().expect("SO_ERROR").is_none(), "neither program is told");
    }
}

#[test]
fn a_late_fin_ends_the_next_connection() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.fast_connection_closed();
    destroy_here(State::TimeWait);
    let (mut next, late) = next_connection(&stage, Segment::is_fin);
    stage.deliver(&late);
    assert_eq!(read(&mut next.far, 1).expect("an end"), b"", "the near host has not closed");
    assert_eq!(stage.far_end().map(|socket| socket.state), Some(State::CloseWait));
    undisturbed(|| drop(next.far));
    next.near.write_all(&[NEW; 100]).expect("the near host takes it for open");
    // Nobody reads that. What the near host learns first, the server's end or a reset, is a race.
    let end = read(&mut next.near, 1).map_err(|cause| cause.kind());
    assert!(matches!(end.as_deref(), Ok([]) | Err(ErrorKind::ConnectionReset)), "{end:?}");
}

#[test]
fn with_time_wait_left_alone_the_same_connection_is_refused_and_the_late_segment_is_lost() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.fast_connection_closed();
    assert_eq!(stage.connect().err(), Some(Errno::AddressNotAvailable));
    stage.use_timestamps(Timestamps::On);
    assert_eq!(stage.connect().err(), Some(Errno::AddressNotAvailable), "the old one had none");
    stage.deliver(&stage.wire.held()[0]);
    wait_until("the far host refuses it", || stage.wire.seen().iter().any(Segment::is_rst));
    assert_eq!(near_end().map(|socket| socket.state), Some(State::TimeWait));
}

#[test]
fn with_timestamps_the_late_segment_is_refused() {
    let stage = Stage::set_up(Timestamps::On);
    stage.fast_connection_closed();
    destroy_here(State::TimeWait);
    let (mut next, late) = next_connection(&stage, |segment| segment.length > 0);
    assert!(late.timestamps);
    let before = stage.far_counter("PAWSEstab");
    stage.deliver(&late);
    wait_until("the far host refuses it", || stage.far_counter("PAWSEstab") > before);
    next.exchange(NEW, late.length, late.length);
}

#[test]
fn timestamps_switched_on_since_do_not_keep_out_a_segment_that_has_none() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.fast_connection_closed();
    destroy_here(State::TimeWait);
    stage.use_timestamps(Timestamps::On);
    let (mut next, late) = next_connection(&stage, |segment| segment.length > 0);
    assert!(!late.timestamps);
    stage.deliver(&late);
    assert_eq!(read(&mut next.far, 1 << 17).expect("data"), vec![OLD; late.length as usize]);
}

#[test]
fn late_acknowledgements_and_a_late_syn_do_no_harm_and_start_no_loop() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.wire.follow(|segment| {
        let worth = segment.is_bare_ack() || segment.is_syn();
        if worth && *segment.from.ip() == NEAR { Fate::Double } else { Fate::Pass }
    });
    let mut old = stage.connect().expect("a first connection");
    old.run_ahead(LEAD);
    stage.wire.follow(|_| Fate::Pass);
    stage.close_near_first(old);
    destroy_here(State::TimeWait);
    let mut next = stage.connect().expect("the next connection");
    next.exchange(NEW, 1000, 1000);
    let challenged = stage.far_counter("TCPChallengeACK");
    let before = stage.wire.seen().len();
    let late = stage.wire.release(|_| true);
    next.exchange(NEW, 1000, 1000);
    assert!(late > 10, "the SYN and acknowledgements of octets past and to come: {late}");
    assert!(stage.far_counter("TCPChallengeACK") > challenged, "RFC 5961 §4 and §5");
    let came = stage.wire.seen().len() - before;
    assert!(came < late, "{came} segments came after {late} late ones");
}

#[test]
fn a_client_that_returns_by_the_same_port_ends_the_wait_itself_and_is_harmed_alike() {
    let stage = Stage::set_up(Timestamps::Off);
    let old = stage.fast_connection(2 * LEAD);
    stage.close_far_first(old);
    stage.wire.follow(|_| Fate::Pass);
    // Its SYN is below what TIME_WAIT expects and is answered by an ACK; the client resets that; and then (RFC 1337,
    // "assassination") there is no TIME_WAIT when the SYN is repeated after a second.
    let (mut next, late) = next_connection(&stage, |segment| segment.length > 0);
    assert!(stage.wire.seen().iter().any(|it| it.is_rst() && *it.from.ip() == NEAR));
    stage.deliver(&late);
    assert_eq!(read(&mut next.far, 1 << 17).expect("data"), vec![OLD; late.length as usize]);
}

#[test]
fn with_tcp_rfc1337_no_reset_ends_the_wait() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.wire.far.run(|namespace| namespace.set("ipv4/tcp_rfc1337", "1"));
    let old = stage.fast_connection(2 * LEAD);
    stage.close_far_first(old);
    stage.wire.follow(|_| Fate::Pass);
    let syns = || stage.wire.seen().iter().filter(|segment| segment.is_syn()).count();
    let before = syns();
    let client = start_connecting(CLIENT).expect("a SYN is sent");
    wait_until("the SYN is repeated after a reset", || {
        stage.wire.seen().iter().any(Segment::is_rst) && syns() > before + 1
    });
    assert_eq!(stage.far_end().map(|socket| socket.state), Some(State::TimeWait));
    undisturbed(|| drop(client));
}

/// The same connection again, brought to where the held segment that is meant is the next one expected.
fn next_connection(stage: &Stage, is_meant: impl Fn(&Segment) -> bool) -> (Connection, Segment) {
    let mut next = stage.connect().expect("the port is free for the same connection");
    let late = stage.first_ahead_of(&next, is_meant);
    next.advance_to(stage, &late);
    (next, late)
}
