//! A real `rshd`: Debian's `in.rshd` under `inetd`, on hosts of their own that one wire joins to the calling thread's.
//!
//! Each server is a network namespace with a veth pair to a bridge here, and a process namespace: what a test leaves
//! running there ends with it. Every server trusts root and [`TESTER`](crate::etc::TESTER) of this host.

use crate::etc::Etc;
use crate::link::{OtherHost, ip};
use crate::namespace::Namespace;
use crate::program::Process;
use crate::states::{self, wait_until};
use lastack_model::facts::{Socket, Transport};
use lastack_model::state::State;
use lastack_os::sock_diag::{Filter, States, fold};
use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

/// The servers, each with the number by which it is called, from 1.
#[derive(Debug)]
pub struct Rshd {
    servers: Vec<Server>,
    etc: Etc,
}

#[derive(Debug)]
struct Server {
    _inetd: Process,
    host: OtherHost,
    /// What stands for its network namespace in `/proc`.
    namespace: String,
}

/// How many sockets in the reserved ports are in `TIME_WAIT`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TimeWaits {
    /// Of the connections that carry commands: one end is port 514.
    pub commands: usize,
    /// Of those that the server opens for the standard error.
    pub errors: usize,
}

/// A process on a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resident {
    /// Its pid as it is seen here.
    pub pid: u32,
    /// Its arguments, with spaces in between.
    pub command: String,
}

impl Rshd {
    /// So many servers with so many addresses each: [`Self::address`]. The calling thread's host is [`HERE`] on the
    /// wire. `nodeK` is server K; `allN`, up to [`ALIASES`], is one of the servers, by turns.
    ///
    /// # Panics
    ///
    /// When it cannot be had: with what is missing.
    pub fn started(here: &Namespace, servers: u8, addresses: u8) -> Self {
        here.keep_time_waits();
        let etc = Etc::new(&names(servers, addresses));
        let trust = "client root\nclient-6 root\nclient tester\nclient-6 tester\n";
        for user in ["root", "tester"] {
            etc.write(&format!("home/{user}/.rhosts"), trust);
        }
        let services = etc.write("etc/inetd.conf", SERVICES);
        ip("link add wire type bridge forward_delay 0 stp_state 0");
        ip(&format!("address add {HERE}/16 dev wire"));
        ip(&format!("address add {HERE_6}/64 dev wire nodad"));
        ip("link set wire up");
        let servers = (1..=servers)
            .map(|number| {
                let host = joined(number, addresses);
                let mut inetd = etc.server("/usr/sbin/inetd");
                inetd.args(["-i", "-R", STARTS_A_MINUTE]).arg(&services);
                let (inetd, namespace) = host.run(move |_| {
                    let namespace = fs::read_link("/proc/thread-self/ns/net");
                    let inetd = Process::start(&mut inetd);
                    wait_until("inetd listens (are openbsd-inetd and rsh-server there?)", || {
                        states::on_port(514).iter().any(|socket| socket.state == State::Listen)
                    });
                    (inetd, namespace.expect("a namespace"))
                });
                let namespace = namespace.to_string_lossy().into_owned();
                Server { _inetd: inetd, host, namespace }
            })
            .collect();
        Self { servers, etc }
    }

    /// An address of a server; it has them from 0.
    pub const fn address(server: u8, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, number, server + 1)
    }

    /// The IPv6 address of a server.
    pub const fn address_6(server: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, server as u16 + 1)
    }

    /// A command of a client: it knows the names.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.etc.command(program)
    }

    /// The files of servers and clients.
    pub const fn etc(&self) -> &Etc {
        &self.etc
    }

    /// Does something on the host of a server.
    ///
    /// # Panics
    ///
    /// When the closure does, or there is no such server.
    pub fn on<T: Send + 'static>(
        &self,
        server: u8,
        act: impl FnOnce(&Namespace) -> T + Send + 'static,
    ) -> T {
        self.servers[usize::from(server - 1)].host.run(act)
    }

    /// Turns TCP timestamps off, here and there: nobody takes a port back early then.
    pub fn without_timestamps(&self, here: &Namespace) {
        here.set("ipv4/tcp_timestamps", "0");
        for server in &self.servers {
            server.host.run(|there| there.set("ipv4/tcp_timestamps", "0"));
        }
    }

    /// What is in `TIME_WAIT` on a server.
    pub fn time_waits(&self, server: u8) -> TimeWaits {
        self.on(server, |_| TimeWaits::here())
    }

    /// The processes on a server that were started by `inetd`, and those started by them.
    ///
    /// # Panics
    ///
    /// When `/proc` cannot be read.
    pub fn residents(&self, server: u8) -> Vec<Resident> {
        let namespace = &self.servers[usize::from(server - 1)].namespace;
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|pid| resident(pid, namespace))
            .filter(|resident| !resident.command.contains("/usr/sbin/inetd"))
            .collect()
    }

    /// The server vanishes from the wire, and nobody says so.
    pub fn cut_off(&self, server: u8) {
        self.on(server, |_| ip("link set wire down"));
    }
}

impl TimeWaits {
    /// Those of the calling thread's namespace.
    ///
    /// # Panics
    ///
    /// When the kernel does not show them.
    pub fn here() -> Self {
        let waiting = Filter::all(Transport::Tcp).in_states(States::of(&[State::TimeWait]));
        fold(&waiting, |counts: &mut Self, socket| counts.add(&socket)).expect("a dump").folded
    }

    fn add(&mut self, socket: &Socket) {
        let local = socket.local.port();
        let remote = socket.remote.map_or(0, |remote| remote.port());
        let reserved = 512..1024;
        match (local, remote) {
            (514, _) | (_, 514) => self.commands += 1,
            _ if reserved.contains(&local) && reserved.contains(&remote) => self.errors += 1,
            _ => {}
        }
    }
}

fn names(servers: u8, addresses: u8) -> Vec<(IpAddr, String)> {
    let mut names =
        vec![(IpAddr::V4(HERE), "client".to_owned()), (IpAddr::V6(HERE_6), "client-6".to_owned())];
    for server in 1..=servers {
        names.push((Rshd::address(server, 0).into(), format!("node{server}")));
        names.push((Rshd::address_6(server).into(), format!("node{server}-6")));
        for number in 1..addresses {
            let name = format!("node{server}-address{number}");
            names.push((Rshd::address(server, number).into(), name));
        }
    }
    for alias in 0..ALIASES {
        let server = u8::try_from(alias % u16::from(servers)).expect("a server") + 1;
        names.push((Rshd::address(server, 0).into(), format!("all{}", alias + 1)));
    }
    names
}

/// A host on the wire.
fn joined(number: u8, addresses: u8) -> OtherHost {
    let host = OtherHost::alone();
    let there = host.namespace_file();
    ip(&format!("link add port{number} type veth peer name wire netns {there}"));
    ip(&format!("link set port{number} master wire up"));
    host.run(move |there| {
        there.keep_time_waits();
        for address in 0..addresses {
            ip(&format!("address add {}/16 dev wire", Rshd::address(number, address)));
        }
        ip(&format!("address add {}/64 dev wire nodad", Rshd::address_6(number)));
        ip("link set wire up");
        wait_until("the server's address is usable", || {
            TcpListener::bind((Rshd::address(number, 0), 0)).is_ok()
        });
    });
    wait_until_the_wire_carries(&host, number);
    host
}

/// A new device drops what it is given until the kernel has noticed that its other end is up.
fn wait_until_the_wire_carries(host: &OtherHost, number: u8) {
    let address = Rshd::address(number, 0);
    let ear = host.run(move |_| UdpSocket::bind((address, 0)).expect("a socket there"));
    ear.set_read_timeout(Some(Duration::from_millis(10))).expect("a time limit");
    let to = ear.local_addr().expect("its address");
    let mouth = UdpSocket::bind((HERE, 0)).expect("a socket here");
    wait_until("the wire carries", || {
        mouth.send_to(b"?", to).is_ok() && ear.recv(&mut [0]).is_ok()
    });
}

fn resident(pid: u32, namespace: &str) -> Option<Resident> {
    let lives_in = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
    if lives_in.to_str() != Some(namespace) {
        return None;
    }
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&arguments).replace('\0', " ").trim_end().to_owned();
    Some(Resident { pid, command })
}

/// Our address on the wire.
pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The same of IPv6.
pub const HERE_6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);
/// So many names `all1`, `all2` and so on stand for the servers, by turns.
pub const ALIASES: u16 = 1200;

/// What Debian's package enables; each takes a port of the 512 for its listener.
const SERVICES: &str = "\
shell stream tcp nowait root /usr/sbin/in.rshd in.rshd
shell stream tcp6 nowait root /usr/sbin/in.rshd in.rshd
login stream tcp nowait root /usr/sbin/in.rlogind in.rlogind
exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd
";
/// By default `inetd` turns a service off that is started 256 times within a minute.
const STARTS_A_MINUTE: &str = "1000000";
