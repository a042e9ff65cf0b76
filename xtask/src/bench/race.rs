//! Commands run in turn, several rounds, each run measured: what disturbs the machine disturbs all of them alike.

use crate::step::{self, Failure};
use lastack_os::namespace::{self, Namespace};
use lastack_os::usage;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that takes part.
pub(super) struct Runner {
    /// As it is shown.
    pub(super) name: String,
    program: PathBuf,
    arguments: Vec<String>,
}

/// What one run used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Run {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    pub(super) peak_kib: u64,
    /// Its exit code; none when a signal ended it.
    pub(super) code: Option<i32>,
}

/// The runs of one command.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Runs(Vec<Run>);

impl Runner {
    pub(super) fn new(program: &Path, arguments: &[&str]) -> Self {
        let file = program.file_name().unwrap_or_default().to_string_lossy();
        let words = arguments
            .iter()
            .map(|word| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() });
        Self {
            name: std::iter::once(file.into_owned()).chain(words).collect::<Vec<_>>().join(" "),
            program: program.to_owned(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    /// The same of a program that may not be installed.
    pub(super) fn installed(name: &str, arguments: &[&str]) -> Option<Self> {
        let found = step::find_program(name);
        if found.is_none() {
            eprintln!("xtask: {name} is not installed and takes no part");
        }
        Some(Self::new(&found?, arguments))
    }

    /// Runs it in the calling thread's namespace, its output thrown away.
    fn run(&self) -> Result<Run, Failure> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn().map_err(|cause| step::not_started(&command, &cause))?;
        let (status, used) =
            usage::wait(child).map_err(|error| Failure::new(format!("failed to {error}")))?;
        Ok(Run {
            cpu: used.cpu,
            wall: start.elapsed(),
            peak_kib: used.peak_kib,
            code: status.code(),
        })
    }
}

impl Runs {
    #[cfg(test)]
    pub(super) fn of(runs: Vec<Run>) -> Self {
        Self(runs)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The exit code of all runs, which tells a quick answer from a quick failure.
    pub(super) fn exit(&self) -> String {
        match self.0.as_slice() {
            [first, rest @ ..] if rest.iter().any(|run| run.code != first.code) => "mixed".into(),
            [Run { code: Some(code), .. }, ..] => code.to_string(),
            [Run { code: None, .. }, ..] => "signal".into(),
            [] => String::new(),
        }
    }

    /// The middle of each time, with the highest of the peaks; none when nothing ran.
    pub(super) fn median(&self) -> Option<Run> {
        let middle = |of: fn(&Run) -> Duration| {
            let mut times: Vec<Duration> = self.0.iter().map(of).collect();
            times.sort_unstable();
            times.get(times.len() / 2).copied()
        };
        Some(Run {
            cpu: middle(|run| run.cpu)?,
            wall: middle(|run| run.wall)?,
            peak_kib: self.0.iter().map(|run| run.peak_kib).max()?,
            code: self.0.first()?.code,
        })
    }
}

/// Runs all of them in turn, this many rounds or until it is too late: `may_go_on` is asked before each run.
pub(super) fn race(
    namespace: &Namespace,
    runners: &[&Runner],
    rounds: usize,
    may_go_on: impl Fn() -> bool + Sync,
) -> Result<Vec<Runs>, Failure> {
    let all = namespace::within(namespace, || {
        let mut all = vec![Runs::default(); runners.len()];
        for _ in 0..rounds {
            for (runner, runs) in runners.iter().zip(&mut all) {
                if !may_go_on() {
                    return Ok(all);
                }
                runs.0.push(runner.run()?);
            }
        }
        Ok(all)
    });
    all.unwrap_or_else(|error| Err(Failure::new(format!("failed to {error}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_each_figure_and_the_peak_is_the_highest() {
        let run = |cpu, wall, peak_kib| Run {
            cpu: Duration::from_millis(cpu),
            wall: Duration::from_millis(wall),
            peak_kib,
            code: Some(1),
        };
        let runs = Runs(vec![run(9, 1, 4), run(1, 5, 7), run(4, 3, 5)]);
        assert_eq!(runs.median(), Some(run(4, 3, 7)));
        assert_eq!(Runs::default().median(), None);
        assert_eq!(runs.exit(), "1");
        let failed = Run { code: Some(2), ..run(1, 1, 1) };
        assert_eq!(Runs(vec![run(1, 1, 1), failed]).exit(), "mixed");
    }

    #[test]
    fn a_command_is_shown_as_a_shell_would_take_it() {
        let runner = Runner::new(Path::new("/bin/ss"), &["-tan", "sport = :9"]);
        assert_eq!(runner.name, "ss -tan 'sport = :9'");
    }
}
