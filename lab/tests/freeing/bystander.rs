//! Somebody who is not in the way: a server of its own on the same port, at another address, with a client and with what
//! is left of earlier ones.

use crate::scene::{holder_of, request, runs};
use lastack_lab::program::{Process, User};
use lastack_lab::sockets;
use lastack_lab::states::{self, Pair, wait_until};
use lastack_model::facts::{Family, Transport};
use lastack_model::ids::Cookie;
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::net::{Ipv4Addr, SocketAddr};

/// The bystander's process, and both ends of its connection.
pub(crate) struct Bystander {
    process: Process,
    address: SocketAddr,
    connection: Pair,
    remains: Vec<(Cookie, State)>,
    _clients: [OwnedFd; 3],
}

impl Bystander {
    /// On this port.
    pub(crate) fn on(port: u16) -> Self {
        let address = SocketAddr::from((BESIDE, port));
        let listener = states::listening(&request(BESIDE, port));
        let connect = || states::established(&listener, address);
        states::time_wait(connect());
        let clients = [
            states::orphan_fin_wait_2(connect()),
            states::orphan_fin_wait_1(connect()),
            states::orphan_last_ack(connect()),
        ];
        let remains = of(address).filter(|(_, state)| *state != State::Listen).collect();
        let connection = connect();
        let end = connection.ours.try_clone().expect("a duplicate");
        let process = holder_of(User::Root, listener, Some(end));
        Self { process, address, connection, remains, _clients: clients }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Checks that its process runs, its server listens, its connection carries bytes both ways, and nothing that is
    /// left of earlier ones was dropped.
    pub(crate) fn assert_unharmed(&self) {
        assert!(runs(self.pid()), "the bystander was stopped");
        let sockets: Vec<_> = of(self.address).collect();
        let listens = sockets.iter().any(|(_, state)| *state == State::Listen);
        assert!(listens, "the bystander's listener is gone");
        for (cookie, state) in &self.remains {
            let is_there = sockets.iter().any(|(there, _)| there == cookie);
            assert!(is_there, "the bystander's {state} was dropped");
        }
        assert_carries(&self.connection);
        let client = sockets::open(Transport::Tcp, Family::V4);
        sockets::connect(&client, self.address).expect("a connection under way");
        let client_end = sockets::local(&client);
        states::wait_for(client_end.port(), |s| {
            s.local == client_end && s.state == State::Established
        });
    }
}

/// The sockets of one address, by identity and state.
fn of(address: SocketAddr) -> impl Iterator<Item = (Cookie, State)> {
    let sockets = states::on_port(address.port()).into_iter();
    sockets.filter(move |s| s.local == address).map(|s| (s.cookie, s.state))
}

/// Checks that a connection carries bytes both ways.
pub(crate) fn assert_carries(Pair { ours, peer }: &Pair) {
    carries(ours, peer);
    carries(peer, ours);
}

fn carries(from: &OwnedFd, to: &OwnedFd) {
    assert_eq!(
        send(from, b"still here", SendFlags::NOSIGNAL),
        Ok(10),
        "{:?}",
        sockets::local(from)
    );
    wait_until("the bytes arrive", || {
        recv(to, &mut [0; 10][..], RecvFlags::PEEK).is_ok_and(|(count, _)| count == 10)
    });
    let mut buffer = [0; 10];
    assert_eq!(recv(to, &mut buffer[..], RecvFlags::empty()).expect("bytes").0, 10);
    assert_eq!(&buffer, b"still here");
}

/// An address of the loopback network that no test asks for.
const BESIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
