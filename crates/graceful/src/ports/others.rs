//! What others left or hold on the ports of a pool, as the kernel's list of sockets shows it: the only ledger that survives
//! every process, and is never stale.

use super::pool::{Ports, State};
use lastack_model::facts::{Kind, PortRange, Socket, Transport};
use lastack_model::ids::{Inode, Port};
use lastack_model::ports::Hold;
use lastack_model::state::State as TcpState;
use lastack_model::tcp::moment::Moment;
use lastack_os::Result;
use lastack_os::sock_diag::{self, Detail, Filter, States};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Looks at the kernel's list, not too often.
#[derive(Debug)]
pub(super) struct View {
    range: PortRange,
    /// When it may look again.
    next: Instant,
}

/// A socket on one of the ports.
#[derive(Clone, Copy, Debug)]
struct Found {
    address: IpAddr,
    port: Port,
    what: What,
    inode: Option<Inode>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// It listens or is bound.
    Bound,
    /// A connection that the kernel ends alone, after so many milliseconds at least.
    Remains(SocketAddr, u32),
    /// Any other connection.
    Connection(SocketAddr),
}

impl View {
    /// Of all ports from the lowest to the highest.
    pub(super) fn of(ports: &[Port]) -> Self {
        let end = |port: Option<&Port>| port.copied().unwrap_or_default();
        let range = PortRange { low: end(ports.iter().min()), high: end(ports.iter().max()) };
        Self { range, next: Instant::now() }
    }

    /// Looks if there is a reason to; when it is to be asked again, if it could not yet. Where it fails the pool learns from
    /// each refusal alone.
    pub(super) fn look_if_due(&mut self, ports: &Ports) -> Result<Option<Duration>> {
        if !ports.state().should_look(ports.now()) {
            return Ok(None);
        }
        let now = Instant::now();
        if now < self.next {
            return Ok(Some(self.next - now));
        }
        self.look(ports).map(|()| None)
    }

    pub(super) fn look(&mut self, ports: &Ports) -> Result<()> {
        let began = Instant::now();
        let filter = Filter {
            ports: Some(self.range),
            states: States::ALL,
            ..Filter::all(Transport::Tcp).with(Detail::Plain)
        };
        let add = |found: &mut Vec<Found>, socket: Socket| found.extend(Found::of(&socket));
        let dump = sock_diag::fold(&filter, add);
        // On a host with very many sockets a look is dear.
        self.next = began + PAUSE.max(began.elapsed() * DEAR);
        let found = dump?.folded;
        ports.state().learn(&found, ports.moment(began));
        ports.announce();
        Ok(())
    }
}

impl Found {
    fn of(socket: &Socket) -> Option<Self> {
        let what = match (socket.state, socket.kind, socket.remote) {
            (TcpState::Listen | TcpState::Closed, ..) => What::Bound,
            (_, Kind::Minisock, Some(remote)) => What::Remains(remote, socket.timer.remaining_ms),
            (_, Kind::Full, Some(remote)) => What::Connection(remote),
            // A request is not in the way of anybody, and belongs to a listener that is.
            (_, Kind::Request, _) | (_, _, None) => return None,
        };
        let local = socket.local;
        Some(Self {
            address: local.ip().to_canonical(),
            port: Port(local.port()),
            what,
            inode: socket.inode,
        })
    }
}

impl State {
    /// Whether the kernel refused something since the last look, or somebody waits for what others hold.
    fn should_look(&self, now: Moment) -> bool {
        self.look_wanted || self.is_waited_for(now) && self.pool.heeds_others()
    }

    fn learn(&mut self, found: &[Found], began: Moment) {
        self.look_wanted = false;
        self.pool.forget_others();
        self.held_by.clear();
        let mut ends: BTreeMap<(Port, IpAddr), Moment> = BTreeMap::new();
        for it in found {
            match it.what {
                What::Bound if self.pool.is_idle(it.port) => {
                    self.hold(it, began + BOUND, Hold::Socket);
                }
                What::Bound => {}
                What::Remains(remote, millis) => {
                    let end = began + Moment::of_millis(u64::from(millis));
                    self.pool.keep(remote, it.address, it.port, end);
                    let first = ends.entry((it.port, it.address)).or_insert(end);
                    *first = end.min(*first);
                }
                What::Connection(remote) => {
                    self.pool.keep(remote, it.address, it.port, began + CONNECTED);
                    if self.stuck.contains(&it.port) && self.pool.is_idle(it.port) {
                        self.hold(it, began + BOUND, Hold::Socket);
                    }
                }
            }
        }
        // Which of a port's remains keep it from being bound the kernel does not show; it is tried when the first ends.
        for ((port, address), end) in &ends {
            if self.stuck.contains(port) {
                self.pool.hold(*address, *port, *end, Hold::Remains);
            }
        }
        self.pool.explain_refusals(began);
        self.stuck.retain(|port| found.iter().any(|it| it.port == *port));
    }

    fn hold(&mut self, found: &Found, until: Moment, by: Hold) {
        self.pool.hold(found.address, found.port, until, by);
        self.held_by.extend(found.inode.map(|inode| (found.port, inode)));
    }
}

const PAUSE: Duration = Duration::from_secs(1);
/// At most a twentieth of the time goes into looking.
const DEAR: u32 = 20;
/// A port on which somebody has a socket is tried again after this.
const BOUND: Moment = Moment::of_secs(5);
/// A four-tuple that somebody has is tried again after this.
const CONNECTED: Moment = Moment::of_secs(2);
