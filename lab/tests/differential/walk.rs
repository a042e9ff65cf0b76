//! The random walk: each step does one thing that programs and their peers do to sockets.
//!
//! A step that the kernel refuses is part of the walk; the answer goes into the story.

use crate::bench::Bench;
use crate::stage::{Stage, USERS, family, owner};
use lastack_lab::sockets::{self, Answer};
use lastack_model::errno::Errno;
use lastack_model::facts::{Family, Transport};
use rustix::fd::OwnedFd;
use rustix::net::{self, Shutdown, sockopt};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a step does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    OpenAndConnect,
    Listen,
    BeConnected,
    Accept,
    Connect,
    Close,
    HalfClose,
    StopListening,
    PeerCloses,
    PeerHalfCloses,
    PeerResets,
    EndConnection,
    Reset,
    Disconnect,
    CloseStuck,
    SetReuse,
    SetDevice,
    ChangeOwner,
}

/// Every step as often as it is wanted.
const STEPS: [Step; 48] = [
    Step::Open,
    Step::Open,
    Step::Open,
    Step::Open,
    Step::Open,
    Step::OpenAndConnect,
    Step::OpenAndConnect,
    Step::Listen,
    Step::Listen,
    Step::Listen,
    Step::Listen,
    Step::BeConnected,
    Step::BeConnected,
    Step::BeConnected,
    Step::BeConnected,
    Step::BeConnected,
    Step::Accept,
    Step::Accept,
    Step::Accept,
    Step::Connect,
    Step::Connect,
    Step::Connect,
    Step::Close,
    Step::Close,
    Step::Close,
    Step::Close,
    Step::HalfClose,
    Step::StopListening,
    Step::PeerCloses,
    Step::PeerCloses,
    Step::PeerCloses,
    Step::PeerHalfCloses,
    Step::PeerHalfCloses,
    Step::PeerResets,
    Step::EndConnection,
    Step::EndConnection,
    Step::EndConnection,
    Step::EndConnection,
    Step::EndConnection,
    Step::Reset,
    Step::Disconnect,
    Step::CloseStuck,
    Step::CloseStuck,
    Step::CloseStuck,
    Step::SetReuse,
    Step::SetReuse,
    Step::SetDevice,
    Step::ChangeOwner,
];

/// UDP has no connections and no queues.
const UDP_STEPS: [Step; 10] = [
    Step::Open,
    Step::Open,
    Step::Open,
    Step::Connect,
    Step::Connect,
    Step::Disconnect,
    Step::Close,
    Step::SetReuse,
    Step::SetDevice,
    Step::ChangeOwner,
];

/// The most sockets that a walk makes itself; accepted ones come on top.
const MOST_OPENED: usize = 4;

/// Walks one to twelve steps from an empty port.
pub(crate) fn walk(stage: &mut Stage) {
    let steps = 1 + stage.random.below(12);
    let mut opened = 1;
    step(stage, Step::Open);
    for _ in 0..steps {
        let next = match stage.transport {
            Transport::Tcp => stage.random.pick(&STEPS),
            Transport::Udp => stage.random.pick(&UDP_STEPS),
        };
        if matches!(next, Step::Open | Step::OpenAndConnect) {
            if opened == MOST_OPENED {
                continue;
            }
            opened += 1;
        }
        step(stage, next);
    }
}

fn step(stage: &mut Stage, step: Step) {
    let told = match step {
        Step::Open => Some(open(stage)),
        Step::OpenAndConnect => open_and_connect(stage),
        Step::Listen => on_ours(stage, listen),
        Step::BeConnected => be_connected(stage),
        Step::Accept => accept(stage),
        Step::Connect => on_ours(stage, connect),
        Step::Close => take_ours(stage).map(|socket| told(&socket, Ok(()))),
        Step::HalfClose => on_ours(stage, |_, socket| shutdown(socket, Shutdown::Write)),
        Step::StopListening => on_ours(stage, |_, socket| shutdown(socket, Shutdown::Read)),
        Step::PeerCloses => take_peer(stage).map(|peer| told(&peer, Ok(()))),
        Step::PeerHalfCloses => peer_half_closes(stage),
        Step::EndConnection => end_connection(stage),
        Step::PeerResets => take_peer(stage).map(|peer| reset(stage, peer)),
        Step::Reset => take_ours(stage).map(|socket| reset(stage, socket)),
        Step::Disconnect => {
            on_ours(stage, |_, socket| sockets::answer(net::connect_unspec(socket)))
        }
        Step::CloseStuck => close_stuck(stage),
        Step::SetReuse => on_ours(stage, set_reuse),
        Step::SetDevice => on_ours(stage, set_device),
        Step::ChangeOwner => on_ours(stage, change_owner),
    };
    if let Some(told) = told {
        stage.story.push(format!("{step:?} {told}"));
        stage.remember();
    }
}

/// Binds a new socket: mostly by naming the port, sometimes by letting the kernel choose.
fn open(stage: &mut Stage) -> String {
    let addresses = stage.bench.common.clone();
    let request = stage.request(&addresses);
    let socket = sockets::prepare(&request);
    let named = sockets::address(&request);
    let answer = if stage.random.one_in(8) && stage.port >= 1024 {
        let chosen = SocketAddr::new(named.ip(), 0);
        stage.bench.with_only_port(stage.port, || sockets::bind(&socket, chosen))
    } else {
        sockets::bind(&socket, named)
    };
    if answer.is_ok() {
        stage.remember_bound(&socket);
        stage.ours.push(socket);
    }
    format!("{} uid {} {:?} -> {answer:?}", request.address, request.uid, request.options)
}

/// Connects a new socket, to which the kernel gives the port.
fn open_and_connect(stage: &mut Stage) -> Option<String> {
    if stage.port < 1024 {
        return None;
    }
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let mut request = stage.request(&loopback);
    request.options.device = None;
    let socket = sockets::prepare(&request);
    let to = SocketAddr::new(request.address, Bench::SERVER);
    let answer = stage.bench.with_only_port(stage.port, || sockets::connect(&socket, to));
    let told = format!("to {to} uid {} {:?} -> {answer:?}", request.uid, request.options);
    if answer.is_ok() {
        take_from_server(stage);
        stage.ours.push(socket);
    }
    Some(told)
}

fn listen(stage: &mut Stage, socket: &OwnedFd) -> Answer {
    if sockets::local(socket).port() != stage.port {
        return Ok(());
    }
    sockets::shrink_buffers(socket);
    let answer = sockets::listen(socket, 16);
    if answer.is_ok() {
        stage.remember_bound(socket);
    }
    answer
}

/// A client connects to a listener; if there is none, some socket is made to listen.
fn be_connected(stage: &mut Stage) -> Option<String> {
    if listeners(stage).is_empty() {
        let told = on_ours(stage, listen)?;
        stage.story.push(format!("Listen {told}"));
    }
    let listeners = listeners(stage);
    let at = (!listeners.is_empty()).then(|| stage.random.pick(&listeners))?;
    let to = SocketAddr::new(reachable(stage, at), stage.port);
    let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
    let peer = sockets::open(stage.transport, family);
    sockets::shrink_buffers(&peer);
    let answer = sockets::connect(&peer, to);
    if answer.is_ok() {
        stage.remember_queued(to.ip(), sockets::local(&peer));
        stage.peers.push(peer);
    }
    Some(format!("at {to} -> {answer:?}"))
}

/// The addresses that are listened on.
fn listeners(stage: &Stage) -> Vec<IpAddr> {
    let listening =
        |socket: &&OwnedFd| sockopt::socket_acceptconn(socket).is_ok_and(|listens| listens);
    stage.ours.iter().filter(listening).map(|socket| sockets::local(socket).ip()).collect()
}

fn accept(stage: &mut Stage) -> Option<String> {
    let uid = stage.random.pick(&USERS);
    let at = (!stage.ours.is_empty()).then(|| stage.random.below(stage.ours.len()))?;
    let start = stage.ours.iter().cycle().skip(at).take(stage.ours.len());
    let child = start.into_iter().find_map(|socket| sockets::accept(socket, uid))?;
    let story = told(&child, Ok(()));
    stage.ours.push(child);
    Some(format!("uid {uid} {story}"))
}

/// Connects a bound socket to one who answers, one who does not, or nobody.
fn connect(stage: &mut Stage, socket: &OwnedFd) -> Answer {
    let port = stage.random.pick(&[Bench::SERVER, Bench::SERVER, Bench::DEAF, Bench::NOBODY]);
    let local = sockets::local(socket).ip();
    let answer = sockets::connect(socket, SocketAddr::new(reachable(stage, local), port));
    take_from_server(stage);
    answer
}

fn reset(stage: &mut Stage, socket: OwnedFd) -> String {
    stage.remember();
    let told = told(&socket, Ok(()));
    sockets::reset(socket);
    told
}

/// We close a connection, then its peer does: `TIME_WAIT`.
fn end_connection(stage: &mut Stage) -> Option<String> {
    let (socket, peer) = take_pair(stage)?;
    let told = told(&socket, Ok(()));
    sockets::drain(&socket);
    drop(socket);
    sockets::drain(&peer);
    Some(told)
}

fn peer_half_closes(stage: &mut Stage) -> Option<String> {
    let peer = take_peer(stage)?;
    let told = told(&peer, shutdown(&peer, Shutdown::Write));
    stage.peers.push(peer);
    Some(told)
}

/// Fills a connection and closes it: the FIN waits behind data that the peer does not take. The peer's own FIN comes
/// before (`LAST_ACK`), after (`CLOSING`) or not at all (`FIN_WAIT_1`).
fn close_stuck(stage: &mut Stage) -> Option<String> {
    let (socket, peer) = take_pair(stage)?;
    let (before, after) = (stage.random.one_in(3), stage.random.one_in(3));
    let story = format!("{} peer first {before} later {after}", told(&socket, Ok(())));
    if before {
        shutdown(&peer, Shutdown::Write).ok();
    }
    sockets::fill(&socket);
    drop(socket);
    if after && !before {
        shutdown(&peer, Shutdown::Write).ok();
    }
    stage.peers.push(peer);
    Some(story)
}

/// Both ends of some connection.
fn take_pair(stage: &mut Stage) -> Option<(OwnedFd, OwnedFd)> {
    let canonical = |to: SocketAddr| SocketAddr::new(to.ip().to_canonical(), to.port());
    let peers: Vec<SocketAddr> =
        stage.peers.iter().map(|peer| canonical(sockets::local(peer))).collect();
    let peer_of = |socket: &OwnedFd| {
        let remote = canonical(sockets::remote(socket)?);
        peers.iter().position(|peer| *peer == remote)
    };
    let pairs: Vec<(usize, usize)> = stage
        .ours
        .iter()
        .enumerate()
        .filter_map(|(at, socket)| Some((at, peer_of(socket)?)))
        .collect();
    let (ours, peer) = (!pairs.is_empty()).then(|| stage.random.pick(&pairs))?;
    Some((stage.ours.swap_remove(ours), stage.peers.swap_remove(peer)))
}

fn set_reuse(stage: &mut Stage, socket: &OwnedFd) -> Answer {
    let (address, port) = (stage.random.one_in(2), stage.random.one_in(2));
    sockets::answer(sockopt::set_socket_reuseaddr(socket, address))?;
    sockets::answer(sockopt::set_socket_reuseport(socket, port))
}

fn set_device(stage: &mut Stage, socket: &OwnedFd) -> Answer {
    let device = stage.random.pick(&stage.bench.devices.clone());
    let device = device.unwrap_or(lastack_model::ids::InterfaceIndex(0));
    lastack_os::options::bind_to_interface(socket, device)
        .map_err(|error| Errno::from_raw(error.cause().raw_os_error().unwrap_or(libc::EIO)))
}

fn change_owner(stage: &mut Stage, socket: &OwnedFd) -> Answer {
    let uid = stage.random.pick(&USERS);
    let uid = rustix::process::Uid::from_raw(uid.0);
    sockets::answer(rustix::fs::fchown(socket, Some(uid), None))
}

fn shutdown(socket: &OwnedFd, how: Shutdown) -> Answer {
    sockets::answer(net::shutdown(socket, how))
}

/// An address at which something bound to `local` can be reached, or from which it can reach others.
fn reachable(stage: &mut Stage, local: IpAddr) -> IpAddr {
    let second = stage.bench.second;
    let v4 = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2), second.v4].map(IpAddr::V4);
    let v6 = [Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, second.v6].map(IpAddr::V6);
    match (local, local.to_canonical()) {
        (IpAddr::V6(ip), _) if ip.is_unspecified() => {
            let both = [v4, v6].concat();
            stage.random.pick(&both)
        }
        (_, IpAddr::V4(ip)) if ip.is_unspecified() => stage.random.pick(&v4),
        (_, ip) => ip,
    }
}

fn take_from_server(stage: &mut Stage) {
    while let Some(peer) = sockets::accept(&stage.bench.server, USERS[0]) {
        stage.peers.push(peer);
    }
}

fn on_ours(stage: &mut Stage, act: impl FnOnce(&mut Stage, &OwnedFd) -> Answer) -> Option<String> {
    let socket = take_ours(stage)?;
    let before = told(&socket, Ok(()));
    let answer = act(stage, &socket);
    stage.ours.push(socket);
    Some(if answer.is_ok() { before } else { format!("{before} -> {answer:?}") })
}

fn take_ours(stage: &mut Stage) -> Option<OwnedFd> {
    let at = (!stage.ours.is_empty()).then(|| stage.random.below(stage.ours.len()))?;
    Some(stage.ours.swap_remove(at))
}

fn take_peer(stage: &mut Stage) -> Option<OwnedFd> {
    let at = (!stage.peers.is_empty()).then(|| stage.random.below(stage.peers.len()))?;
    Some(stage.peers.swap_remove(at))
}

fn told(socket: &OwnedFd, answer: Answer) -> String {
    let options = sockets::options(socket);
    let flags = (options.reuse_address, options.reuse_port, options.v6only);
    let remote = sockets::remote(socket).map_or_else(String::new, |to| format!(" to {to}"));
    let local = sockets::local(socket);
    let story = format!("{local}{remote} uid {} {flags:?} {:?}", owner(socket), family(socket));
    if answer.is_ok() { story } else { format!("{story} -> {answer:?}") }
}
