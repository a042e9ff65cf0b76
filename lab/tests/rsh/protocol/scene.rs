//! Two hosts, a carrier on this one, and what is left when a command is over.

use super::server::{Caller, listen};
use lastack_graceful::ports::Ports;
use lastack_lab::link::{HERE, OtherHost, THERE, ip};
use lastack_lab::namespace::Namespace;
use lastack_lab::states::wait_until;
use lastack_rsh::rcmd::{Errors, Options, Rsh};
use lastack_rsh::{Carrier, Limits, Output, Piece, Report, Signal, Source, Stdin, Stop, Task};
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

pub(crate) struct Scene {
    pub(crate) far: OtherHost,
    pub(crate) rsh: Rsh,
    pub(crate) runtime: Runtime,
    _namespace: Namespace,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) report: Report,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Scene {
    pub(crate) fn with(errors: Errors) -> Self {
        Self::set_up(|options| options.errors = errors)
    }

    pub(crate) fn set_up(change: impl FnOnce(&mut Options)) -> Self {
        let namespace = Namespace::enter();
        let far = OtherHost::joined_to(&namespace);
        let mut options = Options::new("joe");
        change(&mut options);
        let rsh = Rsh::new(Ports::reserved(), options).expect("a carrier");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { far, rsh, runtime, _namespace: namespace }
    }

    /// A server on the other host.
    pub(crate) fn server(&self, script: impl Fn(Caller) + Clone + Send + 'static) {
        self.far.run(move |_| listen(SocketAddr::from((THERE, 514)), script));
    }

    /// The same for IPv6.
    pub(crate) fn server_v6(&self, script: impl Fn(Caller) + Clone + Send + 'static) {
        ip(&format!("address add {HERE_V6}/64 dev out nodad"));
        self.far.run(move |_| {
            ip(&format!("address add {THERE_V6}/64 dev in nodad"));
            let at = SocketAddr::from((THERE_V6, 514));
            wait_until("the address is usable", || std::net::TcpListener::bind(at).is_ok());
            listen(at, script);
        });
    }

    pub(crate) fn run(&self, command: &str) -> Came {
        self.carry(task(command))
    }

    pub(crate) fn carry(&self, task: Task) -> Came {
        self.carry_until(task, |_| std::future::pending())
    }

    /// Carries a task; `stop` sees what has come so far after each piece, and ends by telling it to stop.
    pub(crate) fn carry_until<F: Future<Output = Signal>>(
        &self,
        task: Task,
        stop: impl FnOnce(mpsc::Receiver<()>) -> F,
    ) -> Came {
        self.carry_by(&self.rsh, task, stop)
    }

    /// The same, by this carrier.
    pub(crate) fn carry_by<F: Future<Output = Signal>>(
        &self,
        carrier: &impl Carrier,
        task: Task,
        stop: impl FnOnce(mpsc::Receiver<()>) -> F,
    ) -> Came {
        collect(&self.runtime, carrier, task, stop)
    }

    /// Another carrier with the same pool and options of its own.
    pub(crate) fn carrier(&self, change: impl FnOnce(&mut Options)) -> Rsh {
        let mut options = Options::new("joe");
        change(&mut options);
        Rsh::new(self.rsh.ports().clone(), options).expect("a carrier")
    }

    /// Nothing is left: every port is free again or listened on, and no socket is open but listeners.
    pub(crate) fn assert_nothing_is_left(&self) {
        let standing = self.rsh.ports().standing(SocketAddr::from((THERE, 514)));
        assert_eq!((standing.lent, standing.quarantined), (0, 0), "{standing:?}");
        wait_until("no socket is open", || open_sockets().is_empty());
    }
}

impl Came {
    pub(crate) fn text(&self) -> (&str, &str) {
        let text = |octets| std::str::from_utf8(octets).expect("text");
        (text(&self.stdout), text(&self.stderr))
    }

    pub(crate) fn failure(&self) -> &lastack_rsh::Failure {
        self.report.result.as_ref().expect_err("it failed")
    }
}

/// Carries a task; `stop` sees that something came after each piece, and ends by telling it to stop.
pub(crate) fn collect<F: Future<Output = Signal>>(
    runtime: &Runtime,
    carrier: &impl Carrier,
    task: Task,
    stop: impl FnOnce(mpsc::Receiver<()>) -> F,
) -> Came {
    let (puller, cord) = Stop::new();
    let (queue, mut pieces) = mpsc::channel(16);
    let (heard, news) = mpsc::channel(1);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let report = runtime.block_on(async {
        let running = carrier.run(task, Output::new(0, queue), cord);
        let collecting = async {
            while let Some(Piece { source, octets, .. }) = pieces.recv().await {
                match source {
                    Source::Stdout => stdout.extend(octets),
                    Source::Stderr => stderr.extend(octets),
                }
                let _ = heard.try_send(());
            }
        };
        let stopping = async {
            let signal = stop(news).await;
            puller.send(Some(signal)).expect("it runs");
            std::future::pending::<()>().await;
        };
        tokio::select! {
            (report, ()) = async { tokio::join!(running, collecting) } => report,
            () = stopping => unreachable!("it waits for ever"),
        }
    });
    Came { report, stdout, stderr }
}

pub(crate) fn task(command: &str) -> Task {
    Task {
        host: THERE.to_string().into(),
        user: None,
        command: command.as_bytes().into(),
        stdin: Stdin::Nothing,
        limits: Limits { connect: SOON, command: Some(SOON), grace: Duration::from_millis(500) },
    }
}

/// The same, with so little time to connect or to run.
pub(crate) fn hurried(command: &str, connect: Duration, run: Duration) -> Task {
    let limits = Limits { connect, command: Some(run), ..task("").limits };
    Task { limits, ..task(command) }
}

/// Asserts that something took about this long: not less, and not much more.
pub(crate) fn assert_took(report: &Report, time: Duration) {
    assert!((time..time + LATE).contains(&report.elapsed), "{report:?}: not about {time:?}");
}

/// The sockets of this thread's namespace that are neither listening nor in `TIME_WAIT`.
fn open_sockets() -> Vec<String> {
    let table = |name| {
        std::fs::read_to_string(format!("/proc/thread-self/net/{name}")).expect("the sockets")
    };
    let lines = table("tcp") + &table("tcp6");
    let is_open = |line: &&str| {
        let state = line.split_whitespace().nth(3).unwrap_or_default();
        line.contains(':') && !matches!(state, "06" | "0A" | "st")
    };
    lines.lines().filter(is_open).map(str::to_owned).collect()
}

/// So many sockets here know that the other side has closed (`CLOSE_WAIT`).
pub(crate) fn waiting_to_close() -> usize {
    let is_waiting = |line: &&String| line.split_whitespace().nth(3) == Some("08");
    open_sockets().iter().filter(is_waiting).count()
}

/// So many sockets are in `TIME_WAIT` here: on ports toward the server's, and on others.
pub(crate) fn time_waits() -> (usize, usize) {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").expect("the sockets");
    let fields =
        |line: &str| line.split_whitespace().skip(1).take(3).map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<_> = table.lines().skip(1).map(fields).filter(|row| row[2] == "06").collect();
    let main = rows.iter().filter(|row| row[..2].iter().any(|end| end.ends_with(":0202"))).count();
    (main, rows.len() - main)
}

/// Long enough for everything that should come.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// What a busy machine may add.
pub(crate) const LATE: Duration = Duration::from_secs(5);
pub(crate) const HERE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
pub(crate) const THERE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);
pub(crate) const OURS: std::net::Ipv4Addr = HERE;
