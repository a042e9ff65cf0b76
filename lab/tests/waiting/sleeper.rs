//! A running `lastack wait`, and what became of it.

use lastack_lab::program::{self, NOBODY, Run, User, undisturbed};
use lastack_lab::states::wait_until;
use lastack_model::bind::{Options, Request};
use lastack_model::facts::Transport;
use lastack_model::ids::{Port, Uid};
use serde_json::Value;
use std::cell::RefCell;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A `lastack wait` that was started; killed when dropped.
pub(crate) struct Sleeper(RefCell<Child>);

impl Sleeper {
    /// Starts it as root, and waits until it sleeps because it found that it must wait.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_as(User::Root, arguments)
    }

    pub(crate) fn start_as(user: User, arguments: &[&str]) -> Self {
        let sleeper = Self::spawn(&mut command(user, arguments));
        sleeper.wait_until_it_sleeps();
        sleeper
    }

    /// Starts a command that becomes or is `lastack`.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(RefCell::new(undisturbed(|| command.spawn()).expect("lastack starts")))
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0.borrow())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("a signal to our own child");
    }

    /// Waits until it sleeps, which it does only between two looks.
    pub(crate) fn wait_until_it_sleeps(&self) {
        wait_until("lastack sleeps", || self.sleeps());
    }

    fn sleeps(&self) -> bool {
        assert!(self.is_running(), "it ended instead of waiting: {:#?}", self.output());
        let tasks = format!("/proc/{}/task", self.0.borrow().id());
        let tasks = std::fs::read_dir(tasks).into_iter().flatten().flatten();
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("syscall")).ok()).any(
            |call| {
                let number = call.split(' ').next().and_then(|word| word.parse().ok());
                number == Some(libc::SYS_ppoll)
            },
        )
    }

    pub(crate) fn is_running(&self) -> bool {
        self.0.borrow_mut().try_wait().expect("our own child").is_none()
    }

    /// How it ended, which must be soon.
    pub(crate) fn end(self) -> Run {
        wait_until("lastack ends", || !self.is_running());
        self.output()
    }

    /// The JSON of a wait that must have been answered after some waiting.
    pub(crate) fn reached(self) -> Value {
        let run = self.end();
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
        let json = run.json();
        assert_eq!(json["outcome"], "reached", "{json}");
        assert!(json["looks"].as_u64() >= Some(1), "it did not have to wait: {json}");
        json
    }

    fn output(&self) -> Run {
        let mut child = self.0.borrow_mut();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let out = child.stdout.as_mut().expect("a pipe");
        out.read_to_string(&mut stdout).expect("output in UTF-8");
        let err = child.stderr.as_mut().expect("a pipe");
        err.read_to_string(&mut stderr).expect("output in UTF-8");
        Run { stdout, stderr, code: child.wait().expect("our own child").code() }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.get_mut().kill();
        let _ = self.0.get_mut().wait();
    }
}

/// `lastack wait` with these arguments, not started.
pub(crate) fn command(user: User, arguments: &[&str]) -> Command {
    // Tests that run in the background of a shell inherit interrupts that are ignored, and lastack respects that.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT");
    match user {
        User::Root => command.arg(program::path()),
        User::Nobody => command.arg(program::path_for_anybody()).uid(NOBODY).gid(NOBODY),
    };
    command.arg("wait").args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// A `lastack wait` that must end without any help, at once or at its time-out.
pub(crate) fn wait(user: User, arguments: &[&str]) -> Run {
    Sleeper::spawn(&mut command(user, arguments)).end()
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

/// A port that no other test uses, so that none is seen in the namespace of another. Below the ephemeral range.
pub(crate) fn fresh_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(6000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) const LOCAL: [u8; 4] = [127, 0, 0, 1];
