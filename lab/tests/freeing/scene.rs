//! An address that is to be made usable, `lastack free` on it, and the checks that hold for every attempt.

use crate::validate;
use lastack_lab::paper::assert_clean;
use lastack_lab::program::{self, NOBODY, Process, Run, User, undisturbed};
use lastack_lab::sockets;
use lastack_lab::states::{self, Pair};
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::Transport;
use lastack_model::ids::{Cookie, Port, Uid};
use lastack_model::state::State;
use lastack_os::sock_diag::{Filter, fold};
use rustix::fd::OwnedFd;
use serde_json::Value;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// The least leave with which an address becomes usable.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Leave {
    /// None.
    None,
    /// `--yes`.
    Yes,
    /// `--yes --stop`.
    Stop,
    /// `--yes --kill`.
    Kill,
}

/// One address, and how `lastack free` is called for it.
pub(crate) struct Attempt<'a> {
    user: User,
    through: Vec<String>,
    arguments: Vec<&'a str>,
    innocent: Vec<u32>,
}

impl Leave {
    const ALL: [Self; 4] = [Self::None, Self::Yes, Self::Stop, Self::Kill];

    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Yes => &["--yes"],
            Self::Stop => &["--yes", "--stop", "--grace", "2s"],
            Self::Kill => &["--yes", "--kill", "--grace", "100ms"],
        }
    }
}

impl<'a> Attempt<'a> {
    /// To make this address usable, as root.
    pub(crate) fn on(place: &'a str) -> Self {
        let (through, innocent) = (Vec::new(), Vec::new());
        Self { user: User::Root, through, arguments: vec![place], innocent }
    }

    /// As an ordinary user.
    pub(crate) fn by_nobody(mut self) -> Self {
        self.user = User::Nobody;
        self
    }

    /// With these further arguments.
    pub(crate) fn with(mut self, arguments: &[&'a str]) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// Started by this command.
    pub(crate) fn through(mut self, command: &[&str]) -> Self {
        self.through = command.iter().map(ToString::to_string).collect();
        self
    }

    /// These processes must live on.
    pub(crate) fn sparing(mut self, innocent: &[u32]) -> Self {
        self.innocent.extend(innocent);
        self
    }

    /// Checks that the address is made usable with this leave and that nothing at all happens with less.
    pub(crate) fn frees_with(self, least: Leave) -> Run {
        let requests = self.asks_in_vain_below(least);
        let end = self.run(least.flags());
        assert_eq!(end.code, Some(0), "{end:#?}");
        assert!(end.stdout.contains("is free to bind."), "{}", end.stdout);
        for request in &requests {
            assert_eq!(really(request), None, "{request:?}: {}", end.stdout);
        }
        self.assert_innocent_live();
        end
    }

    /// Checks that nothing happens with whatever leave, and that the address stays unusable.
    pub(crate) fn refuses(self) -> Run {
        let requests = self.asks_in_vain_below(Leave::Kill);
        let before = sockets_here();
        let end = self.run(Leave::Kill.flags());
        assert_eq!(end.code, Some(1), "{end:#?}");
        assert!(!end.stdout.contains("is free to bind."), "{}", end.stdout);
        assert!(end.stdout.contains("What cannot be done"), "{}", end.stdout);
        assert!(end.stdout.contains("Nothing was done."), "{}", end.stdout);
        assert_eq!(sockets_here(), before, "nothing is touched: {}", end.stdout);
        assert!(requests.iter().any(|request| really(request).is_some()), "{}", end.stdout);
        self.assert_innocent_live();
        end
    }

    /// Checks that it is usable already and that nothing is done, with whatever leave.
    pub(crate) fn finds_it_free(self) {
        let before = sockets_here();
        let end = self.run(&["--yes", "--kill"]);
        assert_eq!(end.code, Some(0), "{end:#?}");
        assert!(end.stdout.contains("is free to bind."), "{}", end.stdout);
        assert_eq!(sockets_here(), before, "nothing is touched: {}", end.stdout);
        self.assert_innocent_live();
    }

    /// Runs it with these further arguments, and checks what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let lastack = match self.user {
            User::Root => program::path(),
            User::Nobody => program::path_for_anybody(),
        };
        let lastack = lastack.into_os_string().into_string().expect("a path in UTF-8");
        let mut words = self.through.clone();
        words.push(lastack);
        words.push("free".into());
        words.extend(self.arguments.iter().chain(arguments).map(ToString::to_string));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        if self.user == User::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        let run = program::run(&mut command);
        assert_eq!(run.stderr, "", "{run:#?}");
        if !arguments.contains(&"--json") {
            assert_clean(&run.stdout);
        }
        run
    }

    /// The same as one JSON object.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--json"]].concat());
        let answer = run.json();
        assert_eq!(answer["schema"], "lastack.free/1");
        assert_eq!(answer["exit"].as_i64(), run.code.map(i64::from), "{answer}");
        let schema = include_str!("../../../docs/schema/free.v1.json");
        let schema = serde_json::from_str(schema).expect("a schema");
        assert_eq!(validate::faults(&schema, &answer), [""; 0], "{answer}");
        answer
    }

    /// Asks with less than that leave, and checks that nothing happens. Gives the binds that were asked for.
    fn asks_in_vain_below(&self, least: Leave) -> Vec<Request> {
        let before = sockets_here();
        let dry = self.json(&["--dry-run"]);
        assert_eq!(dry["exit"], 1, "{dry}");
        assert_eq!(dry["done"], serde_json::json!([]));
        let requests = wanted(&dry["explanation"]);
        assert!(requests.iter().any(|request| really(request).is_some()), "it is in the way");
        for less in Leave::ALL.into_iter().filter(|less| *less < least) {
            let run = self.run(match less {
                Leave::Stop => &["--yes", "--stop", "--grace", "100ms"],
                _ => less.flags(),
            });
            assert_eq!(run.code, Some(1), "{less:?}: {run:#?}");
            assert!(run.stdout.contains(" in use.") || run.stdout.contains(" in part."));
            if least != Leave::Kill || less < Leave::Stop {
                assert!(run.stdout.contains("Nothing was done."), "{less:?}: {}", run.stdout);
            }
        }
        assert_eq!(sockets_here(), before, "nothing is touched without leave");
        self.assert_innocent_live();
        requests
    }

    fn assert_innocent_live(&self) {
        for pid in &self.innocent {
            assert!(runs(*pid), "pid {pid} is innocent and died");
        }
    }
}

/// The binds that an explanation is about.
pub(crate) fn wanted(explanation: &Value) -> Vec<Request> {
    let judgements = explanation["judgements"].as_array().expect("judgements");
    let request = |judgement: &Value| serde_json::from_value(judgement["request"].clone());
    judgements.iter().map(|judgement| request(judgement).expect("a request")).collect()
}

/// The kernel's own answer to a bind, and to the `listen()` that a TCP server makes of it.
pub(crate) fn really(request: &Request) -> Option<Errno> {
    undisturbed(|| {
        let socket = sockets::prepare(request);
        let bound = sockets::bind(&socket, sockets::address(request));
        let listens = request.transport == Transport::Tcp;
        bound.and_then(|()| if listens { sockets::listen(&socket, 1) } else { Ok(()) }).err()
    })
}

/// Every socket of the namespace that holds a port, by identity, state and address.
pub(crate) fn sockets_here() -> Vec<(Cookie, State, SocketAddr, Option<SocketAddr>)> {
    let mut all = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        let dump = fold(&Filter::all(transport), Vec::push).expect("a dump of all sockets");
        all.extend(dump.folded.into_iter().map(|s| (s.cookie, s.state, s.local, s.remote)));
    }
    all.sort_unstable_by_key(|(cookie, ..)| cookie.0);
    all
}

/// Whether a process runs: a zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// A process that holds this socket and nothing else, and does nothing.
pub(crate) fn holder(socket: OwnedFd) -> Process {
    holder_of(User::Root, socket, None)
}

/// The same, of this user, perhaps with a second socket.
pub(crate) fn holder_of(user: User, socket: OwnedFd, second: Option<OwnedFd>) -> Process {
    let mut command = Command::new("sleep");
    command.arg("1000").stdin(socket).stdout(second.map_or_else(Stdio::null, Stdio::from));
    if user == User::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    Process::start(&mut command)
}

/// A connection to a listener that is gone; our end is on the port.
pub(crate) fn connection(listener: &Request) -> Pair {
    let socket = states::listening(listener);
    let pair = states::established(&socket, sockets::local(&socket));
    drop(socket);
    pair
}

/// A bind of root's without options.
pub(crate) fn request(address: impl Into<IpAddr>, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

/// The same of the ordinary user.
pub(crate) fn nobodys(address: impl Into<IpAddr>, port: u16) -> Request {
    Request { uid: Uid(NOBODY), ..request(address, port) }
}

/// A port that no other test uses. Below the ephemeral range.
pub(crate) fn fresh_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(6000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The words of a text, without its line breaks.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The loopback address that most tests use.
pub(crate) const LOCAL: [u8; 4] = [127, 0, 0, 1];
/// Every IPv4 address.
pub(crate) const ANY: [u8; 4] = [0, 0, 0, 0];
