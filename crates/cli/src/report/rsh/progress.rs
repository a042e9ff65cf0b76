//! One line on a terminal that says how far it is, gone before anything else is written.
//!
//! It is talk and goes to the standard error; where no terminal shows that, nothing is written.

use std::io::{self, IsTerminal as _, Write as _};

/// The line.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    stands: Option<String>,
}

impl Progress {
    pub(super) fn on_terminal() -> Self {
        Self { is_shown: can_erase(), stands: None }
    }

    pub(super) const fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Writes it anew, if it says something else now.
    pub(super) fn show(&mut self, line: &str) {
        if !self.is_shown || self.stands.as_deref() == Some(line) {
            return;
        }
        let text: String = line.chars().take(width()).collect();
        // Somebody who cannot read it is not served by an error.
        let _ = write!(io::stderr(), "{ERASED}{text}");
        self.stands = Some(line.to_owned());
    }

    pub(super) fn erase(&mut self) {
        if self.stands.take().is_some() {
            let _ = write!(io::stderr(), "{ERASED}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.erase();
    }
}

/// Whether a terminal shows the standard error, and can erase a line.
pub(super) fn can_erase() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// The last column stays empty: a terminal may wrap after it.
fn width() -> usize {
    let terminal = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let columns = terminal.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    columns.unwrap_or(80) - 1
}

pub(super) const ERASED: &str = "\r\x1b[K";
