//! A port that is busy in one of many ways, a program that is to free it, and what came of it, for benchmarks.
//!
//! It must be the first process of a PID namespace of its own, so that nothing outside can be stopped by mistake. Beside
//! the guilty live innocents: the remote end of the connection, and a server with a connection on another port.

use lastack_lab::crowd;
use lastack_lab::namespace::Namespace;
use lastack_lab::sockets;
use lastack_lab::states::{self, Pair};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Family, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{Shutdown, shutdown};
use serde_json::json;
use std::env;
use std::fs::File;
use std::io::{Read, Seek};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const USAGE: &str = "\
Usage: busy SCENE PORT PROGRAM [ARGUMENT...]  as the first process of a PID namespace
       busy hold NAME                         holds what it was given as stdin and stdout
Scenes: listener time-wait orphan held-fin-wait-2 close-wait bound client named-client three-holders worker crowd
";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.as_slice() {
        [hold, _name] if hold == "hold" => loop {
            thread::park();
        },
        [scene, port, program, arguments @ ..] => {
            assert_eq!(std::process::id(), 1, "busy runs in a PID namespace of its own: {USAGE}");
            let port = port.parse().expect("a port");
            let stage = Stage::set(scene, port);
            println!("{}", stage.play(program, arguments));
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Everything that lives beside the program that frees.
struct Stage {
    port: u16,
    bystander: u16,
    /// The end of the bystander's connection.
    client: SocketAddr,
    actors: Vec<Actor>,
    listens: bool,
}

struct Actor {
    name: &'static str,
    is_innocent: bool,
    child: Child,
}

/// What the guilty hold, and what the remote end of it holds.
#[derive(Default)]
struct Sockets {
    guilty: Vec<OwnedFd>,
    remote: Option<OwnedFd>,
}

/// How a client came by its port.
#[derive(Clone, Copy)]
enum Origin {
    Named,
    Lent,
}

impl Stage {
    fn set(scene: &str, port: u16) -> Self {
        let namespace = Namespace::enter();
        if scene == "crowd" {
            crowd::time_waits(&namespace, port, CROWD);
        }
        let Sockets { guilty, remote } = sockets_of(scene, &namespace, port);
        let server = listening(port + 1);
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port + 1));
        let pair = states::established(&server, to);
        let client = sockets::local(&pair.peer);
        let mut actors: Vec<Actor> = guilty
            .into_iter()
            .map(|socket| Actor::start("owner", false, Some(socket), None))
            .collect();
        actors.push(Actor::start("remote end", true, remote, Some(pair.peer)));
        actors.push(Actor::start("bystander", true, Some(server), Some(pair.ours)));
        let listens = on(port, State::Listen);
        assert!(bind(port).is_err(), "{scene} does not keep the port");
        Self { port, bystander: port + 1, client, actors, listens }
    }

    /// Runs the program and says what came of it, as JSON.
    fn play(mut self, program: &str, arguments: &[String]) -> serde_json::Value {
        let mut output = File::from(memfd_create("output", MemfdFlags::CLOEXEC).expect("a memfd"));
        let mut command = Command::new(program);
        let copy = || Stdio::from(output.try_clone().expect("a copy"));
        command.args(arguments).stdin(Stdio::null()).stdout(copy()).stderr(copy());
        let began = Instant::now();
        let mut child = command.spawn().expect("the program starts");
        let (mut free_ms, mut ended) = (None, None);
        while ended.is_none_or(|at: Instant| at.elapsed() < AFTERWARDS)
            || began.elapsed() < PATIENCE
        {
            if bind(self.port).is_ok() {
                free_ms = Some(began.elapsed().as_secs_f64() * 1000.0);
                break;
            }
            if ended.is_none() && child.try_wait().expect("its state").is_some() {
                ended = Some(Instant::now());
            }
            thread::sleep(BETWEEN_PROBES);
        }
        let code = child.wait().expect("its end").code();
        let took_ms =
            ended.unwrap_or_else(Instant::now).duration_since(began).as_secs_f64() * 1000.0;
        let mut text = String::new();
        output.rewind().expect("the output's beginning");
        output.read_to_string(&mut text).expect("output in UTF-8");
        json!({
            "free_ms": free_ms,
            "took_ms": took_ms,
            "still_free": bind(self.port).is_ok(),
            "exit": code,
            "died": self.died(),
            "innocent": self.innocent(),
            "listener_broken": self.listens && self.owner_lives() && !on(self.port, State::Listen),
            "said": said(&text),
        })
    }

    fn died(&mut self) -> Vec<&'static str> {
        let dead = |actor: &mut Actor| actor.has_ended().then_some(actor.name);
        self.actors.iter_mut().filter_map(dead).collect()
    }

    fn owner_lives(&mut self) -> bool {
        self.actors.iter_mut().any(|actor| !actor.is_innocent && !actor.has_ended())
    }

    /// What was harmed that has nothing to do with the port, or is only the other end.
    fn innocent(&mut self) -> Vec<&'static str> {
        let dead =
            |actor: &mut Actor| (actor.is_innocent && actor.has_ended()).then_some(actor.name);
        let mut harmed: Vec<&str> = self.actors.iter_mut().filter_map(dead).collect();
        if !on(self.bystander, State::Listen) {
            harmed.push("its listener");
        }
        let connection = states::on_port(self.bystander)
            .into_iter()
            .any(|socket| socket.state == State::Established && socket.remote == Some(self.client));
        if !connection {
            harmed.push("its connection");
        }
        harmed
    }
}

impl Actor {
    fn start(
        name: &'static str,
        is_innocent: bool,
        first: Option<OwnedFd>,
        second: Option<OwnedFd>,
    ) -> Self {
        let stdio = |socket: Option<OwnedFd>| socket.map_or_else(Stdio::null, Stdio::from);
        let mut command = Command::new(env::current_exe().expect("this program's path"));
        command.args(["hold", name]).stdin(stdio(first)).stdout(stdio(second));
        Self { name, is_innocent, child: command.spawn().expect("another of this program") }
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }
}

/// The ways in which a port is busy.
fn sockets_of(scene: &str, namespace: &Namespace, port: u16) -> Sockets {
    let guilty = |socket| Sockets { guilty: vec![socket], remote: None };
    match scene {
        "crowd" => Sockets::default(),
        "listener" => guilty(listening(port)),
        "bound" => guilty(states::bound(&request(port))),
        "three-holders" => {
            let listener = listening(port);
            let copy = || listener.try_clone().expect("a copy");
            Sockets { guilty: vec![copy(), copy(), copy()], remote: None }
        }
        "client" => client(namespace, port, Origin::Lent),
        "named-client" => client(namespace, port, Origin::Named),
        _ => accepted(scene, port),
    }
}

/// The port is the local one of an outgoing connection, which has named it, or which the kernel has lent it.
fn client(namespace: &Namespace, port: u16, origin: Origin) -> Sockets {
    let server = listening(port + 2);
    let local = match origin {
        Origin::Named => states::bound(&request(port)),
        Origin::Lent => {
            namespace.set("ipv4/ip_local_port_range", &format!("{port} {port}"));
            sockets::open(Transport::Tcp, Family::V4)
        }
    };
    sockets::connect(&local, (Ipv4Addr::LOCALHOST, port + 2).into()).expect("a connection");
    states::wait_for(port, |socket| socket.state == State::Established);
    namespace.set("ipv4/ip_local_port_range", "32768 60999");
    let remote = sockets::accept(&server, Uid(0));
    Sockets { guilty: vec![local], remote }
}

/// A connection that a server accepted on the port before it closed its listener.
fn accepted(scene: &str, port: u16) -> Sockets {
    let listener = listening(port);
    let pair = states::established(&listener, (Ipv4Addr::LOCALHOST, port).into());
    drop(listener);
    match scene {
        "time-wait" => {
            states::time_wait(pair);
            Sockets::default()
        }
        "orphan" => Sockets { guilty: Vec::new(), remote: Some(states::orphan_fin_wait_2(pair)) },
        "held-fin-wait-2" => {
            shutdown(&pair.ours, Shutdown::Write).expect("a half-close");
            states::wait_for(port, |socket| socket.state == State::FinWait2);
            Sockets { guilty: vec![pair.ours], remote: Some(pair.peer) }
        }
        "close-wait" => {
            let Pair { ours, peer } = pair;
            drop(peer);
            states::wait_for(port, |socket| socket.state == State::CloseWait);
            Sockets { guilty: vec![ours], remote: None }
        }
        "worker" => Sockets { guilty: vec![pair.ours], remote: Some(pair.peer) },
        other => panic!("no scene is called {other:?}: {USAGE}"),
    }
}

fn listening(port: u16) -> OwnedFd {
    states::listening(&request(port))
}

/// A bind of the wildcard without options, as most servers that were not thought about make it.
fn request(port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: Ipv4Addr::UNSPECIFIED.into(),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

fn bind(port: u16) -> Result<(), lastack_model::errno::Errno> {
    let socket = sockets::open(Transport::Tcp, Family::V4);
    sockets::bind(&socket, (Ipv4Addr::UNSPECIFIED, port).into())
}

fn on(port: u16, state: State) -> bool {
    states::on_port(port).iter().any(|socket| socket.state == state)
}

/// The last line that is a sentence of its own.
fn said(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    let mut own = lines.filter(|line| !line.is_empty() && !line.starts_with(char::is_whitespace));
    own.next_back().unwrap_or_default().to_owned()
}

const CROWD: u32 = 100_000;
/// How long a port that stays taken is watched.
const PATIENCE: Duration = Duration::from_secs(2);
/// And how long after the program has ended, however long it took.
const AFTERWARDS: Duration = Duration::from_millis(200);
const BETWEEN_PROBES: Duration = Duration::from_millis(1);
