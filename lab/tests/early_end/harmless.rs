//! The conditions under which ending `TIME_WAIT` early cannot hurt.

use crate::connection::{Connection, NEW, OLD, accepted, blocking, read};
use crate::stage::{CLIENT, LEAD, SERVICE, Stage, Timestamps, destroy, destroy_here, request};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::segment::{Segment, Seq};
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_until};
use lastack_lab::wire::{FAR, Fate, NEAR};
use lastack_model::facts::SocketGroup;
use lastack_model::remains::{Risk, risk};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

#[test]
fn on_one_host_nothing_is_left_that_could_be_late() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_timestamps", "0");
    let listener = states::listening(&request(Ipv4Addr::LOCALHOST, SERVICE));
    let mut old = on_loopback(&listener);
    old.run_ahead(LEAD);
    let Connection { near, far, .. } = old;
    undisturbed(|| drop(near));
    wait_until("the client's end waits", || in_state(State::FinWait2));
    undisturbed(|| drop(far));
    wait_until("both have closed", || in_state(State::TimeWait));
    let [remains] = &on_port(CLIENT)[..] else { panic!("one minisock: {:?}", on_port(CLIENT)) };
    let host = lastack_os::host::host().expect("the facts of this host");
    assert_eq!(risk(&SocketGroup::of(remains.clone()), &host), Risk::BothEndsHere);
    destroy(remains, State::TimeWait);
    // The next connection passes all the sequence numbers that the old one reached.
    let mut next = on_loopback(&listener);
    next.run_ahead(2 * LEAD);
}

#[test]
fn once_the_late_segments_have_arrived_nothing_is_left_to_harm() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.fast_connection_closed();
    let before = answers(&stage);
    assert!(stage.wire.release(|_| true) > 0, "TIME_WAIT outlasts the longest delay");
    wait_until("the far host refuses them", || answers(&stage) > before);
    destroy_here(State::TimeWait);
    let mut next = stage.connect().expect("the port is free for the same connection");
    next.run_ahead(2 * LEAD);
    assert_eq!(stage.wire.held(), []);
}

#[test]
fn a_connection_slower_than_the_sequence_clock_leaves_nothing_that_the_next_one_takes() {
    let stage = Stage::set_up(Timestamps::Off);
    stage.wire.follow(|segment| {
        let is_data = segment.length > 0 && *segment.from.ip() == NEAR;
        if is_data { Fate::Double } else { Fate::Pass }
    });
    let mut old = stage.connect().expect("a first connection");
    old.exchange(OLD, 1000, 1000);
    stage.close_near_first(old);
    stage.wire.follow(|_| Fate::Pass);
    destroy_here(State::TimeWait);
    let mut next = stage.connect().expect("the port is free for the same connection");
    let late = stage.wire.held()[0];
    assert!(next.near_start.past(late.end()) < 1 << 31, "it lies below the next connection");
    let before = answers(&stage);
    stage.deliver(&late);
    wait_until("the far host refuses it", || answers(&stage) > before);
    next.exchange(NEW, 5000, 5000);
}

#[test]
fn a_restarted_server_is_safe_from_the_segments_of_another_port() {
    let mut stage = Stage::set_up(Timestamps::Off);
    let old = stage.fast_connection(LEAD);
    stage.close_far_first(old);
    stage.wire.follow(|_| Fate::Pass);
    stage.stop_listening();
    stage.destroy_at_far_host(State::TimeWait);
    stage.listen_again();
    let mut next = stage.connect_from(CLIENT + 1).expect("a client of another port");
    next.exchange(NEW, 1000, 1000);
    assert!(stage.wire.release(|_| true) > 0);
    wait_until("the far host refuses them", || stage.wire.seen().iter().any(Segment::is_rst));
    next.near.write_all(b"the end").expect("room to write");
    assert_eq!(read(&mut next.far, 100).expect("data"), b"the end");
}

/// How many segments the far host has sent.
fn answers(stage: &Stage) -> usize {
    stage.wire.seen().iter().filter(|segment| *segment.from.ip() == FAR).count()
}

fn in_state(state: State) -> bool {
    on_port(CLIENT).iter().any(|socket| socket.state == state)
}

/// From the client's port to the listener, both on loopback, where nobody sees the sequence numbers.
fn on_loopback(listener: &OwnedFd) -> Connection {
    let client = states::bound(&request(Ipv4Addr::LOCALHOST, CLIENT));
    sockets::connect(&client, SocketAddr::from((Ipv4Addr::LOCALHOST, SERVICE)))
        .expect("the port is free for the same connection");
    Connection {
        far: blocking(accepted(listener)),
        near: blocking(client),
        near_start: Seq(0),
        far_start: Seq(0),
    }
}
