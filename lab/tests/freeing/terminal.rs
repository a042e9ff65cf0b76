//! `lastack free` on a terminal, where it asks: a pseudo-terminal and somebody who reads and types.

use lastack_lab::program::{self, undisturbed};
use std::io::{Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Somebody at a terminal.
pub(crate) struct Terminal {
    child: Child,
    output: ChildStdout,
    seen: String,
}

/// How it ended.
pub(crate) struct Ended {
    /// All that was on the screen.
    pub(crate) screen: String,
    pub(crate) code: Option<i32>,
}

impl Terminal {
    /// Runs `lastack free` with these words while the closure reads and types, and waits for its end.
    ///
    /// No other test starts a child meanwhile.
    pub(crate) fn session(arguments: &[&str], act: impl FnOnce(&mut Self)) -> Ended {
        undisturbed(|| {
            let line = format!("{} free {}", program::path().display(), arguments.join(" "));
            let mut command = Command::new("script");
            command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().expect("`script` of util-linux runs");
            let output = child.stdout.take().expect("its output");
            let mut terminal = Self { child, output, seen: String::new() };
            act(&mut terminal);
            terminal.end()
        })
    }

    /// Waits until the program asks something for the nth time.
    pub(crate) fn is_asked(&mut self, nth: usize) {
        while self.seen.matches("[y/N]").count() < nth {
            let mut block = [0; 4096];
            let count = self.output.read(&mut block).expect("the screen");
            assert!(count > 0, "it ended and did not ask: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&block[..count]));
        }
    }

    /// Types, the line ends included.
    pub(crate) fn types(&mut self, text: &str) {
        let keyboard = self.child.stdin.as_mut().expect("a keyboard");
        keyboard.write_all(text.as_bytes()).expect("typed");
    }

    fn end(mut self) -> Ended {
        // Whatever it asks from now on, nobody answers.
        drop(self.child.stdin.take());
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).expect("the screen");
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        let code = self.child.wait().expect("its end").code();
        Ended { screen: self.seen.replace('\r', ""), code }
    }
}
