//! Our carrier against the real servers.

use lastack_graceful::ports::Ports;
use lastack_lab::carried::Carriage;
use lastack_lab::rshd::Rshd;
use lastack_rsh::rcmd::{Errors, Options, Rsh};
use std::net::SocketAddr;

/// One as `lastack rsh` has it, with the standard error carried so.
pub(crate) fn ours(errors: Errors) -> Carriage<Rsh> {
    ours_with(|options| options.errors = errors)
}

/// One with other options.
pub(crate) fn ours_with(set: impl FnOnce(&mut Options)) -> Carriage<Rsh> {
    let mut options = Options::new("root");
    set(&mut options);
    Carriage::new(|| Rsh::new(Ports::reserved(), options).expect("a carrier"))
}

/// The first addresses of so many servers.
pub(crate) fn hosts(servers: u8) -> Vec<String> {
    (1..=servers).map(|server| Rshd::address(server, 0).to_string()).collect()
}

/// Checks that no port is lent to anybody any more.
pub(crate) fn assert_every_port_is_back(carriage: &Carriage<Rsh>, host: &str) {
    let to = SocketAddr::new(host.parse().expect("an address"), 514);
    let standing = carriage.carrier().ports().standing(to);
    assert_eq!(standing.lent, 0, "{standing:?}");
}
