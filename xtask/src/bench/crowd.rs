//! The scene of a benchmark: many sockets in a network namespace, held by a process until the scene is dropped.

use crate::step::{self, Failure};
use lastack_model::ids::Pid;
use lastack_os::namespace::{self, Namespace};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `crowd`, see `lab/src/bin/crowd.rs`.
pub(super) struct Crowd {
    child: Child,
    made: Instant,
}

impl Crowd {
    /// Starts it and waits until its sockets are there.
    pub(super) fn gather(program: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|cause| step::not_started(&command, &cause))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.as_mut() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(|cause| Failure::new(format!("failed to read from crowd: {cause}")))?;
        }
        let crowd = Self { child, made: Instant::now() };
        match line.trim().strip_prefix("ready: ") {
            Some(what) => eprintln!("xtask: {what}"),
            None => return Err(Failure::new("failed to gather a crowd of sockets, see above")),
        }
        Ok(crowd)
    }

    pub(super) fn namespace(&self) -> Result<Namespace, Failure> {
        namespace::of_process(Pid(self.child.id()))
            .map_err(|error| Failure::new(format!("failed to {error}")))
    }

    /// How long it has been there.
    pub(super) fn age(&self) -> Duration {
        self.made.elapsed()
    }

    /// How many sockets in `TIME_WAIT` there are now.
    pub(super) fn time_waits(&self) -> Result<u64, Failure> {
        let path = format!("/proc/{}/net/sockstat", self.child.id());
        let text = step::read(Path::new(&path))?;
        time_waits(&text).ok_or_else(|| Failure::new(format!("failed to read {path}: no tw in it")))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // The end of its stdin ends it, and its end ends the namespace.
        drop(self.child.stdin.take());
        if let Err(cause) = self.child.wait() {
            eprintln!("xtask: failed to wait for the crowd's end: {cause}");
        }
    }
}

/// The number after `tw` in the line `TCP:`.
fn time_waits(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "tw");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_time_waits_is_that_of_tcp() {
        let text =
            "sockets: used 9\nTCP: inuse 5 orphan 0 tw 100000 alloc 7 mem 1\nUDP: inuse 2 mem 1\n";
        assert_eq!(time_waits(text), Some(100_000));
        assert_eq!(time_waits("sockets: used 9\n"), None);
    }
}
