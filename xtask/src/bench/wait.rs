//! `cargo xtask bench wait`: how soon `lastack wait` runs its command once the port is free, beside a script that tries
//! every 100 ms; and what waiting costs with 100,000 sockets present.
//!
//! A port counts as free from the moment a bind of another process first succeeded.

use super::Programs;
use super::crowd::Crowd;
use crate::step::{self, Failure};
use lastack_model::ids::Pid;
use lastack_os::namespace::{self, Namespace};
use lastack_os::usage;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn run() -> Result<(), Failure> {
    let programs = Programs::build()?;
    promptness(&programs)?;
    thrift(&programs)
}

/// How a port comes to be free.
#[derive(Clone, Copy)]
enum Way {
    Closed,
    TimedOut,
}

/// A running `holder`, see `lab/src/bin/holder.rs`.
struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

fn promptness(programs: &Programs) -> Result<(), Failure> {
    let mut text = "\nFrom the first bind that succeeds to the command, 20 runs\n\n".to_owned();
    let _ = writeln!(
        text,
        "{:<28}{:<32}{:>10}{:>9}  goal",
        "a port that is freed by", "waited for by", "median ms", "most ms"
    );
    for (way, name) in
        [(Way::Closed, "a program's close()"), (Way::TimedOut, "the timer of an orphan")]
    {
        let mut holder = Holder::start(&programs.holder, &[PORT])?;
        let namespace = holder.namespace()?;
        for (waiter, goal) in [(lastack(programs), true), (script(programs), false)] {
            let mut late = Vec::new();
            for round in 0..ROUNDS {
                late.push(holder.lateness(way, &waiter, &namespace, round)?);
            }
            late.sort_by(f64::total_cmp);
            let (median, most) = (late[late.len() / 2], late[late.len() - 1]);
            let verdict = match (goal, median < PROMPT_MS) {
                (false, _) => String::new(),
                (true, met) => format!("  < {PROMPT_MS} ms {}", word(met)),
            };
            let _ =
                writeln!(text, "{name:<28}{:<32}{median:>10.1}{most:>9.1}{verdict}", waiter.name);
        }
    }
    step::say(&text)
}

struct Waiter {
    name: &'static str,
    words: Vec<String>,
}

fn lastack(programs: &Programs) -> Waiter {
    let path = |path: &Path| path.display().to_string();
    let words = [path(&programs.lastack), "wait".into(), PORT.into(), "--".into()];
    Waiter {
        name: "lastack wait",
        words: words.into_iter().chain([path(&programs.holder), "now".into()]).collect(),
    }
}

/// What people write by hand.
fn script(programs: &Programs) -> Waiter {
    let text = format!(
        "import os, socket, time\n\
         while True:\n    \
             s = socket.socket()\n    \
             try: s.bind(('0.0.0.0', {PORT})); break\n    \
             except OSError: s.close(); time.sleep(0.1)\n\
         s.close()\n\
         os.execv('{0}', ['{0}', 'now'])",
        programs.holder.display()
    );
    let words = vec!["python3".into(), "-c".into(), text];
    Waiter { name: "a script that tries every 100 ms", words }
}

impl Holder {
    fn start(program: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|cause| step::not_started(&command, &cause))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or_else(|| Failure::new("failed to read from holder: no pipe"))?;
        let mut holder = Self { child, input, output: BufReader::new(output) };
        holder.expect("ready")?;
        Ok(holder)
    }

    fn namespace(&self) -> Result<Namespace, Failure> {
        namespace::of_process(Pid(self.child.id())).map_err(|error| failed(&error))
    }

    fn tell(&mut self, word: &str) -> Result<(), Failure> {
        let input = self.input.as_mut().ok_or_else(|| Failure::new("holder has no stdin"))?;
        writeln!(input, "{word}")
            .map_err(|cause| Failure::new(format!("failed to write to holder: {cause}")))
    }

    fn hear(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(|cause| Failure::new(format!("failed to read from holder: {cause}")))?;
        Ok(line.trim().to_owned())
    }

    fn expect(&mut self, word: &str) -> Result<(), Failure> {
        match self.hear()? {
            line if line == word => Ok(()),
            line => Err(Failure::new(format!("holder said {line:?}, not {word:?}, see above"))),
        }
    }

    fn moment(&mut self) -> Result<i128, Failure> {
        let line = self.hear()?;
        line.parse().map_err(|_| Failure::new(format!("holder said {line:?}, which is no time")))
    }

    /// Milliseconds from the moment the port was free to the command's start.
    fn lateness(
        &mut self,
        way: Way,
        waiter: &Waiter,
        namespace: &Namespace,
        round: u32,
    ) -> Result<f64, Failure> {
        self.tell(match way {
            Way::Closed => "listener",
            Way::TimedOut => "orphan",
        })?;
        self.expect("held")?;
        let mut command = Command::new(&waiter.words[0]);
        command.args(&waiter.words[1..]).stdin(Stdio::null()).stdout(Stdio::piped());
        let started =
            namespace::within(namespace, || command.spawn()).map_err(|error| failed(&error))?;
        let mut child = started.map_err(|cause| step::not_started(&command, &cause))?;
        if matches!(way, Way::Closed) {
            // At another moment of the script's rhythm each time.
            std::thread::sleep(Duration::from_millis(300) + Duration::from_millis(7) * round);
            self.tell("release")?;
        }
        let free = self.moment()?;
        let mut text = String::new();
        if let Some(output) = child.stdout.as_mut() {
            let read = output.read_to_string(&mut text);
            read.map_err(|cause| Failure::new(format!("failed to read a time: {cause}")))?;
        }
        let _ = child.wait();
        let ran: i128 = text
            .trim()
            .parse()
            .map_err(|_| Failure::new(format!("{} ran no command: {text:?}", waiter.name)))?;
        // Within a few hundred years of now both numbers and their difference are exact enough.
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds between two moments of one run"
        )]
        Ok((ran - free) as f64 / 1e6)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(cause) = self.child.wait() {
            eprintln!("xtask: failed to wait for the holder's end: {cause}");
        }
    }
}

/// What waits and where: the sockets present, and what else holds the port.
struct Scene {
    name: &'static str,
    holder: Option<(&'static str, &'static [&'static str])>,
    arguments: &'static [&'static str],
}

const SCENES: &[Scene] = &[
    Scene { name: "TIME_WAITs on the port", holder: None, arguments: &[PORT] },
    Scene {
        name: "the same, --no-trial-bind",
        holder: None,
        arguments: &[PORT, "--no-trial-bind"],
    },
    Scene {
        name: "TIME_WAITs elsewhere, a listener here",
        holder: Some(("9", &["here"])),
        arguments: &["9"],
    },
    Scene {
        name: "the same, --no-trial-bind",
        holder: Some(("9", &["here"])),
        arguments: &["9", "--no-trial-bind"],
    },
    Scene {
        name: "reusable TIME_WAITs and a listener here",
        holder: Some((PORT, &["here"])),
        arguments: &[PORT, "--reuse-address"],
    },
    Scene {
        name: "TIME_WAITs elsewhere, --until listening",
        holder: None,
        arguments: &["9", "--until", "listening"],
    },
];

/// Waits ten seconds in each scene and prints the share of a processor that took.
fn thrift(programs: &Programs) -> Result<(), Failure> {
    let mut text = format!("\nWaiting {WAIT} in vain, 100,000 TIME_WAITs present\n\n");
    let _ = writeln!(text, "{:<44}{:>8}{:>9}{:>9}  goal", "scene", "CPU ms", "share", "peak MB");
    let mut crowd: Option<Crowd> = None;
    for scene in SCENES {
        if crowd.as_ref().is_none_or(|crowd| crowd.age() > FRESH) {
            drop(crowd.take());
            crowd = Some(Crowd::gather(&programs.crowd, &["time-waits", PORT, "100000"])?);
        }
        let Some(crowd) = &crowd else { continue };
        wait_in(scene, programs, &crowd.namespace()?, &mut text)?;
    }
    step::say(&text)
}

fn wait_in(
    scene: &Scene,
    programs: &Programs,
    namespace: &Namespace,
    text: &mut String,
) -> Result<(), Failure> {
    let holder = match scene.holder {
        Some((port, rest)) => {
            let arguments = [&[port], rest].concat();
            let start = || Holder::start(&programs.holder, &arguments);
            let mut holder =
                namespace::within(namespace, start).map_err(|error| failed(&error))??;
            holder.tell("listener")?;
            holder.expect("held")?;
            Some(holder)
        }
        None => None,
    };
    // Interrupted, it has nothing to say in the end: all that it used went into waiting.
    let mut command = Command::new("timeout");
    command.args(["--signal", "INT", WAIT]).arg(&programs.lastack);
    command.arg("wait").args(scene.arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let child = namespace::within(namespace, || command.spawn()).map_err(|error| failed(&error))?;
    let child = child.map_err(|cause| step::not_started(&command, &cause))?;
    let (status, used) = usage::wait(child).map_err(|error| failed(&error))?;
    let took = began.elapsed();
    drop(holder);
    if status.code() != Some(124) {
        return Err(Failure::new(format!(
            "lastack ended with {status} instead of waiting, or timeout (coreutils) did"
        )));
    }
    let share = used.cpu.as_secs_f64() / took.as_secs_f64() * 100.0;
    let _ = writeln!(
        text,
        "{:<44}{:>8.1}{share:>8.2}%{:>9.1}  < {THRIFT_PERCENT} % {}",
        scene.name,
        used.cpu.as_secs_f64() * 1000.0,
        f64::from(u32::try_from(used.peak_kib).unwrap_or(u32::MAX)) / 1024.0,
        word(share < THRIFT_PERCENT),
    );
    Ok(())
}

fn failed(error: &lastack_os::Error) -> Failure {
    Failure::new(format!("failed to {error}"))
}

const fn word(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

const PORT: &str = "8080";
const ROUNDS: u32 = 20;
const WAIT: &str = "10s";
const PROMPT_MS: f64 = 50.0;
const THRIFT_PERCENT: f64 = 1.0;
/// A `TIME_WAIT` lasts a minute; a crowd as old as this is made anew before ten seconds of waiting.
const FRESH: Duration = Duration::from_secs(25);
