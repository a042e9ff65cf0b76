//! A furnished namespace for a thousand cases: two devices, a server that accepts everything, one that answers nothing.

use lastack_lab::namespace::{Namespace, SecondDevice};
use lastack_lab::random::Random;
use lastack_lab::sockets::{self, MAPPED_ANY};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Family, Transport};
use lastack_model::ids::{InterfaceIndex, Port, Uid};
use lastack_model::truth::Truth;
use rustix::fd::OwnedFd;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The furnished namespace.
pub(crate) struct Bench {
    pub(crate) namespace: Namespace,
    pub(crate) second: SecondDevice,
    /// What sockets are bound to, most often nothing.
    pub(crate) devices: Vec<Option<InterfaceIndex>>,
    /// Addresses for servers, those that collide most in the majority.
    pub(crate) common: Vec<IpAddr>,
    /// The same and those that a bind may be refused for.
    pub(crate) all: Vec<IpAddr>,
    /// Whether connections here use timestamps.
    pub(crate) timestamps: Truth,
    /// Accepts every connection, on [`Bench::SERVER`].
    pub(crate) server: OwnedFd,
    _deaf: OwnedFd,
    _queued: OwnedFd,
}

impl Bench {
    /// A server that accepts.
    pub(crate) const SERVER: u16 = 65_000;
    /// A server whose queue is full: connections to it stay in `SYN_SENT`.
    pub(crate) const DEAF: u16 = 65_001;
    /// Nobody is there.
    pub(crate) const NOBODY: u16 = 65_002;

    /// Puts the calling thread into a fresh one, with settings by chance.
    pub(crate) fn enter(random: &mut Random) -> Self {
        let namespace = Namespace::enter();
        let second = namespace.add_second_device();
        let timestamps = !random.one_in(4);
        namespace.set("ipv4/tcp_timestamps", if timestamps { "1" } else { "0" });
        namespace.set("ipv4/tcp_tw_reuse", random.pick(&["0", "1", "2", "2"]));
        namespace.set("ipv4/ip_autobind_reuse", random.pick(&["0", "0", "1"]));
        namespace.set("ipv4/ip_nonlocal_bind", random.pick(&["0", "0", "0", "1"]));
        namespace.set("ipv6/ip_nonlocal_bind", random.pick(&["0", "0", "0", "1"]));
        let start = random.pick(&["1024", "1024", "80", "0"]);
        namespace.set("ipv4/ip_unprivileged_port_start", start);
        let server = listener(Self::SERVER, 4096);
        let deaf = listener(Self::DEAF, 0);
        let queued = sockets::open(Transport::Tcp, Family::V4);
        sockets::connect(&queued, (Ipv4Addr::LOCALHOST, Self::DEAF).into()).expect("a connection");
        let common = common_addresses(&second);
        Self {
            devices: devices(&second),
            all: [&common[..], &rare_addresses(&second)].concat(),
            common,
            timestamps: Truth::from(timestamps),
            namespace,
            second,
            server,
            _deaf: deaf,
            _queued: queued,
        }
    }

    /// Runs a closure while the kernel can choose no other port than this one.
    pub(crate) fn with_only_port<T>(&self, port: u16, act: impl FnOnce() -> T) -> T {
        let name = "ipv4/ip_local_port_range";
        self.namespace.set(name, &format!("{port} {port}"));
        let result = act();
        self.namespace.set(name, "32768 60999");
        result
    }
}

fn listener(port: u16, backlog: i32) -> OwnedFd {
    let request = Request {
        transport: Transport::Tcp,
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    };
    let socket = sockets::prepare(&request);
    sockets::shrink_buffers(&socket);
    sockets::bind(&socket, sockets::address(&request)).expect("a free port");
    sockets::listen(&socket, backlog).expect("a listener");
    socket
}

fn devices(second: &SecondDevice) -> Vec<Option<InterfaceIndex>> {
    let mut devices = vec![None; 8];
    devices.extend([Some(Namespace::LOOPBACK), Some(second.index)]);
    devices
}

fn common_addresses(second: &SecondDevice) -> Vec<IpAddr> {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let localhost6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let mut common = vec![any, any, any, localhost, localhost, other, second.v4.into()];
    common.extend([any6, any6, any6, localhost6, localhost6, mapped, mapped]);
    common.extend([IpAddr::V6(MAPPED_ANY), IpAddr::V6(MAPPED_ANY), second.v6.into()]);
    common
}

/// Addresses that other hosts have, that belong to one device, or that mean many.
fn rare_addresses(second: &SecondDevice) -> Vec<IpAddr> {
    let v4 = [[127, 0, 0, 6], [203, 0, 113, 7], [224, 0, 0, 1], [255, 255, 255, 255]];
    let v4 = v4.into_iter().chain([[10, 99, 0, 255], [127, 255, 255, 255]]).map(IpAddr::from);
    let v6 =
        ["2001:db8::7", "ff02::1", "ff0e::1", "fe80::7", "::ffff:203.0.113.7", "::ffff:127.0.0.6"];
    let v6 = v6.into_iter().map(|text| text.parse().expect("an address"));
    v4.chain(v6).chain([second.link_local.into()]).collect()
}
