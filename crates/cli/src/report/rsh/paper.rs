//! One of the two streams that are written to: raw octets where no terminal reads them, shown octets where one does.

use super::screen;
use std::io::{self, IsTerminal as _, Write as _};

/// A stream and what waits to be written to it.
#[derive(Debug)]
pub(super) struct Paper {
    stream: Stream,
    is_terminal: bool,
    state: State,
    waiting: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Read,
    /// Nobody reads it any more.
    Gone,
    /// It cannot be written to.
    Failed(io::Error),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Paper {
    pub(super) fn stdout() -> Self {
        Self::new(Stream::Stdout, io::stdout().is_terminal())
    }

    pub(super) fn stderr() -> Self {
        Self::new(Stream::Stderr, io::stderr().is_terminal())
    }

    const fn new(stream: Stream, is_terminal: bool) -> Self {
        Self { stream, is_terminal, state: State::Read, waiting: Vec::new() }
    }

    /// Octets as they are.
    pub(super) fn put(&mut self, octets: &[u8]) {
        if self.is_read() {
            self.waiting.extend_from_slice(octets);
        }
    }

    /// Octets of somebody else's: as they are, unless a terminal would obey them.
    pub(super) fn shown(&mut self, line: &[u8]) {
        if self.is_terminal {
            self.put(screen::shown(line).as_bytes());
        } else {
            self.put(line);
        }
    }

    pub(super) const fn has_something(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether somebody reads it, as far as is known.
    pub(super) const fn is_read(&self) -> bool {
        matches!(self.state, State::Read)
    }

    /// Why it cannot be written to. A reader that went away is no fault.
    pub(super) const fn fault(&self) -> Option<&io::Error> {
        match &self.state {
            State::Failed(cause) => Some(cause),
            State::Read | State::Gone => None,
        }
    }

    /// Writes what waits. Of the standard error no fault is remembered: nobody could be told.
    pub(super) fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return;
        }
        let written = match self.stream {
            Stream::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&waiting).and_then(|()| out.flush())
            }
            Stream::Stderr => io::stderr().lock().write_all(&waiting),
        };
        if let Err(cause) = written {
            let is_gone = cause.kind() == io::ErrorKind::BrokenPipe;
            let is_fault = self.stream == Stream::Stdout && !is_gone;
            self.state = if is_fault { State::Failed(cause) } else { State::Gone };
        }
    }
}
