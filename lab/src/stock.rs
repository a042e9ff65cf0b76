//! The rsh clients there are, run as their users run them, and what came of it: how many commands succeeded before the
//! first that failed, how many failed, and what the client had to say.

use crate::program;
use crate::rshd::{ALIASES, Rshd};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Client {
    /// Debian's `rsh` with its input at an end: it closes first.
    Rsh,
    /// The same with `-n`: it leaves that to the server.
    RshN,
    /// `pdsh -R rsh`, in rounds of up to [`ROUND`] names.
    Pdsh,
}

/// What a client came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Commands whose output came.
    pub succeeded: usize,
    /// Commands that failed.
    pub failed: usize,
    /// How many had succeeded when the first one failed.
    pub before_failure: Option<usize>,
    /// What was said of failures, and how often.
    pub complaints: BTreeMap<String, usize>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rsh, Self::RshN, Self::Pdsh];

    /// Its name in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsh => "rsh </dev/null",
            Self::RshN => "rsh -n",
            Self::Pdsh => "pdsh -R rsh",
        }
    }

    /// Runs so many commands on the servers by turns, so many of them at once, for this long at most.
    ///
    /// # Panics
    ///
    /// When the client cannot be started.
    pub fn run(self, rshd: &Rshd, commands: u32, at_once: u32, limit: Duration) -> Tally {
        let (script, option) = match self {
            Self::Rsh => (RSH, ""),
            Self::RshN => (RSH, "-n"),
            Self::Pdsh => (PDSH, ""),
        };
        let mut command = rshd.etc().server("timeout");
        command.arg(limit.as_secs().to_string()).args(["sh", "-c", script, "sh"]);
        command.args([commands, at_once, ALIASES.into(), ROUND].map(|number| number.to_string()));
        let began = Instant::now();
        let run = program::run_beside_others(command.arg(option));
        Tally::of(&run.stdout, began.elapsed())
    }
}

impl Tally {
    /// From the lines of a client: `ok` for a success, `failed` for a failure, and what it said about those. What `pdsh`
    /// says is a failure each.
    fn of(text: &str, elapsed: Duration) -> Self {
        let mut tally = Self { elapsed, ..Self::default() };
        let mut failures = 0;
        for line in text.lines() {
            if line == "ok" || line.ends_with(": ok") {
                tally.succeed();
            } else if line == "failed" {
                failures += 1;
                tally.before_failure.get_or_insert(tally.succeeded);
            } else {
                failures += usize::from(line.starts_with("pdsh@"));
                let words = line.rsplit(": ").next().unwrap_or(line);
                tally.fail(words);
            }
        }
        tally.failed = failures;
        tally
    }

    /// One more succeeded.
    pub const fn succeed(&mut self) {
        self.succeeded += 1;
    }

    /// One more failed, and this was said.
    pub fn fail(&mut self, words: &str) {
        self.failed += 1;
        self.before_failure.get_or_insert(self.succeeded);
        *self.complaints.entry(words.to_owned()).or_default() += 1;
    }

    /// How often something was said.
    pub fn complained(&self, words: &str) -> usize {
        self.complaints.get(words).copied().unwrap_or(0)
    }
}

/// The most names that `pdsh` is given at once.
pub const ROUND: u32 = 600;

/// Arguments: how many commands, how many at once, how many names, and the option.
const RSH: &str = r#"
exec 2>&1
export names="$3" option="$5"
seq "$1" | xargs -P "$2" -n 1 sh -c '
    if netkit-rsh $option "all$(($1 % names + 1))" "echo ok" </dev/null; then :; else echo failed; fi' sh
"#;
/// Arguments: how many commands, how many at once, how many names, and how many of them in a round.
const PDSH: &str = r#"
exec 2>&1
left=$1
while [ "$left" -gt 0 ]; do
    round=$((left < $4 ? left : $4))
    pdsh -R rsh -f "$2" -w "all[1-$round]" "echo ok" </dev/null
    left=$((left - round))
done
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successes_failures_and_words_are_told_apart() {
        let text = "ok\nok\nrcmd: socket: All ports in use\nfailed\nfailed\nok\n";
        let tally = Tally::of(text, Duration::ZERO);
        assert_eq!((tally.succeeded, tally.failed, tally.before_failure), (3, 2, Some(2)));
        assert_eq!(tally.complained("All ports in use"), 1);
        let text = "all1: ok\npdsh@vm: all2: xpoll: protocol failure in circuit setup\n";
        let tally = Tally::of(text, Duration::ZERO);
        assert_eq!((tally.succeeded, tally.failed, tally.before_failure), (1, 1, Some(1)));
        assert_eq!(tally.complained("protocol failure in circuit setup"), 1);
    }
}
