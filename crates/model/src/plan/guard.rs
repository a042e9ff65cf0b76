//! What the user forbids: whoever sets a guard wants nothing else touched, so what cannot be shown to pass is refused.

use crate::facts::Process;
use crate::ids::Uid;
use crate::stop::Actor;
use crate::why::Conflict;

/// Conditions on every process that is stopped, and on every process whose connection is ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Guard {
    /// Only processes and sockets of the user who acts.
    pub own_only: OwnOnly,
    /// Only processes whose command line contains this.
    pub command: Option<String>,
    /// Only processes of this service: its unit with or without `.service`, or its container's id.
    pub unit: Option<String>,
}

/// Whether only one's own is touched.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OwnOnly {
    /// Anybody's.
    #[default]
    No,
    /// One's own.
    Yes,
}

/// A guard that was not passed.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Refusal {
    /// The process belongs to another user.
    NotMine(Box<Process>),
    /// The socket belongs to another user.
    SocketNotMine(Uid),
    /// Its command line does not contain the text.
    OtherCommand {
        /// The process.
        process: Box<Process>,
        /// What was to be in its command line.
        wanted: String,
    },
    /// It belongs to another service, or to none.
    OtherUnit {
        /// The process.
        process: Box<Process>,
        /// The service that was named.
        wanted: String,
    },
    /// No process is seen that holds the socket, so whose it is cannot be shown.
    HolderUnseen {
        /// What was to be in its command line, or the service that was named.
        wanted: String,
    },
}

impl Guard {
    /// Whether this process may be touched.
    pub(super) fn admits(&self, process: &Process, actor: &Actor) -> Result<(), Refusal> {
        if self.own_only == OwnOnly::Yes && process.uid != actor.uid {
            return Err(Refusal::NotMine(Box::new(process.clone())));
        }
        if let Some(wanted) = &self.command
            && !process.command_line().contains(wanted.as_str())
        {
            let process = Box::new(process.clone());
            return Err(Refusal::OtherCommand { process, wanted: wanted.clone() });
        }
        if let Some(wanted) = &self.unit
            && !is_of_unit(process, wanted)
        {
            return Err(Refusal::OtherUnit {
                process: Box::new(process.clone()),
                wanted: wanted.clone(),
            });
        }
        Ok(())
    }

    /// Whether these sockets may be touched, whoever holds them. The kernel does not say whose a `TIME_WAIT` was; it
    /// is nobody's any more. What somebody holds who is not seen may be anybody's.
    pub(super) fn admits_socket(&self, conflict: &Conflict, actor: &Actor) -> Result<(), Refusal> {
        if let Some(wanted) = self.command.as_ref().or(self.unit.as_ref())
            && conflict.holders.is_empty()
            && !conflict.role.is_unheld()
        {
            return Err(Refusal::HolderUnseen { wanted: wanted.clone() });
        }
        match (self.own_only, conflict.sockets.example.uid) {
            (OwnOnly::Yes, Some(uid)) if uid != actor.uid => Err(Refusal::SocketNotMine(uid)),
            (OwnOnly::Yes | OwnOnly::No, _) => Ok(()),
        }
    }
}

fn is_of_unit(process: &Process, wanted: &str) -> bool {
    process.service.as_ref().is_some_and(|service| {
        let name = service.name.as_str();
        name == wanted || name.strip_suffix(".service") == Some(wanted) || is_id(name, wanted)
    })
}

/// Container tools take any beginning of an id that is long enough.
fn is_id(name: &str, wanted: &str) -> bool {
    wanted.len() >= 12 && name.starts_with(wanted)
}
