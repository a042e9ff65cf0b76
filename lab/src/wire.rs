//! A wire that loses, doubles and delays segments as a test says: two hosts, and between them a router whose program
//! decides about every segment.
//!
//! Each host has a veth pair to the router, which sends all it gets from either into a TUN device; what is written
//! back into that one goes on to its destination. So segments are whole and their checksums computed when they are
//! looked at, and nothing is left to chance: there is no queue that drops and no random delay. A delay that a rule names is kept by the clock.

use crate::link::{OtherHost, ip};
use crate::namespace::Namespace;
use crate::segment::Segment;
use crate::states::wait_until;
use lastack_os::tun::Tun;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The wire and the host at its other end; the host at this end is the calling thread's.
#[derive(Debug)]
pub struct Wire {
    /// The other host.
    pub far: OtherHost,
    shared: Arc<Shared>,
    stop: Arc<OwnedFd>,
    relay: Option<JoinHandle<()>>,
    _router: OtherHost,
}

/// What happens to a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It arrives at once.
    Pass,
    /// It never arrives.
    Lose,
    /// It is held back until it is released.
    Hold,
    /// It arrives at once, and a copy of it is held back.
    Double,
    /// It arrives so much later.
    Delay(Duration),
}

type Rule = Box<dyn FnMut(&Segment) -> Fate + Send>;

struct Shared {
    tun: Tun,
    state: Mutex<State>,
}

struct State {
    rule: Rule,
    seen: Vec<Segment>,
    held: Vec<(Segment, Vec<u8>)>,
    /// On their way, the next to arrive first; the number keeps those of one moment in order.
    late: BTreeMap<(Instant, usize), Vec<u8>>,
}

impl Wire {
    /// Joins the calling thread's namespace, whose address becomes [`NEAR`], to a new host, [`FAR`]. Every segment
    /// passes until a rule says otherwise.
    ///
    /// # Panics
    ///
    /// When the kernel cannot make it.
    pub fn laid_from(_near: &Namespace) -> Self {
        let router = OtherHost::alone();
        let far = OtherHost::alone();
        let tun = router.run(|namespace| {
            for scope in ["all", "default"] {
                namespace.set(&format!("ipv4/conf/{scope}/rp_filter"), "0");
            }
            namespace.set("ipv4/ip_forward", "1");
            let tun = Tun::new("rule").unwrap_or_else(|error| panic!("failed to {error}"));
            ip(&format!("link set rule mtu {MTU} up"));
            tun
        });
        let gateway = router.namespace_file();
        attach(NEAR, &gateway, "near");
        far.run(move |_| attach(FAR, &gateway, "far"));
        router.run(|_| {
            route("near", NEAR);
            route("far", FAR);
            ip("route add default dev rule table 9");
        });
        wait_until("the near address is usable", || TcpListener::bind((NEAR, 0)).is_ok());
        far.run(|_| {
            wait_until("the far address is usable", || TcpListener::bind((FAR, 0)).is_ok());
        });
        Self::start(far, router, tun)
    }

    fn start(far: OtherHost, router: OtherHost, tun: Tun) -> Self {
        let rule: Rule = Box::new(|_| Fate::Pass);
        let (seen, held, late) = (Vec::new(), Vec::new(), BTreeMap::new());
        let state = Mutex::new(State { rule, seen, held, late });
        let shared = Arc::new(Shared { tun, state });
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd"));
        let relay = {
            let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
            std::thread::spawn(move || shared.relay(&stop))
        };
        Self { far, shared, stop, relay: Some(relay), _router: router }
    }

    /// From now on this decides about every segment.
    pub fn follow(&self, rule: impl FnMut(&Segment) -> Fate + Send + 'static) {
        self.shared.state().rule = Box::new(rule);
    }

    /// Every segment so far that came to the router, in order.
    pub fn seen(&self) -> Vec<Segment> {
        self.shared.state().seen.clone()
    }

    /// The segments that are held back.
    pub fn held(&self) -> Vec<Segment> {
        self.shared.state().held.iter().map(|(segment, _)| *segment).collect()
    }

    /// Lets those go that are meant, in order, and says how many they were.
    pub fn release(&self, is_meant: impl Fn(&Segment) -> bool) -> usize {
        let mut state = self.shared.state();
        let (released, kept) =
            state.held.drain(..).partition(|(segment, _): &(Segment, _)| is_meant(segment));
        state.held = kept;
        drop(state);
        let released: Vec<(Segment, Vec<u8>)> = released;
        for (_, packet) in &released {
            self.shared.pass(packet);
        }
        released.len()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        if let Some(relay) = self.relay.take() {
            let _ = relay.join();
        }
    }
}

impl Shared {
    /// A test that failed under the lock must not hide its failure behind another.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn relay(&self, stop: &OwnedFd) {
        let mut packet = vec![0; 1 << 16];
        loop {
            let mut awaited =
                [PollFd::new(&self.tun, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
            let left = self.until_next().map(|left| left.try_into().expect("a short time"));
            poll(&mut awaited, left.as_ref()).expect("poll of the wire");
            if !awaited[1].revents().is_empty() {
                return;
            }
            while let Some(length) = self.receive(&mut packet) {
                self.decide(&packet[..length]);
            }
            for packet in self.state().arrived(Instant::now()) {
                self.pass(&packet);
            }
        }
    }

    /// How long until a segment arrives that is on its way.
    fn until_next(&self) -> Option<Duration> {
        let (next, _) = *self.state().late.first_key_value()?.0;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn receive(&self, packet: &mut [u8]) -> Option<usize> {
        self.tun.receive(packet).unwrap_or_else(|error| panic!("failed to {error}"))
    }

    /// What is no TCP is lost: the tests need none of it.
    fn decide(&self, packet: &[u8]) {
        let Some(segment) = Segment::of(packet) else { return };
        let mut state = self.state();
        state.seen.push(segment);
        let fate = (state.rule)(&segment);
        if matches!(fate, Fate::Hold | Fate::Double) {
            state.held.push((segment, packet.to_vec()));
        }
        if let Fate::Delay(time) = fate {
            let number = state.seen.len();
            state.late.insert((Instant::now() + time, number), packet.to_vec());
        }
        drop(state);
        if matches!(fate, Fate::Pass | Fate::Double) {
            self.pass(packet);
        }
    }

    fn pass(&self, packet: &[u8]) {
        self.tun.send(packet).unwrap_or_else(|error| panic!("failed to {error}"));
    }
}

impl State {
    fn arrived(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let later = self.late.split_off(&(now, usize::MAX));
        std::mem::replace(&mut self.late, later).into_values().collect()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tun", &self.tun).finish_non_exhaustive()
    }
}

/// Gives the calling thread's host an address and a veth pair to the gateway.
fn attach(address: Ipv4Addr, gateway: &str, name: &str) {
    ip(&format!("link add wire mtu {MTU} type veth peer name {name} mtu {MTU} netns {gateway}"));
    ip(&format!("address add {address}/24 dev wire"));
    ip("link set wire up");
    ip(&format!("route add default via {}", gateway_of(address)));
}

/// The router's side of it: whatever comes from this host goes into the TUN device.
fn route(name: &str, host: Ipv4Addr) {
    ip(&format!("address add {}/24 dev {name}", gateway_of(host)));
    ip(&format!("link set {name} up"));
    ip(&format!("rule add iif {name} lookup 9"));
}

const fn gateway_of(host: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, _] = host.octets();
    Ipv4Addr::new(a, b, c, 254)
}

/// The address of the calling thread's host.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 78, 1, 1);
/// The other host's.
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 78, 2, 1);
/// Large, so that a fast connection is few segments.
const MTU: u32 = 33_000;
