//! The bench itself: every state it offers is the state the kernel shows.

use lastack_lab::namespace::Namespace;
use lastack_lab::{sockets, states};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Kind, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use std::net::{IpAddr, SocketAddr};

fn request(address: impl Into<IpAddr>, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

/// The one state, beside the listener's, on the port.
fn shown(port: u16) -> Vec<(State, Kind)> {
    let others = |socket: &lastack_model::facts::Socket| socket.state != State::Listen;
    states::on_port(port).into_iter().filter(others).map(|s| (s.state, s.kind)).collect()
}

#[test]
fn each_state_of_the_bench_is_the_one_the_kernel_shows() {
    Namespace::enter();
    let pair = |port| {
        let listener = states::listening(&request([127, 0, 0, 1], port));
        let pair = states::established(&listener, SocketAddr::from(([127, 0, 0, 1], port)));
        (listener, pair)
    };
    let (_a, connection) = pair(2001);
    assert_eq!(shown(2001), [(State::Established, Kind::Full)]);
    states::time_wait(connection);
    assert_eq!(shown(2001), [(State::TimeWait, Kind::Minisock)]);
    let (_b, connection) = pair(2002);
    let _peer = states::orphan_fin_wait_2(connection);
    assert_eq!(shown(2002), [(State::FinWait2, Kind::Minisock)]);
    let (_c, connection) = pair(2003);
    let _peer = states::orphan_fin_wait_1(connection);
    assert_eq!(shown(2003), [(State::FinWait1, Kind::Full)]);
    let (_d, connection) = pair(2004);
    let _peer = states::orphan_last_ack(connection);
    assert_eq!(shown(2004), [(State::LastAck, Kind::Full)]);
    let _bound = states::bound(&request([127, 0, 0, 1], 2005));
    assert_eq!(shown(2005), [(State::Closed, Kind::Full)]);
    let (_e, connection) = pair(2006);
    sockets::reset(connection.ours);
    assert_eq!(shown(2006), []);
}

#[test]
fn a_second_device_has_addresses_that_can_be_bound() {
    let device = Namespace::enter().add_second_device();
    let _v4 = states::bound(&request(device.v4, 2001));
    let _v6 = states::bound(&request(device.v6, 2001));
    let scoped = Options { device: Some(device.index), ..Options::default() };
    let _link = states::bound(&Request { options: scoped, ..request(device.link_local, 2002) });
}
