//! A script to its end, and then no verdict but what is there: what was sent and not expected, the state of the
//! connection, and what its program is told.
//!
//! Whoever plays scripts, the model here or a kernel elsewhere, observes the same, so that the two can be compared.

use super::dialect::Dialect;
use super::driver;
use super::host::{Host, Role};
use super::{Stop, Verdict};
use crate::script::Script;
use crate::state::State;
use crate::tcp::segment::Segment;

/// What there is when a script has ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed {
    /// What was sent since the last step that expected something, in the script's numbers and without windows.
    pub sent: Vec<Segment>,
    /// The state of the connection that the script is about.
    pub state: State,
    /// What its program is told when it asks.
    pub told: Told,
}

/// What a program is told: its error (`SO_ERROR`), or else what a read says that does not wait.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Told {
    /// No program holds the connection.
    Nobody,
    /// Nothing yet (`EAGAIN`).
    Nothing,
    /// So many octets have come.
    Octets(u32),
    /// The peer has ended its direction.
    EndOfFile,
    /// This error, by its name.
    Error(String),
}

/// Plays a script against a profile and says what is there at its end; `Err` is why it does not get there.
pub fn observe(script: &Script, dialect: &Dialect) -> Result<Observed, Verdict> {
    if let Some(unsupported) = script.unsupported() {
        return Err(Verdict::Skipped(unsupported.to_string()));
    }
    let (mut host, end) = driver::run(script, dialect);
    end.map_err(Stop::verdict)?;
    let sent = host.sent.iter().map(|queued| Segment { window: 0, ..queued.segment }).collect();
    Ok(Observed { sent, state: host.asserted_state(), told: host.told() })
}

impl Host {
    /// What the program that holds a connection is told.
    fn told(&mut self) -> Told {
        let held = self.sockets.iter().rev().find_map(|socket| match socket.role {
            Role::Connection(at) => Some((at, socket.deaf)),
            Role::Fresh | Role::Listener => None,
        });
        let Some((at, deaf)) = held else { return Told::Nobody };
        let connection = &mut self.connections[at];
        if let Some(error) = connection.error.take() {
            return Told::Error(error.to_owned());
        }
        let tcb = &connection.end.tcb;
        if tcb.unread > 0 {
            Told::Octets(tcb.unread)
        } else if tcb.fin_received() || tcb.state == State::Closed || deaf {
            Told::EndOfFile
        } else {
            Told::Nothing
        }
    }
}
