//! What a run of ssh means: a status of the remote command, or a failure, and whether the command ran.

use super::log::{End, Log, Reached};
use crate::{Cause, Failure, Ran, Signal, Stage};
use lastack_model::truth::Truth;
use std::time::Duration;

/// Why ssh was told to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// This time was over.
    TimedOut(Duration),
    /// Somebody wanted so.
    Stopped(Signal),
}

/// How the process of ssh ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exit {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

/// What it means. 255 is the remote command's status only where ssh has heard of one (`ssh(1)`, exit status).
pub(super) fn verdict(exit: Exit, log: &Log, why: Option<Why>) -> Result<u8, Failure> {
    match (exit, log.end(), why) {
        // One that was told to end says 255, whatever status it had heard of.
        (Exit::Code(u8::MAX), End::Status, Some(_)) => {}
        (Exit::Code(code), End::Status, _) => return Ok(code),
        _ => {}
    }
    let ran = ran(log);
    if let Some(why) = why {
        let cause = match why {
            Why::TimedOut(time) => Cause::TimedOut(time),
            Why::Stopped(signal) => Cause::Stopped(signal),
        };
        return Err(Failure { stage: log.stage(), cause, ran });
    }
    match exit {
        // Not OpenSSH: its status is all there is to go by.
        Exit::Code(code @ 0..=254) if log.reached() == Reached::Nothing => Ok(code),
        Exit::Code(code) => Err(Failure { stage: stage(log), cause: cause(log, code), ran }),
        Exit::Signal(number) => {
            let cause = Cause::System(format!("ssh was ended by signal {number}"));
            Err(Failure { stage: log.stage(), cause, ran })
        }
    }
}

fn ran(log: &Log) -> Ran {
    match (log.reached(), log.end()) {
        (Reached::Begun | Reached::Connecting | Reached::Connected, _) => Ran::No,
        (Reached::Nothing | Reached::Sent, _) => Ran::Perhaps,
        (Reached::Accepted, End::Status | End::Signal) => Ran::Yes { ended: Truth::Yes },
        (Reached::Accepted, End::Unsaid) => Ran::Yes { ended: Truth::Unknown },
    }
}

/// It says that it connects only once it has an address.
fn stage(log: &Log) -> Stage {
    let is_name = |words: &String| words.contains("resolve hostname");
    match log.stage() {
        Stage::Resolve if !log.words().as_ref().is_some_and(is_name) => Stage::Connect,
        stage => stage,
    }
}

fn cause(log: &Log, code: u8) -> Cause {
    let has = |words: &str, part: &str| words.contains(part);
    match log.words() {
        _ if log.end() == End::Signal => Cause::NoStatus,
        Some(words) if has(&words, "Permission denied") || has(&words, "authentication fail") => {
            Cause::Refused(words)
        }
        Some(words) => Cause::System(words),
        None if log.reached() == Reached::Accepted => Cause::NoStatus,
        None => Cause::System(format!("ssh gave up with status {code} and no reason")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[&str]) -> Log {
        let mut log = Log::default();
        for line in lines {
            log.take(format!("{line}\n").as_bytes());
        }
        log
    }

    const BEGUN: &str = "OpenSSH_9.2p1";
    const CONNECTED: &str = "debug1: Connection established.";
    const SENT: &str = "debug1: Sending command: x";
    const ACCEPTED: &str = "debug2: exec request accepted on channel 0";
    const STATUS: &str = "debug1: client_input_channel_req: channel 0 rtype exit-status reply 0";
    const SIGNALLED: &str = "debug1: client_input_channel_req: channel 0 rtype exit-signal reply 0";

    #[test]
    fn a_status_of_255_is_the_commands_only_where_ssh_heard_of_one() {
        let heard = log(&[BEGUN, CONNECTED, SENT, ACCEPTED, STATUS]);
        assert_eq!(verdict(Exit::Code(255), &heard, None), Ok(255));
        assert_eq!(verdict(Exit::Code(0), &heard, Some(Why::Stopped(Signal::Kill))), Ok(0));
        let held = verdict(Exit::Code(255), &heard, Some(Why::Stopped(Signal::Kill)));
        assert_eq!(held.expect_err("no status").ran, Ran::Yes { ended: Truth::Yes });
        let lost =
            log(&[BEGUN, CONNECTED, SENT, ACCEPTED, "client_loop: send disconnect: Broken pipe"]);
        let failure = verdict(Exit::Code(255), &lost, None).expect_err("no status");
        assert_eq!(failure.ran, Ran::Yes { ended: Truth::Unknown });
        assert_eq!(
            failure.cause,
            Cause::System("client_loop: send disconnect: Broken pipe".into())
        );
    }

    #[test]
    fn only_a_command_that_was_never_sent_may_be_tried_again() {
        for (lines, ran, stage) in [
            (&[BEGUN, "ssh: Could not resolve hostname a: no"][..], Ran::No, Stage::Resolve),
            (&[BEGUN, "ssh: connect to host a port 22: refused"], Ran::No, Stage::Connect),
            (&[BEGUN, CONNECTED, "a: Permission denied (publickey)."], Ran::No, Stage::SetUp),
            (&[BEGUN, CONNECTED, SENT], Ran::Perhaps, Stage::Command),
            (&[], Ran::Perhaps, Stage::Connect),
        ] {
            let failure = verdict(Exit::Code(255), &log(lines), None).expect_err("no status");
            assert_eq!((failure.ran, failure.stage), (ran, stage), "{lines:?}");
        }
    }

    #[test]
    fn a_signal_there_and_a_signal_here_are_told_apart() {
        let there = log(&[BEGUN, CONNECTED, SENT, ACCEPTED, SIGNALLED]);
        let failure = verdict(Exit::Code(255), &there, None).expect_err("no status");
        assert_eq!((failure.cause, failure.ran), (Cause::NoStatus, Ran::Yes { ended: Truth::Yes }));
        let here = log(&[BEGUN, CONNECTED, SENT, ACCEPTED]);
        let why = Some(Why::TimedOut(Duration::from_secs(1)));
        let failure = verdict(Exit::Signal(15), &here, why).expect_err("no status");
        assert_eq!(failure.cause, Cause::TimedOut(Duration::from_secs(1)));
        assert_eq!(failure.ran, Ran::Yes { ended: Truth::Unknown });
        let failure = verdict(Exit::Signal(9), &here, None).expect_err("no status");
        assert_eq!(failure.cause, Cause::System("ssh was ended by signal 9".into()));
    }

    #[test]
    fn another_ssh_is_believed_as_far_as_it_goes() {
        assert_eq!(verdict(Exit::Code(3), &Log::default(), None), Ok(3));
        assert!(verdict(Exit::Code(255), &Log::default(), None).is_err());
    }
}
