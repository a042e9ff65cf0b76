//! A directory for one test, a server to be run in it, and the ending of what was started.

use lastack_lab::owner;
use lastack_lab::program::{Process, run};
use lastack_lab::states::{on_port, wait_until};
use lastack_model::ids::Pid;
use lastack_model::state::State;
use lastack_os::act::stop::{Kill, Stopped, stop};
use lastack_os::process::{Ended, Handle};
use rustix::process::Signal;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A directory that is removed when dropped.
pub(crate) struct Scratch(PathBuf);

/// A supervisor that a test started, and how it is ended with all it runs.
pub(crate) struct Supervisor {
    process: Process,
    farewell: Vec<Vec<String>>,
}

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lastack-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        let scratch = Self(path.canonicalize().expect("its path"));
        scratch.write("server.py", SERVER);
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    /// Whether what was put into it is still there.
    pub(crate) fn is_there(&self) -> bool {
        self.0.join("server.py").exists()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    /// A program of the shell.
    pub(crate) fn script(&self, name: &str, text: &str) {
        self.write(name, &format!("#!/bin/sh\n{text}\n"));
        let path = self.0.join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    /// The command line of a server that holds the port until it is ended.
    pub(crate) fn server(&self, port: u16) -> String {
        format!("/usr/bin/python3 {} {port}", self.path("server.py"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Supervisor {
    /// Starts a supervisor; the farewell is run before it is killed.
    pub(crate) fn start(command: &[&str], farewell: &[&[&str]]) -> Self {
        let mut start = Command::new(command[0]);
        start.args(&command[1..]).stdout(Stdio::null());
        let words = |words: &&[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self { process: Process::start(&mut start), farewell: farewell.iter().map(words).collect() }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid(self.process.pid())
    }

    pub(crate) fn has_ended(&self) -> bool {
        let handle = Handle::by_pid(self.pid()).expect("asked");
        handle.is_none_or(|handle| handle.ended() == Ended::Yes)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let family = below(self.pid());
        for command in &self.farewell {
            let own = self.process.pid().to_string();
            let words = command.iter().map(|word| if word == "PID" { &own } else { word });
            let words: Vec<&String> = words.collect();
            let _ = Command::new(words[0]).args(&words[1..]).output();
        }
        // What is left after the farewell would write into the directory that is removed next.
        for member in family {
            if member.wait(Duration::from_secs(10)) == Ended::No {
                let _ = member.signal(Signal::KILL);
            }
        }
    }
}

/// A process and all below it, held.
fn below(pid: Pid) -> Vec<Handle> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_ascii_whitespace().filter_map(|child| child.parse().ok());
    let own = Handle::by_pid(pid).ok().flatten();
    own.into_iter().chain(children.map(Pid).flat_map(below)).collect()
}

/// Waits until servers listen on all these ports.
pub(crate) fn listening(ports: &[u16]) {
    for port in ports {
        wait_until("the server listens", || {
            on_port(*port).iter().any(|socket| socket.state == State::Listen)
        });
    }
}

/// Stops the owner of [`WEB`], which must take exactly this command, while the server of [`SIBLING`] lives on with
/// its process, and a client of both does.
pub(crate) fn assert_stopped_by(expected: &str, also: &[&str]) {
    let sibling = owner::pids(SIBLING);
    let client = TcpStream::connect(("127.0.0.1", SIBLING)).expect("a connection");
    let stops = owner::stops(WEB).unwrap_or_else(|hindrances| panic!("{hindrances:?}"));
    let [only] = &stops[..] else { panic!("one stop: {stops:?}") };
    assert_eq!(only.means.command(&only.processes), expected);
    let companions: Vec<&str> = only.also.iter().map(|companion| &*companion.name).collect();
    assert_eq!(companions, also);
    let outcome = stop(only, &owner::terms(Kill::Never));
    assert!(matches!(outcome, Ok(Stopped::Ended { .. })), "{outcome:?}");
    drop(TcpListener::bind(("127.0.0.1", WEB)).expect("the port is free"));
    assert_eq!(owner::pids(SIBLING), sibling, "the bystander lives");
    assert!(client.peer_addr().is_ok() && client.take_error().is_ok_and(|error| error.is_none()));
}

/// A program that `cargo xtask test` installed with npm.
pub(crate) fn from_npm(name: &str) -> PathBuf {
    let installed =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/npm/node_modules/.bin");
    let programs = std::env::var_os("LASTACK_NPM_PROGRAMS").map_or_else(installed, PathBuf::from);
    let path = programs.join(name);
    assert!(
        path.is_file(),
        "{} is missing: `cargo xtask test` installs it; or name its directory in LASTACK_NPM_PROGRAMS",
        path.display()
    );
    path
}

/// The output of a command that asks a supervisor.
pub(crate) fn asked(command: &[&str]) -> String {
    let answer = run(Command::new(command[0]).args(&command[1..]));
    answer.stdout + &answer.stderr
}

/// Waits until the supervisor's answer has this word in it.
pub(crate) fn wait_until_said(command: &[&str], word: &str) {
    wait_until(&format!("{command:?} says {word}"), || asked(command).contains(word));
}

/// The port whose owner is stopped, and the bystander's.
pub(crate) const WEB: u16 = 8001;
pub(crate) const SIBLING: u16 = 8002;

/// A server that holds a port and does nothing else.
pub(crate) const SERVER: &str = "\
import socket, sys, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', int(sys.argv[1])))
server.listen()
while True:
    time.sleep(1000)
";
