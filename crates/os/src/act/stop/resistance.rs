//! Why a process that was asked to end runs on: what `/proc` shows of how it takes signals.

use super::Target;
use crate::process::{Ended, entry};
use lastack_model::ids::Pid;
use std::fs;

/// A process that runs on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Survivor {
    /// Its pid.
    pub pid: Pid,
    /// Its short name.
    pub name: String,
    /// Why, as far as it shows.
    pub resistance: Resistance,
}

/// How a process takes SIGTERM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resistance {
    /// It ignores it.
    Ignores,
    /// It blocks it: the signal is pending.
    Blocks,
    /// It is stopped (SIGSTOP, a debugger): the signal is pending until it continues.
    IsStopped,
    /// It is the first process of a PID namespace and has no handler, so the kernel drops the signal
    /// (`sig_task_ignored`).
    FirstOfItsNamespace,
    /// It waits inside the kernel, where no signal reaches it.
    InKernel,
    /// It catches the signal and has not ended yet, or ends slowly.
    TakesItsTime,
}

impl Resistance {
    /// Why it runs on, as a clause.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ignores => "it ignores SIGTERM",
            Self::Blocks => "it blocks SIGTERM, which stays pending",
            Self::IsStopped => "it is stopped; SIGTERM stays pending until it continues",
            Self::FirstOfItsNamespace => {
                "it is the first process of its PID namespace and has no handler for SIGTERM"
            }
            Self::InKernel => "it waits inside the kernel, where no signal reaches it",
            Self::TakesItsTime => "it has not ended yet",
        }
    }
}

/// Those that have not ended.
pub(super) fn survivors(targets: &[Target<'_>]) -> Vec<Survivor> {
    let alive = targets.iter().filter(|target| target.handle.ended() == Ended::No);
    let survivors = alive.map(|target| Survivor {
        pid: target.process.pid,
        name: target.process.name.clone(),
        resistance: fs::read_to_string(entry(target.process.pid, "status"))
            .map_or(Resistance::TakesItsTime, |text| resistance(&text)),
    });
    survivors.collect()
}

/// Reads `/proc/PID/status`.
fn resistance(status: &str) -> Resistance {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim).unwrap_or_default()
    };
    let has_term =
        |name: &str| u64::from_str_radix(field(name), 16).is_ok_and(|mask| mask & TERM != 0);
    let is_first = field("NSpid:").split_ascii_whitespace().next_back() == Some("1");
    match field("State:").chars().next() {
        Some('T' | 't') => Resistance::IsStopped,
        Some('D') => Resistance::InKernel,
        _ if has_term("SigIgn:") => Resistance::Ignores,
        _ if has_term("SigBlk:") => Resistance::Blocks,
        _ if is_first && !has_term("SigCgt:") => Resistance::FirstOfItsNamespace,
        _ => Resistance::TakesItsTime,
    }
}

/// SIGTERM in the masks of `/proc/PID/status`, where signal 1 is the lowest bit.
const TERM: u64 = 1 << (libc::SIGTERM - 1);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_masks_and_the_state_tell_why() {
        let status = |state: &str, ignored: u64, blocked: u64, caught: u64, pids: &str| {
            resistance(&format!(
                "State:\t{state}\nNSpid:\t{pids}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\n\
                 SigCgt:\t{caught:016x}\n"
            ))
        };
        assert_eq!(status("S (sleeping)", TERM, 0, 0, "7"), Resistance::Ignores);
        assert_eq!(status("S (sleeping)", 0, TERM, TERM, "7"), Resistance::Blocks);
        assert_eq!(status("T (stopped)", 0, 0, 0, "7"), Resistance::IsStopped);
        assert_eq!(status("D (disk sleep)", 0, 0, 0, "7"), Resistance::InKernel);
        assert_eq!(status("S (sleeping)", 0, 0, 0, "7 1"), Resistance::FirstOfItsNamespace);
        assert_eq!(status("S (sleeping)", 0, 0, TERM, "7 1"), Resistance::TakesItsTime);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|\n|State:|SigIgn:|NSpid:){0,20}") {
            let _ = resistance(&text);
        }
    }
}
