//! What two processes say while one hands its listeners to the other: frames of a fixed form, without I/O.
//!
//! Numbers are in network order. A frame is one message of a socket that keeps messages apart; its descriptors travel
//! beside it.
//!
//! | Octets | Meaning |
//! |---|---|
//! | 4 | `lsth` |
//! | 1 | version, 1 |
//! | 1 | kind |
//! | 2 | how many names follow: only in `Listeners` |
//! | 4 | a count: `Listeners`: how many there are in all; `Have`: how many have arrived; otherwise 0 |
//! | then | each name: its length in 2 octets, and its octets in UTF-8 |
//!
//! | Offers | Receives |
//! |---|---|
//! | | `Hello` |
//! | `Listeners`, with a descriptor for each name | |
//! | | `Have`; and so on until all have arrived |
//! | | `Ready`, once it accepts |
//! | `Released`: the path is free for the next offer | |

use std::fmt;

/// One frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// Who receives is there.
    Hello,
    /// Some of the listeners.
    Listeners {
        /// How many there are in all frames.
        total: u32,
        /// What those beside this frame are called, in their order.
        names: Vec<String>,
    },
    /// So many have arrived.
    Have(u32),
    /// Who receives accepts connections on them.
    Ready,
    /// Who offered is done with the path.
    Released,
}

/// Why octets are no frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// They do not begin as a frame does.
    NoFrame,
    /// They are of this version, which is not spoken here.
    Version(u8),
    /// They are of a kind that is not known.
    Kind(u8),
    /// A length or count does not fit what is there.
    Length,
    /// A name is longer than [`LONGEST_NAME`], not UTF-8, or has control characters.
    Name,
}

/// The longest name, in octets, as systemd has it (`fdname_is_valid`).
pub const LONGEST_NAME: usize = 255;
/// How many listeners one frame can carry: what one message may (`SCM_MAX_FD`).
pub const MOST_NAMES: usize = lastack_os::passing::MOST_DESCRIPTORS;
/// The longest frame, in octets.
pub const LONGEST: usize = HEADER + MOST_NAMES * (2 + LONGEST_NAME);

impl Frame {
    /// Its octets.
    ///
    /// # Errors
    ///
    /// [`Malformed::Name`] and [`Malformed::Length`] where it could not be parsed again.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let (kind, count, names): (u8, u32, &[String]) = match self {
            Self::Hello => (HELLO, 0, &[]),
            Self::Listeners { total, names } => (LISTENERS, *total, names),
            Self::Have(count) => (HAVE, *count, &[]),
            Self::Ready => (READY, 0, &[]),
            Self::Released => (RELEASED, 0, &[]),
        };
        if names.len() > MOST_NAMES {
            return Err(Malformed::Length);
        }
        let mut octets = Vec::with_capacity(HEADER);
        octets.extend(MAGIC);
        octets.extend([VERSION, kind]);
        octets.extend((names.len() as u16).to_be_bytes());
        octets.extend(count.to_be_bytes());
        for name in names {
            if !is_name(name) {
                return Err(Malformed::Name);
            }
            octets.extend((name.len() as u16).to_be_bytes());
            octets.extend(name.as_bytes());
        }
        Ok(octets)
    }

    /// Reads the octets of one frame, all of them.
    ///
    /// ```
    /// use lastack_graceful::handover::frame::{Frame, Malformed};
    ///
    /// let frame = Frame::Listeners { total: 1, names: vec!["http".into()] };
    /// let mut octets = frame.encode()?;
    /// assert_eq!(Frame::parse(&octets), Ok(frame));
    /// octets.pop();
    /// assert_eq!(Frame::parse(&octets), Err(Malformed::Length));
    /// # Ok::<(), Malformed>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When they are anything else.
    pub fn parse(octets: &[u8]) -> Result<Self, Malformed> {
        let (magic, rest) = octets.split_first_chunk().ok_or(Malformed::NoFrame)?;
        if magic != MAGIC {
            return Err(Malformed::NoFrame);
        }
        let ([version, kind], rest) = rest.split_first_chunk().ok_or(Malformed::Length)?;
        if *version != VERSION {
            return Err(Malformed::Version(*version));
        }
        let (many, rest) = rest.split_first_chunk().ok_or(Malformed::Length)?;
        let (count, mut rest) = rest.split_first_chunk().ok_or(Malformed::Length)?;
        let (many, count) = (u16::from_be_bytes(*many), u32::from_be_bytes(*count));
        if usize::from(many) > MOST_NAMES {
            return Err(Malformed::Length);
        }
        let mut names = Vec::new();
        for _ in 0..many {
            let (length, after) = rest.split_first_chunk().ok_or(Malformed::Length)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (name, after) = after.split_at_checked(length).ok_or(Malformed::Length)?;
            let name = std::str::from_utf8(name).map_err(|_| Malformed::Name)?;
            names.push(Some(name).filter(|name| is_name(name)).ok_or(Malformed::Name)?.to_owned());
            rest = after;
        }
        if !rest.is_empty() {
            return Err(Malformed::Length);
        }
        match (*kind, count, names.is_empty()) {
            (LISTENERS, total, false) if total as usize >= names.len() => {
                Ok(Self::Listeners { total, names })
            }
            (HAVE, count, true) => Ok(Self::Have(count)),
            (HELLO, 0, true) => Ok(Self::Hello),
            (READY, 0, true) => Ok(Self::Ready),
            (RELEASED, 0, true) => Ok(Self::Released),
            (HELLO..=RELEASED, ..) => Err(Malformed::Length),
            (kind, ..) => Err(Malformed::Kind(kind)),
        }
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFrame => f.write_str("it does not speak this protocol"),
            Self::Version(version) => {
                write!(f, "it speaks version {version} of the protocol, and this is {VERSION}")
            }
            Self::Kind(kind) => write!(f, "it sent a frame of unknown kind {kind}"),
            Self::Length => f.write_str("it sent a frame whose lengths do not fit"),
            Self::Name => write!(
                f,
                "a name has more than {LONGEST_NAME} octets, control characters, or is not UTF-8"
            ),
        }
    }
}

impl std::error::Error for Malformed {}

const MAGIC: &[u8; 4] = b"lsth";
const VERSION: u8 = 1;
const HEADER: usize = 12;
const HELLO: u8 = 1;
const LISTENERS: u8 = 2;
const HAVE: u8 = 3;
const READY: u8 = 4;
const RELEASED: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let names = |count: usize| (0..count).map(|index| format!("name {index}")).collect();
        vec![
            Frame::Hello,
            Frame::Listeners { total: 1, names: vec![String::new()] },
            Frame::Listeners { total: u32::MAX, names: names(MOST_NAMES) },
            Frame::Have(7),
            Frame::Ready,
            Frame::Released,
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for frame in frames() {
            let octets = frame.encode().expect("encoded");
            assert!(octets.len() <= LONGEST);
            assert_eq!(Frame::parse(&octets), Ok(frame));
        }
    }

    #[test]
    fn no_part_of_a_frame_is_one_and_nothing_may_follow() {
        for frame in frames() {
            let octets = frame.encode().expect("encoded");
            for length in 0..octets.len() {
                assert!(Frame::parse(&octets[..length]).is_err(), "{frame:?} cut to {length}");
            }
            assert_eq!(Frame::parse(&[&octets[..], b"x"].concat()), Err(Malformed::Length));
        }
    }

    #[test]
    fn counts_that_lie_are_refused() {
        let mut octets = Frame::Hello.encode().expect("encoded");
        octets[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
        assert_eq!(Frame::parse(&octets), Err(Malformed::Length));
        let fewer = Frame::Listeners { total: 1, names: vec!["a".into(), "b".into()] };
        assert_eq!(Frame::parse(&fewer.encode().expect("encoded")), Err(Malformed::Length));
    }

    #[test]
    fn names_that_could_mislead_are_refused_on_both_ends() {
        for name in ["x".repeat(LONGEST_NAME + 1), "a\nb".into()] {
            let frame = Frame::Listeners { total: 1, names: vec![name] };
            assert_eq!(frame.encode(), Err(Malformed::Name));
        }
    }

    #[test]
    fn another_version_is_told_from_nonsense() {
        let mut octets = Frame::Hello.encode().expect("encoded");
        octets[4] = 2;
        assert_eq!(Frame::parse(&octets), Err(Malformed::Version(2)));
        assert_eq!(Frame::parse(b"GET / HTTP/1.1"), Err(Malformed::NoFrame));
    }
}
