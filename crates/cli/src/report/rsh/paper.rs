//! One of the two streams that are written to: raw octets where no terminal reads them, shown octets where one does.

use super::screen;
use crate::error::Error;
use std::io::{self, IsTerminal as _, Write as _};

/// A stream and what waits to be written to it.
#[derive(Debug)]
pub(super) struct Paper {
    stream: Stream,
    is_terminal: bool,
    is_gone: bool,
    waiting: Vec<u8>,
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
        Self { stream, is_terminal, is_gone: false, waiting: Vec::new() }
    }

    /// Octets as they are.
    pub(super) fn put(&mut self, octets: &[u8]) {
        if !self.is_gone {
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

    /// Whether nobody reads it any more.
    pub(super) const fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Writes what waits. A reader that went away is no error; nor is anything on the standard error, where nobody could
    /// be told.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let written = match self.stream {
            Stream::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&waiting).and_then(|()| out.flush())
            }
            Stream::Stderr => io::stderr().lock().write_all(&waiting),
        };
        match written {
            Ok(()) => Ok(()),
            Err(_) if self.stream == Stream::Stderr => {
                self.is_gone = true;
                Ok(())
            }
            Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(())
            }
            Err(cause) => Err(Error::new(format!("failed to write what came back: {cause}"))),
        }
    }
}
