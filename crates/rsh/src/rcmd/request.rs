//! What is asked of `rshd`: by whom, as whom, and what to run. Checked before anything is sent.
//!
//! On the wire each field ends with NUL (rshd(8)), so that none can hold one.

use std::fmt;

/// The fields that follow the port for the standard error, as they are sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request(Vec<u8>);

/// A field of a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Field {
    /// The user here.
    LocalUser,
    /// The user there.
    RemoteUser,
    /// The command.
    Command,
}

/// A request that no server would understand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadRequest {
    /// The field has nothing in it.
    Empty(Field),
    /// The field holds a NUL, which would end it early.
    Nul(Field),
    /// The field is longer than servers take.
    TooLong {
        /// Which.
        field: Field,
        /// How long it is.
        octets: usize,
        /// How long it may be.
        limit: usize,
    },
}

impl Request {
    /// A request of these fields.
    ///
    /// # Errors
    ///
    /// [`BadRequest`] says which field no server would take, and why.
    pub fn new(local_user: &[u8], remote_user: &[u8], command: &[u8]) -> Result<Self, BadRequest> {
        let fields = [
            (Field::LocalUser, local_user, USER_LIMIT),
            (Field::RemoteUser, remote_user, USER_LIMIT),
            (Field::Command, command, COMMAND_LIMIT),
        ];
        let mut octets = Vec::with_capacity(fields.iter().map(|it| it.1.len() + 1).sum());
        for (field, text, limit) in fields {
            check(field, text, limit)?;
            octets.extend_from_slice(text);
            octets.push(0);
        }
        Ok(Self(octets))
    }

    /// The octets to send.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

fn check(field: Field, text: &[u8], limit: usize) -> Result<(), BadRequest> {
    if text.is_empty() {
        Err(BadRequest::Empty(field))
    } else if text.contains(&0) {
        Err(BadRequest::Nul(field))
    } else if text.len() > limit {
        Err(BadRequest::TooLong { field, octets: text.len(), limit })
    } else {
        Ok(())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalUser => "the local user's name",
            Self::RemoteUser => "the remote user's name",
            Self::Command => "the command",
        })
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(field) => write!(f, "{field} is empty"),
            Self::Nul(field) => write!(f, "{field} holds a NUL, which rsh cannot carry"),
            Self::TooLong { field, octets, limit } => {
                write!(f, "{field} is {octets} octets long as it is sent; rsh carries {limit}")
            }
        }
    }
}

impl std::error::Error for BadRequest {}

/// in.rshd(8): "a null terminated string of at most 16 characters".
const USER_LIMIT: usize = 16;
/// The server hands the command to a shell as one argument, and Linux takes none longer with its NUL (`execve`,
/// `MAX_ARG_STRLEN`). Some servers take less (rsh-redone 1,023) and say so themselves.
const COMMAND_LIMIT: usize = (128 << 10) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_ended_by_nul() {
        let request = Request::new(b"joe", b"root", b"id -un").unwrap();
        assert_eq!(request.octets(), b"joe\0root\0id -un\0");
    }

    #[test]
    fn what_a_server_would_misread_is_refused_by_name() {
        let said = |local: &[u8], command: &[u8]| {
            Request::new(local, b"root", command).unwrap_err().to_string()
        };
        assert_eq!(said(b"", b"id"), "the local user's name is empty");
        assert_eq!(said(b"joe", b"a\0b"), "the command holds a NUL, which rsh cannot carry");
        let long = "the local user's name is 17 octets long as it is sent; rsh carries 16";
        assert_eq!(said(b"seventeen-letters", b"id"), long);
        assert!(Request::new(b"sixteen-letters-", b"root", &vec![b'a'; COMMAND_LIMIT]).is_ok());
        let long = Request::new(b"joe", b"root", &vec![b'a'; COMMAND_LIMIT + 1]);
        assert!(matches!(long, Err(BadRequest::TooLong { field: Field::Command, .. })));
    }
}
