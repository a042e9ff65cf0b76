//! What comes back from many hosts, as it comes: lines with their host before them, outputs gathered, or JSON; and in the
//! end who failed.
//!
//! What hosts write is never trusted: on a terminal their control characters are shown, not obeyed. What they say goes
//! on as they said it otherwise, octet for octet.

mod gather;
mod json;
mod lines;
mod paper;
mod planned;
mod progress;
mod screen;
mod standing;
mod table;
mod tally;

pub use planned::planned;
pub use standing::Standing;
pub use tally::{End, Tally};

use crate::args::RshArgs;
use crate::error::Error;
use crate::report::page;
use gather::{Gather, Taken};
use lastack_rsh::fan::{Event, NotRun};
use lastack_rsh::{Piece, Source};
use lines::{Splitter, Tail};
use paper::Paper;
use progress::Progress;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is run, as far as it is shown.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The hosts, as they are called.
    pub labels: Vec<String>,
    /// The commands that each of them runs. Task number t is command t modulo their count, on host t divided by it.
    pub commands: Vec<Arc<[u8]>>,
    /// How many at once.
    pub fanout: usize,
    /// What carries them.
    pub via: &'static str,
}

/// The report, while it grows.
#[derive(Debug)]
pub struct Report {
    plan: Plan,
    form: Form,
    always_table: bool,
    out: Paper,
    err: Paper,
    lines: HashMap<(usize, Source), Splitter>,
    tally: Tally,
    standing: Arc<Mutex<Standing>>,
    progress: Progress,
    began: Instant,
}

/// The form of what is shown.
#[derive(Debug)]
enum Form {
    Lines { prefix: bool },
    Gathered(Gather),
    Json,
}

impl Plan {
    fn host(&self, task: usize) -> &str {
        &self.labels[task / self.commands.len()]
    }

    const fn command(&self, task: usize) -> usize {
        task % self.commands.len()
    }
}

impl Report {
    /// The beginning.
    pub fn begin(
        plan: Plan,
        args: &RshArgs,
        standing: Arc<Mutex<Standing>>,
    ) -> Result<Self, Error> {
        let form = match (args.show.output.json, args.show.gather) {
            (true, _) => Form::Json,
            (false, true) => Form::Gathered(Gather::default()),
            (false, false) => Form::Lines { prefix: !args.show.no_prefix },
        };
        let tasks = plan.labels.len() * plan.commands.len();
        let mut report = Self {
            form,
            always_table: args.show.table,
            out: Paper::stdout(),
            err: Paper::stderr(),
            lines: HashMap::new(),
            tally: Tally::new(tasks),
            standing,
            progress: Progress::on_terminal(),
            began: Instant::now(),
            plan,
        };
        if matches!(report.form, Form::Json) {
            report.out.put(json::planned(&report.plan, false).as_bytes());
        }
        report.flush();
        match report.out.fault() {
            None => Ok(report),
            Some(cause) => {
                Err(Error::new(format!("failed to write to the standard output: {cause}")))
            }
        }
    }

    /// Takes in what happened.
    pub fn take(&mut self, event: Event) {
        self.standing().heed(&event);
        if matches!(self.form, Form::Json)
            && let Some(line) = json::event(&self.plan, &event)
        {
            self.out.put(line.as_bytes());
        }
        match event {
            Event::Wrote(piece) => self.wrote(&piece),
            Event::Again { task, failure, after } => {
                let host = self.plan.host(task);
                let after = after.as_secs();
                self.talk(&format!("{host}: {failure}; trying again in {after} s"));
            }
            Event::Ended { task, attempts, report } => {
                self.ended(task);
                if matches!(self.form, Form::Json) {
                    let line = json::ended(&self.plan, task, attempts, &report);
                    self.out.put(line.as_bytes());
                }
                self.tally.ended(task, attempts, report);
            }
            Event::NotRun { task, why } => self.tally.not_run(task, why),
            Event::Stopping(NotRun::TimedOut) => {
                self.talk("the time of --timeout is over: stopping what runs");
                self.tally.timed_out();
            }
            Event::Started { .. } | Event::Stopping(NotRun::Stopped | NotRun::After { .. }) => {}
        }
        self.flush();
    }

    /// Whether there is a terminal to show progress on.
    pub const fn shows_progress(&self) -> bool {
        self.progress.is_shown()
    }

    /// Brings the line on the terminal up to date.
    pub fn progress(&mut self) {
        let line = self.standing().line();
        self.progress.show(&line);
    }

    /// Whether somebody reads what is written, as far as is known.
    pub const fn is_read(&self) -> bool {
        self.out.is_read()
    }

    /// The end: what was gathered, the table, the sum.
    pub fn finish(mut self) -> Tally {
        let is_interrupted = self.standing().is_interrupted();
        self.tally.interrupted_if(is_interrupted);
        if let Form::Gathered(gather) = &mut self.form {
            let groups = std::mem::take(gather).groups();
            for group in groups {
                let head = gather::head(&self.plan, &group);
                self.out.put(head.as_bytes());
                self.whole(&group.octets);
            }
        }
        let is_json = matches!(self.form, Form::Json);
        if is_json {
            let sum = json::summary(&self.plan, &self.tally, self.began.elapsed());
            self.out.put(sum.as_bytes());
        }
        self.flush();
        let fault = self.out.fault().map(ToString::to_string);
        let is_wanted = self.always_table || (!is_json && !self.tally.all_succeeded());
        if is_wanted && (self.out.is_read() || fault.is_some()) {
            let text =
                table::table(&self.plan, &self.tally, self.always_table, self.began.elapsed());
            self.err.put(text.as_bytes());
        }
        if let Some(cause) = fault {
            self.tally.output_lost();
            self.talk(&format!(
                "failed to write what came back: {cause}; what still ran was stopped"
            ));
        }
        self.flush();
        self.tally
    }

    fn wrote(&mut self, piece: &Piece) {
        if let (Form::Gathered(gather), Source::Stdout) = (&mut self.form, piece.source) {
            match gather.take(piece.task, &piece.octets) {
                Taken::Kept => return,
                Taken::Passed => self.split(piece.task, piece.source, &piece.octets),
                Taken::Full(before) => {
                    let host = self.plan.host(piece.task).to_owned();
                    self.talk(&format!("{host}: too much output to gather, printed as it comes"));
                    self.split(piece.task, piece.source, &before);
                }
            }
            return;
        }
        self.split(piece.task, piece.source, &piece.octets);
    }

    /// Prints what makes whole lines.
    fn split(&mut self, task: usize, source: Source, octets: &[u8]) {
        let mut lines = self.lines.remove(&(task, source)).unwrap_or_default();
        lines.push(octets, &mut |line, tail| self.line(task, source, line, tail));
        self.lines.insert((task, source), lines);
    }

    fn ended(&mut self, task: usize) {
        if let Form::Gathered(gather) = &mut self.form {
            gather.end(task, self.plan.command(task));
        }
        for source in [Source::Stdout, Source::Stderr] {
            if let Some(mut lines) = self.lines.remove(&(task, source)) {
                lines.finish(&mut |line, tail| self.line(task, source, line, tail));
            }
        }
    }

    fn line(&mut self, task: usize, source: Source, line: &[u8], tail: Tail) {
        if matches!(self.form, Form::Json) {
            let text = json::wrote(&self.plan, task, source, line, tail);
            self.out.put(text.as_bytes());
            return;
        }
        let host = self.plan.host(task);
        let paper = match source {
            Source::Stdout => &mut self.out,
            Source::Stderr => &mut self.err,
        };
        if !matches!(self.form, Form::Lines { prefix: false }) {
            paper.put(host.as_bytes());
            paper.put(b": ");
        }
        paper.shown(line);
        paper.put(b"\n");
        if tail == Tail::Cut {
            let text = format!("{host}: a line is longer than 64 KiB and goes on in the next");
            self.talk(&text);
        }
    }

    /// Gathered output, line by line.
    fn whole(&mut self, octets: &[u8]) {
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            self.out.shown(line.strip_suffix(b"\n").unwrap_or(line));
            self.out.put(b"\n");
        }
    }

    /// Something that lastack itself says, at once.
    pub fn tell(&mut self, text: &str) {
        self.talk(text);
        self.flush();
    }

    /// Something that lastack itself says.
    fn talk(&mut self, text: &str) {
        self.err.put(wrapped(text).as_bytes());
    }

    fn flush(&mut self) {
        if self.out.has_something() || self.err.has_something() {
            self.progress.erase();
        }
        self.out.flush();
        self.err.flush();
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says something beside the answer.
pub fn say(text: &str) {
    let mut err = Paper::stderr();
    if progress::can_erase() {
        err.put(progress::ERASED.as_bytes());
    }
    err.put(wrapped(text).as_bytes());
    err.flush();
}

fn wrapped(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let text = format!("lastack: {text}");
    textwrap::wrap(&text, page::width()).join("\n") + "\n"
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
