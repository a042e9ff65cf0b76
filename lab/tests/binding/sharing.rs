//! Instances of a program that share the reserved ports: no collision, a fair part for each, nothing left over when one
//! is killed, and remains seen where they are, in the kernel.

use lastack_graceful::ports::{Obstacle, Ports, Purpose};
use lastack_lab::namespace::Namespace;
use lastack_lab::privilege::without_reserved_ports;
use lastack_lab::program::{Process, copy_for_anybody};
use lastack_lab::sockets;
use lastack_lab::states;
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{PortRange, Socket, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use lastack_os::act::destroy::Destroyer;
use lastack_os::sock_diag::{self, Filter, States};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const SHARER: &str = env!("CARGO_BIN_EXE_sharer");

/// An instance in a process of its own, which shares the test's namespace.
struct Instance {
    process: Process,
    answers: BufReader<ChildStdout>,
}

impl Instance {
    fn start() -> Self {
        let instance = Self::of(&mut Command::new(SHARER));
        let (instance, ready) = instance;
        assert_eq!(ready, "ready");
        instance
    }

    fn of(command: &mut Command) -> (Self, String) {
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let answers = BufReader::new(process.child().stdout.take().expect("its stdout"));
        let mut instance = Self { process, answers };
        let first = instance.answer();
        (instance, first)
    }

    fn tell(&mut self, words: &str) -> String {
        let stdin = self.process.child().stdin.as_mut().expect("its stdin");
        writeln!(stdin, "{words}").expect("told");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }

    /// Connects so often; the local ports. That takes some seconds at most, for all that others do on this machine.
    fn take(&mut self, to: SocketAddr, count: usize) -> BTreeSet<u16> {
        self.take_within(to, count, Duration::from_secs(10))
    }

    fn take_within(&mut self, to: SocketAddr, count: usize, limit: Duration) -> BTreeSet<u16> {
        let answer = self.tell(&format!("take {to} {count} {}", limit.as_millis()));
        let taken = answer.strip_prefix("took").unwrap_or_else(|| panic!("{answer}"));
        let taken: BTreeSet<u16> =
            taken.split_whitespace().map(|port| port.parse().expect("a port")).collect();
        assert_eq!(taken.len(), count);
        taken
    }

    /// Members, own ports, all ports, strangers.
    fn shares(&mut self) -> [usize; 4] {
        let answer = self.tell("shares");
        let numbers: Vec<usize> =
            answer.split(' ').map(|number| number.parse().expect("a number")).collect();
        numbers.try_into().expect("four numbers")
    }

    fn refused(&mut self) -> String {
        let counts = self.tell("counts");
        counts.split(' ').nth(1).expect("three numbers").to_owned()
    }

    /// How many files it may have open, from now on.
    fn limit_files(&self, most: u64) {
        let pid = Pid::from_raw(self.process.pid().cast_signed());
        let limit = Rlimit { current: Some(most), maximum: Some(4096) };
        prlimit(pid, Resource::Nofile, limit).expect("limited");
    }

    /// `SIGKILL`, and its end.
    fn kill(mut self) {
        self.process.child().kill().expect("killed");
        self.process.child().wait().expect("reaped");
    }
}

/// A server in the test's namespace that closes what its clients close.
fn server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a server");
    let to = listener.local_addr().expect("an address");
    // No SYN is dropped while it starts its threads.
    rustix::net::listen(&listener, 4096).expect("a longer queue");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.expect("a connection");
            std::thread::spawn(move || stream.read(&mut [0]));
        }
    });
    to
}

fn reserved(states: States) -> Vec<Socket> {
    let ports = Some(PortRange { low: Port(512), high: Port(1023) });
    let filter = Filter { ports, states, ..Filter::all(Transport::Tcp) };
    let add = |all: &mut Vec<Socket>, socket| all.push(socket);
    sock_diag::fold(&filter, add).expect("a dump").folded
}

fn time_waits() -> Vec<Socket> {
    reserved(States::of(&[State::TimeWait]))
}

#[test]
fn two_instances_have_ports_of_their_own_and_a_third_gets_its_part_within_a_second() {
    let _namespace = Namespace::enter();
    let to = server();
    let mut one = Instance::start();
    assert_eq!(one.shares(), [1, 128, 512, 0]);
    let mut taken = vec![one.take(to, 200)];
    let mut two = Instance::start();
    taken.push(two.take(to, 200));
    let mut three = Instance::start();
    taken.push(three.take_within(to, 60, Duration::from_secs(1)));
    assert_eq!(taken.iter().flatten().collect::<BTreeSet<_>>().len(), 460, "no port twice");
    for instance in [&mut one, &mut two, &mut three] {
        assert_eq!(instance.refused(), "0");
    }
}

#[test]
fn who_has_more_than_its_part_gives_idle_ports_at_once_and_busy_ones_when_they_come_home() {
    let _namespace = Namespace::enter();
    let to = server();
    let mut one = Instance::start();
    one.take(to, 512);
    let mut two = Instance::start();
    let answer = two.tell(&format!("take {to} 1 300"));
    assert!(answer.starts_with("failed after 0: "), "{answer}");
    let reason = two.tell(&format!("reason {to}"));
    assert!(reason.contains("0 of 512 are ours, 2 programs share them"), "{reason}");
    assert_eq!(one.tell("close"), "closed");
    // Another destination: toward this one all ports are in TIME_WAIT now.
    let other = server();
    two.take(other, 256);
    let one = RefCell::new(one);
    states::wait_until("each has its half", || one.borrow_mut().shares()[..2] == [2, 256]);
    assert_eq!((two.shares()[1], two.refused()), (256, "0".into()));
    let answer = two.tell(&format!("take {other} 1 300"));
    assert!(answer.starts_with("failed after 0: "), "its part and no more: {answer}");
}

#[test]
fn what_a_killed_instance_had_is_free_at_once_and_its_remains_are_seen() {
    let namespace = Namespace::enter();
    namespace.keep_time_waits();
    namespace.set("ipv4/tcp_timestamps", "0");
    let (to, other) = (server(), server());
    let mut one = Instance::start();
    let mut two = Instance::start();
    one.take(to, 100);
    two.take(other, 256);
    one.kill();
    let after = Instant::now();
    two.take_within(other, 100, Duration::from_secs(1));
    assert!(after.elapsed() < Duration::from_secs(1), "{:?}", after.elapsed());
    assert_eq!(two.shares()[0], 1);
    // The one who comes next meets what the killed one left toward the first server, and is refused nothing.
    let open = States::of(&[State::Established, State::FinWait1, State::FinWait2]);
    let is_open = || reserved(open).iter().any(|it| it.remote == Some(to));
    states::wait_until("nothing is open toward the first server", || !is_open());
    let left: BTreeSet<u16> = time_waits().iter().map(|it| it.local.port()).collect();
    assert!(!left.is_empty());
    let mut next = Instance::start();
    let fresh = next.take(to, 24);
    assert!(fresh.is_disjoint(&left), "{fresh:?}");
    assert_eq!((two.refused(), next.refused()), ("0".into(), "0".into()));
}

#[test]
fn a_port_whose_time_wait_is_gone_is_used_again_and_until_then_the_reason_is_told() {
    let namespace = Namespace::enter();
    namespace.keep_time_waits();
    namespace.set("ipv4/tcp_timestamps", "0");
    let to = server();
    let mut one = Instance::start();
    one.take(to, 512);
    assert_eq!(one.tell("close"), "closed");
    one.kill();
    let mut next = Instance::start();
    let answer = next.tell(&format!("take {to} 1 700"));
    assert!(answer.starts_with("failed after 0: "), "{answer}");
    let reason = next.tell(&format!("reason {to}"));
    let says = format!(
        "waiting for a port toward {to}: 512 ports: 512 in TIME_WAIT of another program; next in "
    );
    assert!(reason.starts_with(&says), "{reason}");
    assert_eq!(next.refused(), "0", "the list of sockets told it before the kernel had to");
    let tally = Destroyer::open().expect("a channel").destroy_all(&time_waits());
    assert_eq!(tally.expect("destroyed").destroyed, 512);
    let answer = next.tell(&format!("take {to} 100 5000"));
    assert!(answer.starts_with("took "), "{answer}");
}

#[test]
fn ports_that_others_keep_without_reuse_are_waited_for_and_named() {
    let _namespace = Namespace::enter();
    let to = server();
    // What rsh leaves: the client closes first, and its sockets have no SO_REUSEADDR.
    for port in 960..=1023 {
        let request = Request {
            transport: Transport::Tcp,
            address: Ipv4Addr::LOCALHOST.into(),
            port: Port(port),
            options: Options::default(),
            uid: Uid(0),
            may_bind_reserved: true,
        };
        let socket = sockets::prepare(&request);
        sockets::bind(&socket, sockets::address(&request)).expect("bound");
        sockets::connect(&socket, to).expect("connecting");
        let is_there = |it: &Socket| it.state == State::Established && it.local.port() == port;
        states::wait_for(port, is_there);
        drop(socket);
    }
    let open = States::of(&[State::Established, State::FinWait1, State::FinWait2]);
    states::wait_until("nothing is open any more", || reserved(open).is_empty());
    let kept: Vec<u16> = time_waits().iter().map(|it| it.local.port()).collect();
    let other = server();
    let ports = Ports::builder().ports(kept.iter().copied()).share().expect("shared");
    let began = Instant::now();
    let error = ports.connect(other, began + Duration::from_millis(1500)).expect_err("all kept");
    let Obstacle::NoPortLeft { next: Some(next) } = error.obstacle() else { panic!("{error:?}") };
    assert!(Duration::from_secs(30) < next && next < Duration::from_secs(61), "{next:?}");
    let reason = ports.reason(Purpose::Connect(other)).to_string();
    let says = format!(
        "waiting for a port toward {other}: {0} ports: {0} in TIME_WAIT of another program (no \
         SO_REUSEADDR); next in ",
        kept.len()
    );
    assert!(reason.starts_with(&says), "{reason}");
    // Each was tried once, and none again while it cannot be had.
    assert_eq!(ports.counts().refused, kept.len() as u64);
    Destroyer::open().expect("a channel").destroy_all(&time_waits()[..10]).expect("destroyed");
    ports.connect(other, Instant::now() + Duration::from_secs(5)).map(drop).expect("a port");
}

#[test]
fn a_program_that_listens_on_all_of_the_ports_is_named() {
    let _namespace = Namespace::enter();
    let to = server();
    let _taken: Vec<TcpListener> =
        (600..608).map(|port| TcpListener::bind(("127.0.0.1", port)).expect("taken")).collect();
    let ports = Ports::builder().ports(600..608).share().expect("shared");
    let error = ports.connect(to, Instant::now() + Duration::from_millis(300)).expect_err("held");
    assert!(matches!(error.obstacle(), Obstacle::NoPortLeft { next: Some(_) }), "{error:?}");
    let reason = ports.reason(Purpose::Connect(to));
    assert_eq!((reason.standing.held, ports.counts().refused), (8, 0));
    let own = std::process::id();
    assert!(reason.holders.iter().any(|(_, pid, count)| (*pid, *count) == (own, 8)), "{reason}");
    assert!(reason.to_string().contains(&format!("(pid {own}) holds 8")), "{reason}");
}

#[test]
fn a_pool_that_cannot_share_at_present_says_so_and_goes_on_when_it_can() {
    let _namespace = Namespace::enter();
    let to = server();
    let mut one = Instance::start();
    let own = one.shares()[1];
    one.take(to, own);
    // What it has open already is enough to obey, and too little for another name.
    one.limit_files(3);
    let answer = one.tell(&format!("take {to} 1 300"));
    assert!(!answer.starts_with("took"), "{answer}");
    let one = RefCell::new(one);
    let reason = || one.borrow_mut().tell(&format!("reason {to}"));
    states::wait_until("it says so", || reason().contains("; the pool failed to "));
    assert!(
        reason().contains("Too many open files (os error 24), and tries again"),
        "{}",
        reason()
    );
    one.borrow().limit_files(4096);
    one.borrow_mut().take(to, 512 - own);
    states::wait_until("all is well", || !reason().contains("the pool failed"));
}

#[test]
fn names_of_somebody_without_a_right_to_the_ports_are_passed_over_and_told() {
    let _namespace = Namespace::enter();
    let to = server();
    let path = copy_for_anybody(Path::new(SHARER));
    let mut command = Command::new(path);
    command.arg("squat").uid(65534).gid(65534);
    let (mut squatter, ready) = Instance::of(&mut command);
    assert_eq!(ready, "ready");
    for first in (512..1024).step_by(8) {
        squatter.tell(&format!("have lastack/ports/{first}-{}", first + 7));
    }
    squatter.tell("have lastack/ports/member/512-1023/0000");
    let mut one = Instance::start();
    let mut two = Instance::start();
    let taken = [one.take(to, 256), two.take(to, 256)];
    assert!(taken[0].is_disjoint(&taken[1]));
    assert_eq!(one.shares(), [2, 256, 512, 65]);
    // Where the names are free again nobody takes what another has.
    squatter.kill();
    let mut three = Instance::start();
    assert_eq!(three.shares()[1], 0);
    let reason = three.tell(&format!("reason {to}"));
    assert!(reason.contains("3 programs share them"), "{reason}");
    for instance in [&mut one, &mut two] {
        assert_eq!(instance.refused(), "0");
    }
}

/// A script that an ordinary user runs until it is dropped.
fn stranger(script: &str) -> Instance {
    let mut command = Command::new("python3");
    let (stranger, ready) = Instance::of(command.args(["-c", script]).uid(65534).gid(65534));
    assert_eq!(ready, "ready");
    stranger
}

/// Has names behind which it hides: by a process that is gone, by a queue that takes nobody, and by a line in
/// `/proc/net/unix` that is a part of another name.
const HIDE: &str = r#"
import os, socket, sys, time
def listen(name, backlog):
    it = socket.socket(socket.AF_UNIX)
    it.bind(b"\0" + name)
    it.listen(backlog)
    return it
member = b"lastack/ports/member/512-1023/%04d"
if os.fork() == 0:
    names = [b"lastack/ports/%d-%d" % (at, at + 7) for at in range(512, 1024, 8)]
    kept = [listen(name, 8) for name in names + [member % 1]]
    if os.fork() > 0:
        os._exit(0)
    os.read(0, 1)
    os._exit(0)
os.wait()
full = listen(member % 2, 0)
waiting = []
try:
    while True:
        it = socket.socket(socket.AF_UNIX)
        it.setblocking(False)
        it.connect(b"\0" + member % 2)
        waiting.append(it)
except BlockingIOError:
    pass
line = b"%d\n0: 2 0 00010000 0001 01 1 @"
forged = [listen(line % at + member % (3 - at % 4), 8) for at in range(64)]
print("ready", flush=True)
os.read(0, 1)
"#;

#[test]
fn names_whose_holders_hide_are_passed_over_too() {
    let _namespace = Namespace::enter();
    let to = server();
    let _hidden = stranger(HIDE);
    let mut one = Instance::start();
    one.take(to, 500);
    let [members, own, ..] = one.shares();
    assert_eq!((members, own), (1, 512));
}

/// Has lines with names of the first members, whoever has these.
const IMITATE: &str = r#"
import os, socket
kept = []
for at in range(64):
    it = socket.socket(socket.AF_UNIX)
    it.bind(b"\0%d\n0: 2 0 00010000 0001 01 1 @lastack/ports/member/512-1023/%04d" % (at, at % 3))
    it.listen(8)
    kept.append(it)
print("ready", flush=True)
os.read(0, 1)
"#;

#[test]
fn whoever_is_imitated_counts_once_and_no_longer_than_he_lives() {
    let _namespace = Namespace::enter();
    let to = server();
    let _imitator = stranger(IMITATE);
    let (mut one, mut two) = (Instance::start(), Instance::start());
    let taken = [one.take(to, 200), two.take(to, 200)];
    assert!(taken[0].is_disjoint(&taken[1]));
    assert_eq!(two.shares()[0], 2);
    one.kill();
    // More than half of all. What was killed keeps its own in TIME_WAIT.
    two.take(to, 80);
    assert_eq!(two.shares()[0], 1, "the one that is gone is not counted");
}

#[test]
fn without_a_right_to_the_ports_nothing_is_shared_and_the_ways_to_it_are_named() {
    let namespace = Namespace::enter();
    let wanted = || Ports::builder().ports(512..=1023).share();
    let error = without_reserved_ports(wanted).expect_err("not permitted").to_string();
    for words in ["ports from 512 on", "CAP_NET_BIND_SERVICE", "setcap", "ambient"] {
        assert!(error.contains(words), "{error}");
    }
    namespace.set("ipv4/ip_unprivileged_port_start", "512");
    without_reserved_ports(wanted).expect("everybody may");
}
