//! Two hosts that connect, close and connect again by the same four addresses and ports.

use crate::connection::{Connection, accepted, blocking};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::segment::Segment;
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_until};
use lastack_lab::wire::{FAR, Fate, NEAR, Wire};
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::{Socket, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use lastack_os::act::destroy::{Destroyed, Destroyer};
use rustix::fd::OwnedFd;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The near host, the far one with a server that listens, and the wire.
pub(crate) struct Stage {
    pub(crate) wire: Wire,
    pub(crate) namespace: Namespace,
    listener: Option<OwnedFd>,
}

/// Whether a host uses them (`tcp_timestamps`).
#[derive(Clone, Copy)]
pub(crate) enum Timestamps {
    On,
    Off,
}

impl Stage {
    pub(crate) fn set_up(timestamps: Timestamps) -> Self {
        let namespace = Namespace::enter();
        let wire = Wire::laid_from(&namespace);
        let listener = wire.far.run(|_| states::listening(&request(FAR, SERVICE)));
        let stage = Self { wire, namespace, listener: Some(listener) };
        stage.use_timestamps(timestamps);
        stage
    }

    pub(crate) fn use_timestamps(&self, timestamps: Timestamps) {
        let value = match timestamps {
            Timestamps::On => "1",
            Timestamps::Off => "0",
        };
        self.namespace.set("ipv4/tcp_timestamps", value);
        self.wire.far.run(move |namespace| namespace.set("ipv4/tcp_timestamps", value));
    }

    /// Connects from the client's port to the service.
    pub(crate) fn connect(&self) -> Result<Connection, Errno> {
        self.connect_from(CLIENT)
    }

    /// The same from another port.
    pub(crate) fn connect_from(&self, port: u16) -> Result<Connection, Errno> {
        let client = start_connecting(port)?;
        let server = accepted(self.listener.as_ref().expect("the server listens"));
        let seen = self.wire.seen();
        let start = |host: Ipv4Addr| {
            let syn = seen.iter().rfind(|segment| segment.is_syn() && *segment.from.ip() == host);
            syn.expect("a SYN came by").end()
        };
        Ok(Connection {
            near: blocking(client),
            far: blocking(server),
            near_start: start(NEAR),
            far_start: start(FAR),
        })
    }

    /// A connection that has run ahead; some of the near host's segments that carry data, and its FIN, are doubled.
    pub(crate) fn fast_connection(&self, lead: Duration) -> Connection {
        let mut connection = self.connect().expect("a first connection");
        let mut count = 0;
        self.wire.follow(move |segment| {
            let is_data = segment.length > 0 && *segment.from.ip() == NEAR;
            count += u32::from(is_data);
            // One in eight is choice enough, and takes an eighth of the memory.
            let is_kept = is_data && count % 8 == 0;
            let is_fin = segment.is_fin() && *segment.from.ip() == NEAR;
            if is_kept || is_fin { Fate::Double } else { Fate::Pass }
        });
        connection.run_ahead(lead);
        connection
    }

    /// Such a connection closed by the near host first, and no more segments held from here on.
    pub(crate) fn fast_connection_closed(&self) {
        self.close_near_first(self.fast_connection(LEAD));
        self.wire.follow(|_| Fate::Pass);
    }

    /// Ends in `TIME_WAIT` at the near host and in nothing at the far one.
    pub(crate) fn close_near_first(&self, connection: Connection) {
        let Connection { near, far, .. } = connection;
        undisturbed(|| drop(near));
        wait_until("the far host has acknowledged the FIN", || {
            near_end().is_some_and(|socket| socket.state == State::FinWait2)
        });
        undisturbed(|| drop(far));
        wait_until("the near host waits", || {
            near_end().is_some_and(|socket| socket.state == State::TimeWait)
        });
        self.wire.far.run(|_| wait_until("the far end is gone", || far_end().is_none()));
    }

    /// Ends in `TIME_WAIT` at the far host and in nothing at the near one.
    pub(crate) fn close_far_first(&self, connection: Connection) {
        let Connection { near, far, .. } = connection;
        undisturbed(|| drop(far));
        wait_until("the near host has the FIN", || {
            near_end().is_some_and(|socket| socket.state == State::CloseWait)
        });
        undisturbed(|| drop(near));
        wait_until("the near end is gone", || near_end().is_none());
        self.wire.far.run(|_| {
            wait_until("the far host waits", || {
                far_end().is_some_and(|socket| socket.state == State::TimeWait)
            });
        });
    }

    /// Stops the server: its listener is gone.
    pub(crate) fn stop_listening(&mut self) {
        let listener = self.listener.take();
        undisturbed(|| drop(listener));
    }

    /// Starts it again, without `SO_REUSEADDR`.
    pub(crate) fn listen_again(&mut self) {
        let plain = Request { options: Options::default(), ..request(FAR, SERVICE) };
        self.listener = Some(self.wire.far.run(move |_| states::listening(&plain)));
    }

    /// What the far host has of the connection.
    pub(crate) fn far_end(&self) -> Option<Socket> {
        self.wire.far.run(|_| far_end())
    }

    /// Ends early what the far host keeps, which must be in this state.
    pub(crate) fn destroy_at_far_host(&self, state: State) {
        self.wire.far.run(move |_| destroy(&far_end().expect("something remains"), state));
    }

    /// A counter of the far host.
    pub(crate) fn far_counter(&self, name: &'static str) -> u64 {
        self.wire.far.run(move |_| counter(name))
    }

    /// Of the segments held, the first that the new connection will reach: it must be past both of its beginnings.
    pub(crate) fn first_ahead_of(
        &self,
        connection: &Connection,
        is_meant: impl Fn(&Segment) -> bool,
    ) -> Segment {
        let ahead = |segment: &Segment| {
            let up = segment.seq.past(connection.near_start);
            let down = segment.ack.past(connection.far_start);
            up.max(down) < 1 << 31
        };
        let held = self.wire.held();
        *held
            .iter()
            .find(|segment| is_meant(segment) && ahead(segment))
            .unwrap_or_else(|| panic!("none of {} segments is ahead of {connection:?}", held.len()))
    }

    /// Lets this held segment arrive; twice, should its sender have repeated it.
    pub(crate) fn deliver(&self, late: &Segment) {
        assert!(self.wire.release(|segment| segment == late) > 0, "it is not held");
    }
}

/// A socket of the near host that has sent its SYN.
pub(crate) fn start_connecting(port: u16) -> Result<OwnedFd, Errno> {
    let client = states::bound(&request(NEAR, port));
    match sockets::connect(&client, SocketAddr::from((FAR, SERVICE))) {
        Ok(()) => Ok(client),
        Err(refusal) => {
            undisturbed(|| drop(client));
            Err(refusal)
        }
    }
}

/// What the near host, the calling thread's, has of the connection.
pub(crate) fn near_end() -> Option<Socket> {
    let remote = Some(SocketAddr::from((FAR, SERVICE)));
    on_port(CLIENT).into_iter().find(|socket| socket.remote == remote)
}

/// What the far host has of it, whose thread must be the calling one.
pub(crate) fn far_end() -> Option<Socket> {
    let remote = Some(SocketAddr::from((NEAR, CLIENT)));
    on_port(SERVICE).into_iter().find(|socket| socket.remote == remote)
}

/// Ends early what the near host keeps, which must be in this state.
pub(crate) fn destroy_here(state: State) {
    destroy(&near_end().expect("something remains"), state);
}

/// Ends a socket of the calling thread's host, which must be in this state.
pub(crate) fn destroy(remains: &Socket, state: State) {
    assert_eq!(remains.state, state);
    let destroyed = Destroyer::open().and_then(|mut destroyer| destroyer.destroy(remains));
    assert_eq!(destroyed.expect("root may destroy"), Destroyed::Now);
}

/// A counter of the calling thread's host, from `/proc/net/netstat`.
pub(crate) fn counter(name: &str) -> u64 {
    let table = std::fs::read_to_string("/proc/thread-self/net/netstat").expect("counters");
    let mut lines = table.lines();
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let at = names.split(' ').position(|known| known == name);
    let value = values.split(' ').nth(at.unwrap_or_else(|| panic!("no counter {name}")));
    value.and_then(|value| value.parse().ok()).expect("a number")
}

/// A request of root's that sets `SO_REUSEADDR`.
pub(crate) fn request(address: Ipv4Addr, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options { reuse_address: true, ..Options::default() },
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

/// The port of the near host.
pub(crate) const CLIENT: u16 = 1010;
/// The port of the far one.
pub(crate) const SERVICE: u16 = 300;
/// How far the old connection runs ahead: time enough to close it and to connect again.
pub(crate) const LEAD: Duration = Duration::from_secs(2);
