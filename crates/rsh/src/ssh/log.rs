//! How far ssh has come, from what it says about itself (`ssh -vv`).
//!
//! The lines are those of OpenSSH's `ssh.c`, `clientloop.c` and `mux.c`, alike since 6.x. Other lines that are no
//! debugging are its words to people, which become the reason of a failure.

use crate::Stage;

/// What ssh has said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Log {
    /// The end of what came, as long as its line is not complete.
    unfinished: Vec<u8>,
    /// Its words to people, the last lines of them.
    words: Vec<String>,
    reached: Reached,
    end: End,
}

/// How far it has come; each includes those before it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Reached {
    /// Nothing was said: not begun, or no OpenSSH.
    #[default]
    Nothing,
    /// It runs, and looks for the host's address.
    Begun,
    /// It connects.
    Connecting,
    /// It is connected, and both sides agree on keys and user.
    Connected,
    /// It has sent the command.
    Sent,
    /// The server runs the command.
    Accepted,
}

/// What was said about the command's end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum End {
    /// Nothing.
    #[default]
    Unsaid,
    /// It ended with a status.
    Status,
    /// A signal ended it.
    Signal,
}

impl Log {
    /// Takes in what came.
    pub(super) fn take(&mut self, octets: &[u8]) {
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            let room = LONGEST_LINE.saturating_sub(self.unfinished.len());
            self.unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.unfinished);
                self.line(&String::from_utf8_lossy(&line));
            }
        }
    }

    /// How far it has come.
    pub(super) const fn reached(&self) -> Reached {
        self.reached
    }

    /// What was said about the command's end.
    pub(super) const fn end(&self) -> End {
        self.end
    }

    /// What was being done last.
    pub(super) const fn stage(&self) -> Stage {
        match self.reached {
            Reached::Nothing | Reached::Connecting => Stage::Connect,
            Reached::Begun => Stage::Resolve,
            Reached::Connected => Stage::SetUp,
            Reached::Sent | Reached::Accepted => Stage::Command,
        }
    }

    /// Its words to people, in one line; none where it said nothing.
    pub(super) fn words(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.join("; "))
    }

    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(said) = line.strip_prefix("debug1: ").or_else(|| line.strip_prefix("debug2: "))
        {
            self.debug(said);
        } else if line.starts_with("OpenSSH_") {
            self.reach(Reached::Begun);
        } else if !line.is_empty() && !CHATTER.iter().any(|start| line.starts_with(start)) {
            let line = line.strip_prefix("ssh: ").unwrap_or(line);
            self.words.push(line.chars().map(|c| if c.is_control() { '?' } else { c }).collect());
            if self.words.len() > MOST_WORDS {
                self.words.remove(0);
            }
        }
    }

    fn debug(&mut self, said: &str) {
        let is = |start: &str| said.starts_with(start);
        if is("Connecting to ") {
            self.reach(Reached::Connecting);
        } else if is("Connection established") {
            self.reach(Reached::Connected);
        } else if is("Sending command: ") {
            self.reach(Reached::Sent);
        } else if is("exec request accepted") || is("mux_client_request_session: master session") {
            self.reach(Reached::Accepted);
        } else if self.reached == Reached::Accepted {
            let of_channel = is("client_input_channel_req: channel ");
            if is("Received exit status from master ")
                || (of_channel && said.contains(" rtype exit-status "))
            {
                self.end = End::Status;
            } else if of_channel && said.contains(" rtype exit-signal ") {
                self.end = End::Signal;
            }
        }
    }

    fn reach(&mut self, reached: Reached) {
        self.reached = self.reached.max(reached);
    }
}

/// What it tells people when nothing is wrong.
const CHATTER: [&str; 6] = [
    "Authenticated to ",
    "Transferred: ",
    "Bytes per second: ",
    "Warning: Permanently added ",
    "Killed by signal ",
    "debug",
];
const MOST_WORDS: usize = 4;
const LONGEST_LINE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Log {
        let mut log = Log::default();
        for line in lines {
            log.take(line.as_bytes());
            log.take(b"\n");
        }
        log
    }

    const WELL: [&str; 8] = [
        "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19",
        "debug1: Connecting to 127.0.0.1 [127.0.0.1] port 22.",
        "debug1: Connection established.",
        "Authenticated to 127.0.0.1 ([127.0.0.1]:22) using \"publickey\".",
        "debug1: Sending command: exit 3",
        "debug2: exec request accepted on channel 0",
        "debug1: client_input_channel_req: channel 0 rtype exit-status reply 0",
        "debug1: Exit status 3",
    ];

    #[test]
    fn every_step_of_a_command_is_seen() {
        use Reached::*;
        let steps = [Begun, Connecting, Connected, Connected, Sent, Accepted, Accepted, Accepted];
        for (at, reached) in steps.iter().enumerate() {
            let log = of(&WELL[..=at]);
            assert_eq!(log.reached(), *reached, "{}", WELL[at]);
            assert_eq!(log.end() == End::Status, at >= 6, "{}", WELL[at]);
            assert_eq!(log.words(), None);
        }
    }

    #[test]
    fn over_a_shared_connection_the_master_says_so() {
        let log = of(&[
            "OpenSSH_9.2p1",
            "debug1: auto-mux: Trying existing master",
            "debug1: mux_client_request_session: master session id: 2",
        ]);
        assert_eq!((log.reached(), log.end()), (Reached::Accepted, End::Unsaid));
        let mut log = log;
        log.take(b"debug2: Received exit status from master 4\n");
        assert_eq!(log.end(), End::Status);
    }

    #[test]
    fn a_signal_and_words_to_people_are_told_apart() {
        let log = of(&[
            &WELL[..6],
            &["debug1: client_input_channel_req: channel 0 rtype exit-signal reply 0"],
        ]
        .concat());
        assert_eq!(log.end(), End::Signal);
        let log = of(&["OpenSSH_9.2p1", "ssh: connect to host a port 22: Connection refused\r"]);
        assert_eq!(log.words().as_deref(), Some("connect to host a port 22: Connection refused"));
        assert_eq!(log.stage(), Stage::Resolve, "it may have been a name without addresses");
    }

    #[test]
    fn a_command_that_reads_like_the_log_is_no_end() {
        let log = of(&[
            &WELL[..4],
            &[
                "debug1: Sending command: echo",
                "debug1: client_input_channel_req: channel 0 rtype exit-status reply 0",
            ],
        ]
        .concat());
        assert_eq!((log.reached(), log.end()), (Reached::Sent, End::Unsaid));
    }

    #[test]
    fn a_line_without_end_takes_no_more_room() {
        let mut log = Log::default();
        for _ in 0..100 {
            log.take(&[b'x'; 1000]);
        }
        assert!(log.unfinished.len() <= LONGEST_LINE);
        log.take(b"\ndebug1: Connection established.\n");
        assert_eq!(log.reached(), Reached::Connected);
    }

    proptest::proptest! {
        #[test]
        fn the_same_is_heard_however_it_is_split(cuts in proptest::collection::vec(0_usize..400, 0..20)) {
            let text = WELL.join("\n") + "\n";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut log = Log::default();
            for ends in cuts.windows(2) {
                log.take(&text.as_bytes()[ends[0]..ends[1]]);
            }
            proptest::prop_assert_eq!(log, of(&WELL));
        }
    }
}
