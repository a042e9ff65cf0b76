//! Interfaces, addresses and the table of local routes, over `NETLINK_ROUTE`.

use crate::netlink::{Attributes, Channel, Consistency, Netlink, push_attribute, u32_at};
use crate::{Error, Result};
use lastack_model::facts::{Interface, Interface6Address, LocalRoute, LocalRouteKind, Scope};
use lastack_model::ids::InterfaceIndex;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The IPv4 routes of the table `local`, by which the kernel tells which addresses are its own.
pub fn local_routes() -> Result<Vec<LocalRoute>> {
    let mut request = [0_u8; 12];
    request[0] = AF_INET;
    request[4] = libc::RT_TABLE_LOCAL;
    match dump(libc::RTM_GETROUTE, &request, parse_route) {
        // The table is made with its first route, when an interface comes up (`fib_new_table`).
        Err(error) if error.cause().raw_os_error() == Some(libc::ENOENT) => Ok(Vec::new()),
        routes => routes,
    }
}

/// The IPv6 addresses of all interfaces.
pub fn ipv6_addresses() -> Result<Vec<Interface6Address>> {
    dump(libc::RTM_GETADDR, &address_request(AF_INET6), parse_v6_address)
}

/// The interfaces with their IPv4 addresses.
pub fn interfaces() -> Result<Vec<Interface>> {
    let mut request = vec![0; 16];
    push_attribute(&mut request, libc::IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    let mut interfaces = dump(libc::RTM_GETLINK, &request, parse_link)?;
    for (index, address) in dump(libc::RTM_GETADDR, &address_request(AF_INET), parse_v4_address)? {
        if let Some(interface) = interfaces.iter_mut().find(|i| i.index == index) {
            interface.v4.push(address);
        }
    }
    Ok(interfaces)
}

/// The source address that the routes choose toward a destination. Nothing is sent.
pub fn source_toward(destination: SocketAddr) -> Result<IpAddr> {
    let any: SocketAddr = match destination {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let chosen = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(destination)?;
        socket.local_addr()
    });
    chosen.map(|address| address.ip()).map_err(|cause| {
        Error::new("find", format!("a route to {destination}"), cause)
            .with_remedy("see `ip route get`")
    })
}

/// Dumps until one pass was consistent, a bounded number of times; these tables change rarely.
fn dump<T>(kind: u16, request: &[u8], parse: fn(&[u8]) -> Option<T>) -> Result<Vec<T>> {
    let mut netlink = Netlink::open(Channel::Route)?;
    for _ in 0..ATTEMPTS {
        let mut found = Vec::new();
        let consistency = netlink.dump(kind, request, |payload| {
            found.extend(parse(payload));
            Ok(())
        })?;
        if consistency == Consistency::Whole {
            return Ok(found);
        }
    }
    let cause = io::Error::new(io::ErrorKind::ResourceBusy, "they changed during every reading");
    Err(Error::new("read", "this host's addresses and routes", cause).with_remedy("ask again"))
}

const fn address_request(family: u8) -> [u8; 8] {
    [family, 0, 0, 0, 0, 0, 0, 0]
}

/// `struct rtmsg`.
fn parse_route(payload: &[u8]) -> Option<LocalRoute> {
    if *payload.first()? != AF_INET || *payload.get(4)? != libc::RT_TABLE_LOCAL {
        return None;
    }
    let kind = match *payload.get(7)? {
        libc::RTN_LOCAL => LocalRouteKind::Local,
        libc::RTN_BROADCAST => LocalRouteKind::Broadcast,
        _ => LocalRouteKind::Other,
    };
    let network =
        attribute(payload.get(12..)?, libc::RTA_DST).and_then(v4).unwrap_or(Ipv4Addr::UNSPECIFIED);
    Some(LocalRoute { network, prefix: *payload.get(1)?, kind })
}

/// `struct ifaddrmsg`. An optimistic address can be bound although its detection still runs.
fn parse_v6_address(payload: &[u8]) -> Option<Interface6Address> {
    // A kernel without IPv6 answers with the addresses of every family it has (`rtnl_dump_all`).
    if *payload.first()? != AF_INET6 {
        return None;
    }
    let attributes = payload.get(8..)?;
    let address: [u8; 16] = attribute(attributes, libc::IFA_ADDRESS)?.try_into().ok()?;
    let flags = attribute(attributes, libc::IFA_FLAGS)
        .and_then(|value| u32_at(value, 0))
        .unwrap_or_else(|| u32::from(payload[2]));
    let tentative = flags & libc::IFA_F_TENTATIVE != 0 && flags & libc::IFA_F_OPTIMISTIC == 0;
    Some(Interface6Address {
        address: Ipv6Addr::from(address),
        interface: InterfaceIndex(u32_at(payload, 4)?),
        scope: match *payload.get(3)? {
            libc::RT_SCOPE_LINK => Scope::Link,
            libc::RT_SCOPE_HOST => Scope::Host,
            _ => Scope::Global,
        },
        tentative,
    })
}

fn parse_v4_address(payload: &[u8]) -> Option<(InterfaceIndex, Ipv4Addr)> {
    if *payload.first()? != AF_INET {
        return None;
    }
    let attributes = payload.get(8..)?;
    let local =
        attribute(attributes, libc::IFA_LOCAL).or_else(|| attribute(attributes, libc::IFA_ADDRESS));
    Some((InterfaceIndex(u32_at(payload, 4)?), local.and_then(v4)?))
}

/// `struct ifinfomsg`.
fn parse_link(payload: &[u8]) -> Option<Interface> {
    let name = attribute(payload.get(16..)?, libc::IFLA_IFNAME)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(Interface {
        index: InterfaceIndex(u32_at(payload, 4)?),
        name: String::from_utf8_lossy(name).into_owned(),
        v4: Vec::new(),
    })
}

fn attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes::of(attributes)
        .filter_map(Result::ok)
        .find_map(|(kind, value)| (kind == wanted).then_some(value))
}

fn v4(value: &[u8]) -> Option<Ipv4Addr> {
    value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets))
}

/// The counters of every interface are most of the reply and of no use here.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const AF_INET: u8 = libc::AF_INET as u8;
const AF_INET6: u8 = libc::AF_INET6 as u8;
const ATTEMPTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::namespace::{enter_fresh_network, enter_untouched_network, ip};
    use proptest::prelude::*;

    #[test]
    fn loopback_brings_its_network_and_no_other() {
        enter_fresh_network();
        let routes = local_routes().expect("routes");
        let local = |network, prefix, kind| LocalRoute { network, prefix, kind };
        assert!(routes.contains(&local([127, 0, 0, 0].into(), 8, LocalRouteKind::Local)));
        let last = [127, 255, 255, 255].into();
        assert!(routes.contains(&local(last, 32, LocalRouteKind::Broadcast)));
        let lo = &interfaces().expect("interfaces")[0];
        assert_eq!((lo.name.as_str(), &lo.v4[..]), ("lo", &[Ipv4Addr::LOCALHOST][..]));
        let [address] = ipv6_addresses().expect("addresses")[..] else { panic!("one address") };
        assert_eq!((address.address, address.scope), (Ipv6Addr::LOCALHOST, Scope::Host));
        assert_eq!((address.interface, address.tentative), (lo.index, false));
    }

    #[test]
    fn a_namespace_whose_loopback_never_came_up_has_no_routes_and_that_is_no_error() {
        enter_untouched_network();
        assert_eq!(local_routes().expect("routes"), []);
        assert_eq!(ipv6_addresses().expect("addresses"), []);
    }

    #[test]
    fn an_address_whose_detection_runs_is_tentative_and_one_without_is_not() {
        enter_fresh_network();
        ip("link add left type veth peer name right");
        ip("link set left up");
        ip("address add 2001:db8::1/64 dev left");
        ip("address add 2001:db8::2/64 dev left nodad");
        ip("address add 192.0.2.1/24 dev left");
        let addresses = ipv6_addresses().expect("addresses");
        let tentative = |last: u16| {
            let wanted = Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
            addresses.iter().find(|a| a.address == wanted).map(|a| a.tentative)
        };
        assert_eq!((tentative(1), tentative(2)), (Some(true), Some(false)));
        let interfaces = interfaces().expect("interfaces");
        let left = interfaces.iter().find(|i| i.name == "left").expect("the veth");
        assert_eq!(left.v4, [Ipv4Addr::new(192, 0, 2, 1)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let parsed = [
                parse_route(&bytes).is_some(),
                parse_v6_address(&bytes).is_some(),
                parse_v4_address(&bytes).is_some(),
                parse_link(&bytes).is_some(),
            ];
            prop_assert!(bytes.len() >= 8 || parsed == [false; 4]);
        }
    }
}
