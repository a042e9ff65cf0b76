//! Commands over rsh and ssh, beside the clients there are: `cargo xtask bench rsh [COMMANDS] [PART...]`, as root.
//!
//! COMMANDS is how many ours runs in each row (20,000 if not said); the others, which stop after some hundred, are given
//! as many and a minute. Each row has fresh servers in fresh namespaces. Without a part everything is measured: [`WHO`],
//! where ([`WHERE`]), and how the TCP is set ([`TIMESTAMPS`]).

use lastack_graceful::ports::Ports;
use lastack_lab::carried::{Carriage, task};
use lastack_lab::naive::{self, Search};
use lastack_lab::namespace::Namespace;
use lastack_lab::program;
use lastack_lab::rshd::{Rshd, TimeWaits};
use lastack_lab::sshd::Sshd;
use lastack_lab::stock::{Client, Tally};
use lastack_rsh::rcmd::{Errors, Options, Rsh, Session};
use std::env;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let (numbers, parts): (Vec<_>, Vec<_>) =
        words.iter().partition(|word| word.bytes().all(|octet| octet.is_ascii_digit()));
    let commands = numbers.first().map_or(20_000, |word| word.parse().expect("a number"));
    let wanted = Wanted { parts: parts.into_iter().cloned().collect() };
    wanted.check();
    if wanted.any(&["stock", "ours"]) {
        sustained(commands, &wanted);
    }
    if wanted.is(&WHO, "turns") {
        in_turns();
    }
    if wanted.is(&WHO, "at-once") {
        at_once();
    }
    if wanted.is(&WHO, "session") {
        sessions(commands / 10);
    }
    if wanted.is(&WHO, "ssh") {
        apart(ssh);
    }
}

/// The parts that were named.
#[derive(Clone, Debug)]
struct Wanted {
    parts: Vec<String>,
}

impl Wanted {
    fn check(&self) {
        for part in &self.parts {
            let known = WHO.iter().chain(&WHERE).chain(&TIMESTAMPS).any(|known| part == known);
            assert!(known, "no part {part:?}: there are {WHO:?}, {WHERE:?}, {TIMESTAMPS:?}");
        }
    }

    /// Whether this one of the kind is wanted: it is named, or none of the kind is.
    fn is(&self, kind: &[&str], part: &str) -> bool {
        let named = |part: &str| self.parts.iter().any(|word| word == part);
        named(part) || !kind.iter().any(|part| named(part))
    }

    fn any(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.is(&WHO, part))
    }
}

/// The other clients, ours, the fastest of the others and ours in short turns, a thousand commands at the same time, many
/// commands on one connection, ssh.
const WHO: [&str; 6] = ["stock", "ours", "turns", "at-once", "session", "ssh"];
const WHERE: [&str; 2] = ["one-host", "eight-hosts"];
const TIMESTAMPS: [&str; 2] = ["on", "off"];

/// Does something in a thread of its own, whose namespace ends with it.
fn apart<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(act).join().expect("a measurement"))
}

/// A row of the first table: where, and who.
#[derive(Clone, Copy, Debug)]
struct Row {
    servers: u8,
    timestamps: bool,
    who: Who,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Stock(Client),
    Naive,
    Ours(Errors),
}

fn sustained(commands: u32, wanted: &Wanted) {
    println!(
        "{:<24}{:>6}{:>6}{:>8}{:>8}{:>9}{:>8}{:>8}{:>13}{:>13}",
        "client",
        "hosts",
        "stamps",
        "ok",
        "failed",
        "first at",
        "s",
        "cmd/s",
        "TW here",
        "TW there"
    );
    let others = Client::ALL.map(Who::Stock).into_iter().chain([Who::Naive]);
    let others = others.filter(|_| wanted.is(&WHO, "stock"));
    let ways = [Errors::Merged, Errors::Acknowledged, Errors::Early].map(Who::Ours);
    let all: Vec<Who> =
        others.chain(ways.into_iter().filter(|_| wanted.is(&WHO, "ours"))).collect();
    for (servers, place) in [1, 8].into_iter().zip(WHERE) {
        for (timestamps, word) in [true, false].into_iter().zip(TIMESTAMPS) {
            for who in &all {
                if wanted.is(&WHERE, place) && wanted.is(&TIMESTAMPS, word) {
                    let row = Row { servers, timestamps, who: *who };
                    println!("{}", apart(move || row.measure(commands)));
                }
            }
        }
    }
}

/// The rates of turns so short that nobody fails yet, and their ratio to `pdsh`'s in the same round: the machine is not as
/// fast in one minute as in the next.
fn in_turns() {
    println!("\n{TURN} commands each, on 8 hosts, {TURNS} rounds in turns");
    println!("{:<24}{:>14}{:>16}", "client", "median cmd/s", "median ratio");
    let ways = [Errors::Merged, Errors::Acknowledged, Errors::Early].map(Who::Ours);
    let all: Vec<Who> = [Who::Stock(Client::Pdsh)].into_iter().chain(ways).collect();
    let mut rates = vec![Vec::new(); all.len()];
    for round in 0..TURNS {
        // Nobody is always behind the same one.
        for at in (0..all.len()).map(|at| (at + round) % all.len()) {
            let row = Row { servers: 8, timestamps: true, who: all[at] };
            rates[at].push(apart(move || {
                let tally = row.run(TURN).0;
                assert_eq!(tally.failed, 0, "{row:?}: {tally:?}");
                rate(tally.succeeded, tally.elapsed)
            }));
        }
    }
    for (who, own) in all.iter().zip(&rates) {
        let ratios = own.iter().zip(&rates[0]).map(|(own, pdsh)| own / pdsh);
        println!(
            "{:<24}{:>14.0}{:>16.3}",
            who.name(),
            median(own.clone()),
            median(ratios.collect())
        );
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

impl Row {
    fn measure(self, commands: u32) -> String {
        let (tally, rshd) = self.run(commands);
        self.shown(&tally, &rshd)
    }

    fn run(self, commands: u32) -> (Tally, Rshd) {
        let here = Namespace::enter();
        let rshd = Rshd::started(&here, self.servers, 1);
        if !self.timestamps {
            rshd.without_timestamps(&here);
        }
        let tally = match self.who {
            Who::Stock(client) => client.run(&rshd, commands, AT_ONCE, A_MINUTE),
            Who::Naive => self.naive(commands),
            Who::Ours(errors) => {
                ours(errors).count(&hosts(self.servers), commands, AT_ONCE as usize)
            }
        };
        (tally, rshd)
    }

    /// One after the other, as long as it goes.
    fn naive(self, commands: u32) -> Tally {
        let began = Instant::now();
        let mut tally = Tally::default();
        for number in 0..commands {
            let server = (number % u32::from(self.servers)) as u8 + 1;
            match naive::run(Rshd::address(server, 0), "echo ok", Search::Reusing) {
                Ok(_) => tally.succeed(),
                Err(failure) => tally.fail(&format!("{failure:?}")),
            }
            if began.elapsed() > A_MINUTE || tally.failed >= 1000 {
                break;
            }
        }
        tally.elapsed = began.elapsed();
        tally
    }

    fn shown(self, tally: &Tally, rshd: &Rshd) -> String {
        let here = TimeWaits::here();
        let there = (1..=self.servers).map(|server| rshd.time_waits(server)).fold(
            TimeWaits::default(),
            |sum, it| TimeWaits {
                commands: sum.commands + it.commands,
                errors: sum.errors + it.errors,
            },
        );
        let first = tally.before_failure.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let waits = |waits: TimeWaits| format!("{} + {}", waits.commands, waits.errors);
        let mut line = format!(
            "{:<24}{:>6}{:>6}{:>8}{:>8}{:>9}{:>8.1}{:>8.0}{:>13}{:>13}",
            self.who.name(),
            self.servers,
            if self.timestamps { "on" } else { "off" },
            tally.succeeded,
            tally.failed,
            first,
            tally.elapsed.as_secs_f64(),
            rate(tally.succeeded, tally.elapsed),
            waits(here),
            waits(there),
        );
        if let Some((words, times)) = tally.complaints.iter().max_by_key(|(_, times)| **times) {
            let _ = write!(line, "\n    {times} times: {words}");
        }
        line
    }
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Stock(client) => client.name(),
            Self::Naive => "naive search, in turn",
            Self::Ours(Errors::Merged) => "lastack, merged",
            Self::Ours(Errors::Early) => "lastack, early",
            Self::Ours(Errors::Acknowledged) => "lastack, acknowledged",
        }
    }
}

fn ours(errors: Errors) -> Carriage<Rsh> {
    let mut options = Options::new("root");
    options.errors = errors;
    Carriage::new(|| Rsh::new(Ports::reserved(), options).expect("a carrier"))
}

fn hosts(servers: u8) -> Vec<String> {
    (1..=servers).map(|server| Rshd::address(server, 0).to_string()).collect()
}

/// A thousand commands of eight seconds at the same time, over eight servers.
fn at_once() {
    println!("\n1,000 commands of 8 s at the same time, 8 hosts");
    println!("{:<24}{:>8}{:>8}{:>8}", "client", "ok", "failed", "s");
    let line = |name: &str, ok: usize, began: Instant| {
        let (failed, elapsed) = (1000 - ok, began.elapsed().as_secs_f64());
        println!("{name:<24}{ok:>8}{failed:>8}{elapsed:>8.1}");
    };
    apart(|| {
        let here = Namespace::enter();
        let rshd = Rshd::started(&here, 8, 1);
        let mut pdsh = rshd.command("pdsh");
        pdsh.args(["-R", "rsh", "-f", "1000", "-w", "all[1-1000]", "sleep 8; echo ok"]);
        let began = Instant::now();
        let run = program::run(&mut pdsh);
        line(
            "pdsh -R rsh",
            run.stdout.lines().filter(|line| line.ends_with(": ok")).count(),
            began,
        );
    });
    for errors in [Errors::Merged, Errors::Acknowledged, Errors::Early] {
        apart(|| {
            let here = Namespace::enter();
            let _rshd = Rshd::started(&here, 8, 1);
            let tasks = (0..1000).map(|n| {
                let mut task = task(&hosts(8)[n % 8], "sleep 8; echo ok");
                task.limits.connect = A_MINUTE;
                task
            });
            let began = Instant::now();
            let carried = ours(errors).all(tasks.collect(), 1000, |_| {});
            let ok = carried.iter().filter(|it| it.report.result == Ok(0)).count();
            line(Who::Ours(errors).name(), ok, began);
        });
    }
}

/// One command after the other to one host: each on a connection of its own, and all on one.
fn sessions(commands: u32) {
    println!("\none command after the other, 1 host");
    println!("{:<24}{:>8}{:>8}{:>8}{:>8}", "client", "ok", "failed", "s", "cmd/s");
    let line = |name: &str, tally: &Tally| {
        let (ok, seconds) = (tally.succeeded, tally.elapsed.as_secs_f64());
        let rate = rate(ok, tally.elapsed);
        println!("{name:<24}{ok:>8}{:>8}{seconds:>8.1}{rate:>8.0}", tally.failed);
    };
    apart(|| {
        let here = Namespace::enter();
        let _rshd = Rshd::started(&here, 1, 1);
        line("one connection each", &ours(Errors::Merged).count(&hosts(1), commands, 1));
        let rsh = || Rsh::new(Ports::reserved(), Options::new("root")).expect("a carrier");
        let session = Carriage::new(|| Session::new(rsh()));
        line("session", &session.count(&hosts(1), commands, 1));
    });
}

/// 200 addresses of one `sshd`, 32 at once; the rounds of all take turns.
fn ssh() {
    let here = Namespace::enter();
    let sshd = Sshd::started(&here);
    let lastack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/lastack");
    let lastack = env::var_os("LASTACK_BIN").map_or(lastack, Into::into);
    let clients: [(&str, Command); 3] = [
        (
            "lastack rsh",
            with(&sshd, &lastack, &["rsh", "-f", "32", "-w", "node[1-200]", "echo ok"]),
        ),
        (
            "pdsh -R ssh",
            with(
                &sshd,
                Path::new("pdsh"),
                &["-R", "ssh", "-f", "32", "-w", "node[1-200]", "echo ok"],
            ),
        ),
        (
            "clush",
            with(&sshd, Path::new("clush"), &["-q", "-f", "32", "-w", "node[1-200]", "echo ok"]),
        ),
    ];
    let mut clients = clients.map(|(name, command)| (name, command, Vec::new(), 0));
    for _ in 0..SSH_ROUNDS {
        for (_, command, times, answers) in &mut clients {
            let began = Instant::now();
            let run = program::run(command);
            times.push(began.elapsed());
            *answers += run.stdout.lines().filter(|line| line.ends_with(": ok")).count();
        }
    }
    println!("\nssh to 200 addresses, 32 at once, {SSH_ROUNDS} rounds in turns");
    println!(
        "{:<24}{:>10}{:>10}{:>10}{:>12}",
        "client", "answers", "median s", "best s", "worst s"
    );
    for (name, _, mut times, answers) in clients {
        times.sort_unstable();
        let seconds = |at: usize| times[at].as_secs_f64();
        println!(
            "{name:<24}{answers:>10}{:>10.1}{:>10.1}{:>12.1}",
            seconds(times.len() / 2),
            seconds(0),
            seconds(times.len() - 1)
        );
    }
}

fn with(sshd: &Sshd, program: &Path, arguments: &[&str]) -> Command {
    let mut command = sshd.command(program);
    command.args(arguments);
    command
}

fn rate(count: usize, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / elapsed.as_secs_f64()
}

const AT_ONCE: u32 = 32;
const A_MINUTE: Duration = Duration::from_secs(60);
const SSH_ROUNDS: usize = 3;
const TURN: u32 = 500;
const TURNS: usize = 15;
