//! A second host: a network namespace with a thread of its own, joined to the caller's by a veth pair.

use crate::namespace::Namespace;
use crate::program;
use crate::states::wait_until;
use rustix::thread::gettid;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// The host at the other end of the wire.
#[derive(Debug)]
pub struct OtherHost {
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

type Work = Box<dyn FnOnce(&Namespace) + Send>;

impl OtherHost {
    /// A host without a wire.
    ///
    /// # Panics
    ///
    /// When the kernel cannot make one.
    pub fn alone() -> Self {
        let (work, inbox) = channel::<Work>();
        let thread = spawn(move || {
            let namespace = Namespace::enter();
            for work in inbox {
                work(&namespace);
            }
        });
        Self { work: Some(work), thread: Some(thread) }
    }

    /// Joins a new host to the calling thread's namespace. Ours is [`HERE`], its address [`THERE`].
    ///
    /// # Panics
    ///
    /// When the kernel cannot make one.
    pub fn joined_to(_here: &Namespace) -> Self {
        let host = Self::alone();
        let there = host.namespace_file();
        ip(&format!("link add out type veth peer name in netns {there}"));
        ip(&format!("address add {HERE}/24 dev out"));
        ip("link set out up");
        host.run(|_| {
            ip(&format!("address add {THERE}/24 dev in"));
            ip("link set in up");
            wait_until("the other host's address is usable", || {
                TcpListener::bind((THERE, 0)).is_ok()
            });
        });
        host.wait_until_the_wire_carries();
        host
    }

    /// A new device drops what it is given until the kernel has noticed that its other end is up. A first segment lost
    /// that way would make the connection's timeouts three times as long (`TCP_TIMEOUT_FALLBACK`).
    fn wait_until_the_wire_carries(&self) {
        let ear = self.run(|_| UdpSocket::bind((THERE, 0)).expect("a socket there"));
        ear.set_read_timeout(Some(Duration::from_millis(10))).expect("a time limit");
        let to = ear.local_addr().expect("its address");
        let mouth = UdpSocket::bind((HERE, 0)).expect("a socket here");
        wait_until("the wire carries", || {
            mouth.send_to(b"?", to).is_ok() && ear.recv(&mut [0]).is_ok()
        });
    }

    /// Does something on the other host, and waits for the result.
    ///
    /// # Panics
    ///
    /// When the closure does.
    pub fn run<T: Send + 'static>(&self, act: impl FnOnce(&Namespace) -> T + Send + 'static) -> T {
        let (result, outcome) = channel();
        let work: Work = Box::new(move |namespace| {
            let _ = result.send(act(namespace));
        });
        self.work.as_ref().expect("the host runs").send(work).expect("the host's thread runs");
        outcome.recv().expect("the other host does its work")
    }

    /// The file that stands for its namespace, by which `ip` can put a device there.
    pub fn namespace_file(&self) -> String {
        let task = self.run(|_| gettid().as_raw_nonzero());
        format!("/proc/{}/task/{task}/ns/net", std::process::id())
    }

    /// Gives both ends an IPv6 address too: [`HERE_V6`] and [`THERE_V6`].
    ///
    /// # Panics
    ///
    /// When the kernel has no IPv6.
    pub fn speak_ipv6(&self) {
        // Nobody else is on this wire, so nobody is asked whether the address is taken.
        ip(&format!("address add {HERE_V6}/64 dev out nodad"));
        self.run(|_| {
            ip(&format!("address add {THERE_V6}/64 dev in nodad"));
            wait_until("the other host's address is usable", || {
                TcpListener::bind((THERE_V6, 0)).is_ok()
            });
        });
        wait_until("our address is usable", || TcpListener::bind((HERE_V6, 0)).is_ok());
    }

    /// Lets the wire carry 100 Mbit/s in either direction, no more.
    ///
    /// # Panics
    ///
    /// When the kernel has no token bucket filter.
    pub fn slow_down(&self) {
        shape("out");
        self.run(|_| shape("in"));
    }

    /// Lets the other host receive, and never answer. Something must have been sent to it before.
    pub fn fall_silent(&self) {
        // Were its link address forgotten, the kernel here would call it unreachable, which is an answer.
        ip(&format!("neighbour change {THERE} dev out nud permanent"));
        self.run(|_| ip(&format!("address delete {THERE}/24 dev in")));
    }

    /// Cuts the wire at the other host's end: the kernel here finds out that it is unreachable.
    pub fn cut_off(&self) {
        self.run(|_| ip("link set in down"));
    }
}

impl Drop for OtherHost {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn shape(device: &str) {
    let shape = format!("qdisc add dev {device} root tbf rate 100mbit burst 32k latency 50ms");
    let run = program::run(Command::new("tc").args(shape.split(' ')));
    assert_eq!(run.code, Some(0), "tc {shape}: {} (needs iproute2 and sch_tbf)", run.stderr);
}

/// Runs `ip` in the calling thread's namespace.
///
/// # Panics
///
/// When it fails.
pub fn ip(arguments: &str) {
    let run = program::run(Command::new("ip").args(arguments.split(' ')));
    assert_eq!(run.code, Some(0), "ip {arguments}: {}", run.stderr);
}

/// Our address on the wire.
pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The other host's.
pub const THERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Our address on the wire in IPv6.
pub const HERE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
/// The other host's.
pub const THERE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
