//! From addresses to sockets: which family each serves. Pure, so that the choice can be read and tested.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which families an address stands for. Nothing is left to the system's default (`net.ipv6.bindv6only`).
///
/// ```
/// use lastack_graceful::bind::{Bind, Families};
///
/// # fn main() -> Result<(), lastack_graceful::bind::BindError> {
/// let both = Bind::to("0.0.0.0:0").families(Families::TwoSockets).listen_all()?;
/// let ports: Vec<u16> = both.iter().map(|it| it.local_addr().unwrap().port()).collect();
/// assert!(ports.windows(2).all(|pair| pair[0] == pair[1]), "one port for both");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Families {
    /// Its own alone: an IPv6 socket is `V6ONLY` (RFC 3493 §5.3).
    Own,
    /// For a wildcard of either family, one IPv6 socket that serves both; an IPv4 client's address shows as
    /// `::ffff:a.b.c.d`. Where there is no IPv6, one IPv4 socket. Other addresses stand for their own family.
    OneSocket,
    /// A wildcard stands for the wildcards of both families and a loopback address (`127.0.0.1`, `::1`) for both of
    /// them, each with a socket of its own and one port for both. Where there is no IPv6, only IPv4 is served. Other
    /// addresses stand for their own family.
    TwoSockets,
}

/// A socket to make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Planned {
    pub(super) address: SocketAddr,
    /// Without meaning for IPv4.
    pub(super) v6only: bool,
    pub(super) origin: Origin,
}

/// Why a socket is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// Somebody asked for this address.
    Asked,
    /// It goes with one that was asked for, and must have the same port. Where the host has no such address, nobody can
    /// bind it, and nothing is missing.
    Added,
    /// In place of the one before, should the host have no IPv6.
    Instead,
}

impl Families {
    /// The sockets that this address stands for, the one that was asked for first.
    pub(super) fn sockets(self, asked: SocketAddr) -> Vec<Planned> {
        let own = Planned { address: asked, v6only: asked.is_ipv6(), origin: Origin::Asked };
        let with_port = |ip| SocketAddr::new(ip, asked.port());
        match self {
            Self::OneSocket if asked.ip().is_unspecified() => {
                let both = with_port(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
                let v4 = with_port(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                vec![
                    Planned { address: both, v6only: false, origin: Origin::Asked },
                    Planned { address: v4, v6only: false, origin: Origin::Instead },
                ]
            }
            Self::Own | Self::OneSocket => vec![own],
            Self::TwoSockets => {
                let other = twin(asked.ip()).map(with_port);
                let added = |address: SocketAddr| Planned {
                    address,
                    v6only: address.is_ipv6(),
                    origin: Origin::Added,
                };
                std::iter::once(own).chain(other.map(added)).collect()
            }
        }
    }
}

/// The address of the other family that clients take for the same.
fn twin(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Some(Ipv6Addr::UNSPECIFIED.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some(Ipv4Addr::UNSPECIFIED.into()),
        IpAddr::V4(Ipv4Addr::LOCALHOST) => Some(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(families: Families, address: &str) -> Vec<(String, bool, Origin)> {
        let planned = families.sockets(address.parse().expect("an address"));
        planned.iter().map(|it| (it.address.to_string(), it.v6only, it.origin)).collect()
    }

    fn one(address: &str, v6only: bool, origin: Origin) -> (String, bool, Origin) {
        (address.to_owned(), v6only, origin)
    }

    #[test]
    fn an_address_alone_means_its_own_family() {
        for (address, v6only) in [("0.0.0.0:80", false), ("[::]:80", true), ("[::1]:80", true)] {
            assert_eq!(plan(Families::Own, address), [one(address, v6only, Origin::Asked)]);
        }
    }

    #[test]
    fn one_socket_serves_both_where_the_address_is_a_wildcard() {
        let both =
            [one("[::]:80", false, Origin::Asked), one("0.0.0.0:80", false, Origin::Instead)];
        assert_eq!(plan(Families::OneSocket, "0.0.0.0:80"), both);
        assert_eq!(plan(Families::OneSocket, "[::]:80"), both);
        let own = [one("[::1]:80", true, Origin::Asked)];
        assert_eq!(plan(Families::OneSocket, "[::1]:80"), own);
    }

    #[test]
    fn two_sockets_pair_wildcards_and_loopbacks_and_nothing_else() {
        for (asked, added) in [
            ("0.0.0.0:80", one("[::]:80", true, Origin::Added)),
            ("[::]:80", one("0.0.0.0:80", false, Origin::Added)),
            ("127.0.0.1:80", one("[::1]:80", true, Origin::Added)),
        ] {
            let v6only = asked.starts_with('[');
            assert_eq!(
                plan(Families::TwoSockets, asked),
                [one(asked, v6only, Origin::Asked), added]
            );
        }
        assert_eq!(plan(Families::TwoSockets, "192.0.2.1:80").len(), 1);
    }
}
