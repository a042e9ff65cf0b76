//! `FIN_WAIT_2` without a process is not `TIME_WAIT`: the peer has not closed yet.

use crate::connection::{Connection, NEW};
use crate::stage::{Stage, Timestamps, destroy_here, near_end};
use lastack_lab::program::undisturbed;
use lastack_lab::states::wait_until;
use lastack_model::facts::Kind;
use lastack_model::state::State;
use rustix::net::{Shutdown, shutdown};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

#[test]
fn a_peer_that_closes_later_is_reset() {
    let stage = Stage::set_up(Timestamps::On);
    let server = peer_that_has_not_closed(&stage);
    destroy_here(State::FinWait2);
    assert_eq!(close(&stage, &server), Some(ErrorKind::ConnectionReset));
    assert!(near_end().is_none());
}

#[test]
fn a_peer_that_closes_later_is_acknowledged_if_it_is_left_alone() {
    let stage = Stage::set_up(Timestamps::On);
    let server = peer_that_has_not_closed(&stage);
    assert_eq!(close(&stage, &server), None);
    assert_eq!(near_end().map(|socket| socket.state), Some(State::TimeWait));
}

#[test]
fn a_peer_that_still_sends_is_reset_and_its_data_lost() {
    let stage = Stage::set_up(Timestamps::On);
    let server = peer_that_has_not_closed(&stage);
    destroy_here(State::FinWait2);
    send_in_vain(&stage, server);
}

#[test]
fn a_peer_that_still_sends_is_reset_as_well_if_it_is_left_alone() {
    let stage = Stage::set_up(Timestamps::On);
    let server = peer_that_has_not_closed(&stage);
    send_in_vain(&stage, server);
}

#[test]
fn a_peer_of_a_whole_socket_is_reset_at_once() {
    let stage = Stage::set_up(Timestamps::On);
    // What exceeds a minute is spent as a whole socket (`tcp_close`).
    stage.namespace.set("ipv4/tcp_fin_timeout", "120");
    let server = peer_that_has_not_closed_on(&stage, Kind::Full);
    destroy_here(State::FinWait2);
    wait_until("the server is reset", || stage.far_end().is_none());
    let error = server.take_error().expect("SO_ERROR").map(|cause| cause.kind());
    assert_eq!(error, Some(ErrorKind::BrokenPipe), "a reset after the client's end");
}

/// The client has closed and only a minisock in `FIN_WAIT_2` is left; the server's side, still open.
fn peer_that_has_not_closed(stage: &Stage) -> TcpStream {
    peer_that_has_not_closed_on(stage, Kind::Minisock)
}

fn peer_that_has_not_closed_on(stage: &Stage, kind: Kind) -> TcpStream {
    let Connection { near, far, .. } = stage.connect().expect("a connection");
    undisturbed(|| drop(near));
    wait_until("the client's end waits for the server's", || {
        near_end().is_some_and(|socket| (socket.state, socket.kind) == (State::FinWait2, kind))
    });
    far
}

/// What the server learns when it closes.
fn close(stage: &Stage, server: &TcpStream) -> Option<ErrorKind> {
    shutdown(server, Shutdown::Write).expect("the server's end");
    wait_until("the server's end is over", || stage.far_end().is_none());
    server.take_error().expect("SO_ERROR").map(|cause| cause.kind())
}

/// The first thousand octets count as sent and nobody reads them; the next are refused. Nothing remains on either side.
fn send_in_vain(stage: &Stage, mut server: TcpStream) {
    let before = stage.far_counter("TCPOrigDataSent");
    assert_eq!(server.write(&[NEW; 1000]).expect("room to write"), 1000);
    wait_until("the server is reset", || stage.far_end().is_none());
    let second = server.write(&[NEW; 1000]).map_err(|cause| cause.kind());
    assert_eq!(second, Err(ErrorKind::BrokenPipe));
    assert_eq!(stage.far_counter("TCPOrigDataSent"), before + 1, "nothing is sent again");
    assert!(near_end().is_none());
}
