//! What goes around a command, so that its exit status comes back and its input ends where it runs.
//!
//! The protocol carries no status, and the only end of input that it knows is our FIN, which would make this side the one
//! that closes first and keeps `TIME_WAIT` on a reserved port. So the remote shell is asked for both: it reads the
//! command's input from `/dev/null`, or so many octets and no more, and prints the status behind a mark that the command
//! cannot know.
//!
//! The command stands in `eval '…'`: one that does not parse fails alone, as it would locally, and cannot take the mark
//! with it. On one line, so that a shell of another kin (csh, fish) which cannot read it prints no mark either, rather
//! than a status that is not the command's. Seen to work in dash, bash, zsh, mksh, ksh93 and the shell of `busybox`; in tcsh for commands
//! of one line without input.

mod scanner;

pub use scanner::Scanner;

use std::fmt;

/// What the remote shell prints before the status.
///
/// Its first octet stands nowhere else in it, so that two marks cannot overlap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark(String);

/// Where a command's input comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// `/dev/null`.
    Nothing,
    /// So many octets of the connection. Needs a `head` that knows `-c`.
    Counted(usize),
    /// The connection, until this side's FIN.
    UntilFin,
}

/// What becomes of the two streams that a command writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Streams {
    /// They come as one.
    Merged,
    /// Each comes on its own.
    Separate,
}

/// What the remote shell does when it has printed the mark.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AtEnd {
    /// It ends, and the server closes.
    Leave,
    /// It waits for a line of ours, so that we can close the standard error's connection before the server does.
    AwaitLine,
}

impl Mark {
    /// The mark of these octets, which nobody may be able to guess.
    pub fn new(chance: [u8; 10]) -> Self {
        let [a, b, number @ ..] = chance;
        let number = u64::from_be_bytes(number);
        Self(format!("mark.{a:02x}{b:02x}{number:016x}."))
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The command as it is sent.
pub fn wrap(command: &[u8], mark: &Mark, input: Input, at_end: AtEnd) -> Vec<u8> {
    let mut line = Vec::with_capacity(command.len() + 128);
    match input {
        Input::Nothing => {
            subshell(command, &mut line);
            line.extend_from_slice(b" </dev/null");
        }
        Input::UntilFin => subshell(command, &mut line),
        // What the command leaves unread is read all the same: octets that nobody has read would make the server's kernel
        // reset the connection when it closes, and a reset can overtake the mark (RFC 2525 §2.17). `${r-1}` is there for
        // the csh family, which refuses the line for it instead of leaving with a status of its own.
        Input::Counted(octets) => {
            line.extend_from_slice(format!("head -c {octets} | ( ").as_bytes());
            subshell(command, &mut line);
            line.extend_from_slice(b"; r=$?; cat >/dev/null; exit ${r-1} )");
        }
    }
    line.extend_from_slice(format!("; echo {mark}$?").as_bytes());
    if at_end == AtEnd::AwaitLine {
        line.extend_from_slice(b"; read x");
    }
    line
}

/// The command as a line for a shell that reads its commands from the connection: the mark comes on each stream.
pub fn wrap_for_session(command: &[u8], mark: &Mark, streams: Streams) -> Vec<u8> {
    let mut line = Vec::with_capacity(command.len() + 128);
    subshell(command, &mut line);
    let end = match streams {
        Streams::Merged => format!(" </dev/null; echo {mark}$?\n"),
        Streams::Separate => {
            format!(" </dev/null; r=$?; echo {mark}$r; echo {mark}$r >&2\n")
        }
    };
    line.extend_from_slice(end.as_bytes());
    line
}

fn subshell(command: &[u8], line: &mut Vec<u8>) {
    line.extend_from_slice(b"( eval '");
    // A dash at the beginning would be an option of `eval` in bash.
    if command.first() == Some(&b'-') {
        line.push(b' ');
    }
    for octet in command {
        match octet {
            b'\'' => line.extend_from_slice(b"'\\''"),
            octet => line.push(*octet),
        }
    }
    line.extend_from_slice(b"' )");
}

/// The status that a shell's number stands for: ksh93 says 256 and the signal's number where others say 128.
const fn status(number: u16) -> u8 {
    if number > 255 { 128 | (number & 0x7f) as u8 } else { number as u8 }
}

#[cfg(test)]
mod tests;
