//! Somebody who is not in the way: a server of its own on the same port, at another address, with a client.

use crate::scene::{holder_of, request, runs};
use lastack_lab::program::{Process, User};
use lastack_lab::sockets;
use lastack_lab::states::{self, Pair, wait_until};
use lastack_model::facts::{Family, Transport};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::net::{Ipv4Addr, SocketAddr};

/// The bystander's process, and both ends of its connection.
pub(crate) struct Bystander {
    process: Process,
    address: SocketAddr,
    connection: Pair,
}

impl Bystander {
    /// On this port.
    pub(crate) fn on(port: u16) -> Self {
        let address = SocketAddr::from((BESIDE, port));
        let listener = states::listening(&request(BESIDE, port));
        let connection = states::established(&listener, address);
        let end = connection.ours.try_clone().expect("a duplicate");
        Self { process: holder_of(User::Root, listener, Some(end)), address, connection }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Checks that its process runs, its server listens, and its connection carries bytes both ways.
    pub(crate) fn assert_unharmed(&self) {
        assert!(runs(self.pid()), "the bystander was stopped");
        let sockets = states::on_port(self.address.port());
        let listens = |state| sockets.iter().any(|s| s.local == self.address && s.state == state);
        assert!(listens(State::Listen), "the bystander's listener is gone");
        assert_carries(&self.connection);
        let client = sockets::open(Transport::Tcp, Family::V4);
        sockets::connect(&client, self.address).expect("a connection under way");
        let client_end = sockets::local(&client);
        states::wait_for(client_end.port(), |s| {
            s.local == client_end && s.state == State::Established
        });
    }
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
