//! What a program's calls do to the host under test, and what they return.

use super::Stop;
use super::driver::{beyond, failed};
use super::host::{Accepted, Connection, Host, Linger, Role, Socket};
use super::wire::{Base, Cause};
use crate::ladder;
use crate::script::{Call, Place, Value};
use crate::state::State;
use crate::tcp::endpoint::{Endpoint, FinWait2Wish, Keepalive, Wishes};
use crate::tcp::moment::Moment;
use crate::tcp::tcb::Ended;

/// What a call returns.
type Returned = Result<i64, &'static str>;

impl Host {
    /// The program calls.
    pub(super) fn call(&mut self, now: Moment, call: &Call, place: Place) -> Result<(), Stop> {
        if call.errno.as_deref() == Some("EFAULT") {
            return Err(beyond("a pointer that is not valid", place));
        }
        let returned = match call.name.as_str() {
            "socket" => self.open_socket(call, place)?,
            "fcntl" | "bind" => return Ok(()),
            "listen" => {
                let at = self.found(call, place)?;
                self.journal.call(ladder::Call::Listen);
                self.sockets[at].role = Role::Listener;
                self.awaits_first = true;
                self.follow();
                Ok(0)
            }
            "connect" => self.connect(now, call, place)?,
            "accept" | "accept4" => self.accept(call),
            "shutdown" => self.shutdown(now, call, place)?,
            "close" => self.close(now, call, place)?,
            "read" | "recv" => self.read(call, place)?,
            "write" | "send" | "sendto" => self.write(now, call, place)?,
            "setsockopt" => self.set_option(now, call, place)?,
            "getsockopt" => return self.option(call, place),
            other => return Err(beyond(format!("the call {other}"), place)),
        };
        compare(call, place, returned)
    }

    /// Whether a call that blocks can return.
    pub(super) fn is_ready(&self, call: &Call) -> bool {
        let connection = self.socket(call).and_then(|at| match self.sockets[at].role {
            Role::Connection(connection) => Some(&self.connections[connection]),
            Role::Fresh | Role::Listener => None,
        });
        let Some(connection) = connection else { return self.waiting().is_some() };
        let tcb = &connection.end.tcb;
        let opening = matches!(tcb.state, State::SynSent | State::SynReceived);
        let reads = matches!(call.name.as_str(), "read" | "recv");
        let ended = tcb.fin_received() || tcb.state == State::Closed;
        connection.error.is_some() || !opening && (!reads || tcb.unread > 0 || ended)
    }

    fn found(&self, call: &Call, place: Place) -> Result<usize, Stop> {
        self.socket(call).ok_or_else(|| beyond("a descriptor that no call before has given", place))
    }

    fn open_socket(&mut self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let kind = call.name_at(1);
        let protocol = call.name_at(2);
        if kind != "SOCK_STREAM" || !matches!(protocol, "IPPROTO_TCP" | "") {
            return Err(beyond(format!("a socket of kind {kind} {protocol}"), place));
        }
        let Value::Number(fd) = call.result else {
            return Err(beyond("a descriptor left open", place));
        };
        self.add_socket(fd, Role::Fresh, Wishes::default());
        Ok(Ok(fd))
    }

    fn add_socket(&mut self, fd: i64, role: Role, wishes: Wishes) {
        self.sockets.retain(|socket| socket.fd != fd);
        self.sockets.push(Socket { fd, role, linger: Linger::Default, wishes, deaf: false });
    }

    /// Begins to connect, or says how far it has come.
    pub(super) fn connect(
        &mut self,
        now: Moment,
        call: &Call,
        place: Place,
    ) -> Result<Returned, Stop> {
        let at = self.found(call, place)?;
        if disconnects(call) {
            self.disconnect(now, at);
            return Ok(Ok(0));
        }
        let Role::Connection(connection) = self.sockets[at].role else {
            let mut end = Endpoint::new(self.dialect.profile, self.window);
            end.wish(now, self.sockets[at].wishes);
            let accepted = Accepted::Yes;
            // Another connection, of which alone the script speaks from here on.
            self.sent.clear();
            self.connections.push(Connection { end, accepted, error: None, told: false });
            let connection = self.connections.len() - 1;
            self.sockets[at].role = Role::Connection(connection);
            let iss = self.iss;
            self.base = Base { own: iss, ..Base::default() };
            self.journal.call(ladder::Call::Connect);
            self.act(connection, Cause::Due, |end| end.open(now, iss));
            return Ok(Err("EINPROGRESS"));
        };
        let connection = &mut self.connections[connection];
        if let Some(error) = connection.error.take() {
            return Ok(Err(error));
        }
        Ok(match connection.end.tcb.state {
            State::SynSent | State::SynReceived => Err("EALREADY"),
            State::Closed => Err("ECONNABORTED"),
            _ if connection.told => Err("EISCONN"),
            _ => {
                connection.told = true;
                Ok(0)
            }
        })
    }

    /// `tcp_disconnect`: a listener goes, a connection is reset.
    fn disconnect(&mut self, now: Moment, at: usize) {
        match self.sockets[at].role {
            Role::Fresh => {}
            Role::Listener => {
                self.journal.call(ladder::Call::CloseListener);
                self.close_listener(now);
            }
            Role::Connection(connection) => {
                self.journal.call(ladder::Call::Abort);
                self.act(connection, Cause::Due, |end| end.abort(now));
            }
        }
        self.sockets[at].role = Role::Fresh;
    }

    fn accept(&mut self, call: &Call) -> Returned {
        let Some(at) = self.waiting() else { return Err("EAGAIN") };
        let Value::Number(fd) = call.result else { return Err("EAGAIN") };
        if fd < 0 {
            return Ok(0);
        }
        let connection = &mut self.connections[at];
        connection.accepted = Accepted::Yes;
        let wishes = connection.end.wishes();
        self.add_socket(fd, Role::Connection(at), wishes);
        Ok(fd)
    }

    fn shutdown(&mut self, now: Moment, call: &Call, place: Place) -> Result<Returned, Stop> {
        let at = self.found(call, place)?;
        let Role::Connection(connection) = self.sockets[at].role else {
            return Ok(Err("ENOTCONN"));
        };
        if matches!(self.connections[connection].end.tcb.state, State::Closed | State::TimeWait) {
            return Ok(Err("ENOTCONN"));
        }
        let (reads, writes) = match (call.name_at(1), call.number(1)) {
            ("SHUT_RD", _) | (_, Some(0)) => (true, false),
            ("SHUT_WR", _) | (_, Some(1)) => (false, true),
            ("SHUT_RDWR", _) | (_, Some(2)) => (true, true),
            _ => return Err(beyond("a direction left open", place)),
        };
        self.sockets[at].deaf |= reads;
        if writes {
            self.journal.call(ladder::Call::Shutdown);
            self.act(connection, Cause::Due, |end| end.shutdown(now));
        }
        Ok(Ok(0))
    }

    fn close(&mut self, now: Moment, call: &Call, place: Place) -> Result<Returned, Stop> {
        let at = self.found(call, place)?;
        let socket = self.sockets.remove(at);
        match (socket.role, socket.linger) {
            (Role::Fresh, _) => {}
            (Role::Listener, _) => {
                self.journal.call(ladder::Call::CloseListener);
                self.close_listener(now);
            }
            (Role::Connection(connection), Linger::Zero) => {
                self.journal.call(ladder::Call::Abort);
                self.act(connection, Cause::Due, |end| end.abort(now));
            }
            (Role::Connection(connection), Linger::Default) => {
                self.journal.call(ladder::Call::Close);
                self.act(connection, Cause::Due, |end| end.close(now));
            }
        }
        Ok(Ok(0))
    }

    fn read(&mut self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let at = self.found(call, place)?;
        let Role::Connection(connection) = self.sockets[at].role else {
            return Ok(Err("ENOTCONN"));
        };
        let wanted = call.number(2).unwrap_or(0).try_into().unwrap_or(u32::MAX);
        let peeks = call.names(3).iter().any(|flag| flag == "MSG_PEEK");
        let deaf = self.sockets[at].deaf;
        let connection = &mut self.connections[connection];
        let tcb = &mut connection.end.tcb;
        if tcb.unread > 0 {
            let octets = wanted.min(tcb.unread);
            tcb.unread -= if peeks { 0 } else { octets };
            self.journal.call(ladder::Call::Read);
            self.follow();
            return Ok(Ok(i64::from(octets)));
        }
        if let Some(error) = connection.error.take() {
            return Ok(Err(error));
        }
        let ended = tcb.fin_received() || tcb.state == State::Closed || deaf;
        Ok(if ended { Ok(0) } else { Err("EAGAIN") })
    }

    fn write(&mut self, now: Moment, call: &Call, place: Place) -> Result<Returned, Stop> {
        let at = self.found(call, place)?;
        if call.names(3).iter().any(|flag| flag == "MSG_FASTOPEN") {
            return Err(beyond("TCP Fast Open", place));
        }
        let Role::Connection(connection) = self.sockets[at].role else {
            return Ok(Err("EPIPE"));
        };
        let Some(octets) = call.number(2).and_then(|octets| u32::try_from(octets).ok()) else {
            return Err(beyond("a number of octets left open", place));
        };
        if let Some(error) = self.connections[connection].error.take() {
            return Ok(Err(error));
        }
        let tcb = &self.connections[connection].end.tcb;
        if tcb.ended == Ended::Yes || matches!(tcb.state, State::Closed | State::TimeWait) {
            return Ok(Err("EPIPE"));
        }
        if matches!(tcb.state, State::SynSent | State::SynReceived) {
            return Ok(Err("EAGAIN"));
        }
        let under_way = tcb.snd_end.distance_from(tcb.snd_una);
        if octets.saturating_add(under_way) > MOST_WRITTEN {
            return Err(beyond("more data than a first congestion window", place));
        }
        self.journal.call(ladder::Call::Write(octets));
        self.act(connection, Cause::Due, |end| end.send(now, octets));
        Ok(Ok(i64::from(octets)))
    }

    fn set_option(&mut self, now: Moment, call: &Call, place: Place) -> Result<Returned, Stop> {
        let at = self.found(call, place)?;
        let socket = &mut self.sockets[at];
        let name = call.name_at(2);
        if name == "SO_LINGER" {
            let field = |name: &str| call.field(3, name).unwrap_or(0);
            let on = field("onoff") != 0 || field("l_onoff") != 0;
            let aborts = on && field("linger") == 0 && field("l_linger") == 0;
            socket.linger = if aborts { Linger::Zero } else { Linger::Default };
            return Ok(Ok(0));
        }
        if WITHOUT_EFFECT.contains(&name) {
            return Ok(Ok(0));
        }
        let Some(wishes) = wished(socket.wishes, name, call.number(3).unwrap_or(0)) else {
            return Err(beyond(format!("the socket option {name}"), place));
        };
        socket.wishes = wishes;
        if let Role::Connection(connection) = socket.role {
            self.act(connection, Cause::Due, |end| end.wish(now, wishes));
        }
        Ok(Ok(0))
    }

    /// Only what concerns endings is compared; the size of the buffer is taken over as the window.
    fn option(&mut self, call: &Call, place: Place) -> Result<(), Stop> {
        let at = self.found(call, place)?;
        let Role::Connection(connection) = self.sockets[at].role else { return Ok(()) };
        let connection = &mut self.connections[connection];
        match call.name_at(2) {
            "SO_ERROR" => {
                let is = connection.error.take().unwrap_or("0");
                let wanted = match call.arguments.get(3) {
                    Some(Value::List(list)) => list.first(),
                    _ => None,
                };
                let wanted = match wanted {
                    Some(Value::Number(number)) => number.to_string(),
                    Some(Value::Names(names)) => names.join("|"),
                    _ => return Ok(()),
                };
                if wanted == is {
                    return Ok(());
                }
                Err(failed(place, format!("SO_ERROR {wanted}"), is))
            }
            "SO_RCVBUF" => {
                let window = call.number(3).and_then(|window| u32::try_from(window).ok());
                let open = !matches!(connection.end.tcb.state, State::SynSent | State::Closed);
                if let Some(window) = window.filter(|_| open) {
                    connection.end.tcb.rcv_wnd = window.min(WIDEST);
                }
                Ok(())
            }
            other if WITHOUT_EFFECT.contains(&other) => Ok(()),
            other => Err(beyond(format!("the socket option {other}"), place)),
        }
    }

    /// Everything in this state is reset (`tcpdrop`).
    pub(super) fn drop_all(&mut self, now: Moment, state: State) {
        for at in 0..self.connections.len() {
            if self.connections[at].end.tcb.state == state {
                self.act(at, Cause::Due, |end| end.abort(now));
            }
        }
    }
}

/// `connect` to no address at all.
fn disconnects(call: &Call) -> bool {
    let Some(Value::Fields(fields)) = call.arguments.get(1) else { return false };
    let unspecified = Value::Names(vec!["AF_UNSPEC".to_owned()]);
    fields.iter().any(|(name, value)| name == "sa_family" && *value == unspecified)
}

/// The wishes with an option set; `None` for one that is not known.
fn wished(wishes: Wishes, name: &str, value: i64) -> Option<Wishes> {
    let number = value.max(0).cast_unsigned();
    let keepalive = wishes.keepalive;
    Some(match name {
        "TCP_LINGER2" => {
            let fin_wait_2 = match value {
                ..=-1 => FinWait2Wish::Never,
                0 => FinWait2Wish::System,
                1.. => FinWait2Wish::For(Moment::of_secs(number)),
            };
            Wishes { fin_wait_2, ..wishes }
        }
        "TCP_USER_TIMEOUT" => {
            let user_timeout = (value > 0).then(|| Moment::of_millis(number));
            Wishes { user_timeout, ..wishes }
        }
        "SO_KEEPALIVE" => Wishes { keeps_alive: value != 0, ..wishes },
        "TCP_KEEPIDLE" => {
            let idle = Moment::of_secs(number);
            Wishes { keepalive: Keepalive { idle, ..keepalive }, ..wishes }
        }
        "TCP_KEEPINTVL" => {
            let interval = Moment::of_secs(number);
            Wishes { keepalive: Keepalive { interval, ..keepalive }, ..wishes }
        }
        "TCP_KEEPCNT" => {
            let count = number.min(127) as u32;
            Wishes { keepalive: Keepalive { count, ..keepalive }, ..wishes }
        }
        _ => return None,
    })
}

fn compare(call: &Call, place: Place, returned: Returned) -> Result<(), Stop> {
    let same_error = |wanted: &str, got: &str| {
        let known = |name: &str| if name == "EWOULDBLOCK" { "EAGAIN" } else { name }.to_owned();
        known(wanted) == known(got)
    };
    let fits = match (&call.result, &call.errno, returned) {
        (Value::Open, ..) => true,
        (Value::Number(-1), Some(wanted), Err(got)) => same_error(wanted, got),
        (Value::Number(wanted), None, Ok(got)) => *wanted == got,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let expected = match (&call.result, &call.errno) {
        (_, Some(errno)) => errno.clone(),
        (Value::Number(number), None) => number.to_string(),
        _ => "another result".to_owned(),
    };
    let got = returned.map_or_else(ToOwned::to_owned, |number| number.to_string());
    Err(failed(place, format!("{} to return {expected}", call.name), got))
}

/// The widest window there is (RFC 7323 §2.3).
const WIDEST: u32 = 1 << 30;

/// Ten segments of 1,460 octets (RFC 6928): what goes out without any acknowledgement.
const MOST_WRITTEN: u32 = 14_600;

/// Options of sockets that change nothing that is compared.
pub const WITHOUT_EFFECT: [&str; 17] = [
    "SO_REUSEADDR",
    "SO_REUSEPORT",
    "SO_RCVBUF",
    "SO_SNDBUF",
    "SO_RCVLOWAT",
    "SO_PRIORITY",
    "SO_SNDTIMEO",
    "SO_RCVTIMEO",
    "TCP_NODELAY",
    "TCP_QUICKACK",
    "TCP_CONGESTION",
    "TCP_MAXSEG",
    "TCP_INFO",
    "TCP_SYNCNT",
    "TCP_NOTSENT_LOWAT",
    "IP_TOS",
    "IP_TTL",
];
