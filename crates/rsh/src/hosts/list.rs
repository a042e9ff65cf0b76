//! Whole lists: several patterns, files of them, standard input, and hosts taken out again.

use super::error::{Error, Fault};
use super::pattern::Pattern;
use super::{Host, MOST_HOSTS};
use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read};
use std::net::Ipv6Addr;
use std::path::PathBuf;

/// A list that grows and shrinks.
#[derive(Clone, Debug, Default)]
pub struct HostList {
    hosts: Vec<Host>,
    known: HashSet<Host>,
}

/// Where a list stands that is not typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// `-`.
    StandardInput,
    /// `@file`; `^file`, as pdsh has it, means the same.
    File(PathBuf),
}

/// How deep files may name files.
pub(super) const DEEPEST: usize = 8;
/// How long a file of hosts may be.
pub(super) const MOST_OCTETS: u64 = 16 << 20;

/// Gives the text of a file.
type Reader<'a> = dyn FnMut(&Place) -> Result<String, Error> + 'a;

impl HostList {
    /// Adds the hosts of a list, and those of the files that it names, which `read` reads.
    ///
    /// # Errors
    ///
    /// Where it is no list, or names too many hosts. What came before the fault may have been added.
    pub fn add(&mut self, text: &str, read: &mut Reader<'_>) -> Result<(), Error> {
        for_each(text, read, 0, &mut |pattern, text| self.grow(pattern, text))
    }

    /// Takes the hosts of a list out, and those of the files that it names. A host that is not there is passed over.
    /// A name without a user means it whoever the user is.
    ///
    /// # Errors
    ///
    /// Where it is no list, or names too many hosts.
    pub fn remove(&mut self, text: &str, read: &mut Reader<'_>) -> Result<(), Error> {
        let mut out = Self::default();
        out.add(text, read)?;
        self.hosts.retain(|host| {
            let anybody = Host { user: None, name: host.name.clone() };
            !out.known.contains(host) && !out.known.contains(&anybody)
        });
        self.known = self.hosts.iter().cloned().collect();
        Ok(())
    }

    /// The hosts, in the order in which they were added, each once.
    pub fn into_hosts(self) -> Vec<Host> {
        self.hosts
    }

    fn grow(&mut self, pattern: &Pattern, text: &str) -> Result<(), Error> {
        let room = MOST_HOSTS - self.hosts.len();
        if pattern.count() > MOST_HOSTS as u64 {
            return Err(Error::new(text, Fault::TooMany));
        }
        // Some names of that length would fill the memory before the first is refused.
        if pattern.shortest() > LONGEST_NAME {
            return Err(Error::new(text, TOO_LONG));
        }
        let new: Vec<Host> =
            pattern.names().iter().map(|name| host(name)).collect::<Result<_, _>>()?;
        let new = new.into_iter().filter(|host| self.known.insert(host.clone()));
        self.hosts.extend(new.take(room + 1));
        if self.hosts.len() > MOST_HOSTS {
            return Err(Error::new(text, Fault::TooMany));
        }
        Ok(())
    }
}

/// Reads a file of hosts, or standard input, as far as it is not too long.
///
/// # Errors
///
/// Where it cannot be read, is no text, or is too long.
pub fn read_place(place: &Place) -> Result<String, Error> {
    let failed =
        |cause: io::Error| Error::new(place.to_string(), Fault::Unreadable(cause.to_string()));
    let mut text = String::new();
    let most = MOST_OCTETS + 1;
    let read = match place {
        Place::StandardInput => io::stdin().lock().take(most).read_to_string(&mut text),
        Place::File(path) => {
            let file = std::fs::File::open(path).map_err(failed)?;
            file.take(most).read_to_string(&mut text)
        }
    };
    let length = read.map_err(failed)?;
    if length as u64 > MOST_OCTETS {
        return Err(Error::new(place.to_string(), Fault::TooLong));
    }
    Ok(text)
}

/// Does something with every pattern of a text, files included.
fn for_each(
    text: &str,
    read: &mut Reader<'_>,
    depth: usize,
    act: &mut dyn FnMut(&Pattern, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    for word in words(text) {
        let Some(place) = place(word) else {
            act(
                &literal(word)
                    .map_or_else(|| Pattern::parse(word), |name| Pattern::parse(&name))?,
                word,
            )?;
            continue;
        };
        if depth == DEEPEST {
            return Err(Error::new(word, Fault::TooDeep));
        }
        for line in read(&place)?.lines() {
            let list = line.split('#').next().unwrap_or_default();
            for_each(list, read, depth + 1, act)?;
        }
    }
    Ok(())
}

/// What a list is made of: commas and spaces part it, but not within brackets. Empty parts do not count.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.split(move |c: char| {
        is_inside = match c {
            '[' => true,
            ']' => false,
            _ => is_inside,
        };
        (c == ',' && !is_inside) || c.is_whitespace()
    })
    .filter(|word| !word.is_empty())
}

fn place(word: &str) -> Option<Place> {
    if word == "-" {
        return Some(Place::StandardInput);
    }
    word.strip_prefix(['@', '^']).map(|path| Place::File(path.into()))
}

/// `[2001:db8::1]` is an address, not a range; so is `root@[fe80::1%eth0]`. Without brackets it is one too.
fn literal(word: &str) -> Option<String> {
    let (user, bare) = word.rsplit_once('@').map_or(("", word), |(user, bare)| (user, bare));
    let address = bare.strip_prefix('[')?.strip_suffix(']')?;
    let plain = address.split('%').next()?;
    plain.parse::<Ipv6Addr>().ok()?;
    Some(if user.is_empty() { address.to_owned() } else { format!("{user}@{address}") })
}

/// A name is checked here, once: neither ssh nor a resolver may take it for something else.
fn host(text: &str) -> Result<Host, Error> {
    let wrong = |why| Error::new(text, Fault::Name(why));
    let (user, name) = match text.rsplit_once('@') {
        Some((user, name)) => (Some(user), name),
        None => (None, text),
    };
    if name.is_empty() {
        return Err(wrong("a host without a name"));
    }
    if user.is_some_and(str::is_empty) {
        return Err(wrong("a user without a name"));
    }
    if name.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) {
        return Err(wrong("a name cannot begin with \"-\", which would be an option"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || ",#[]".contains(c)) {
        return Err(wrong("a name with a character that no name has"));
    }
    if text.len() > LONGEST_NAME {
        return Err(Error::new(text, TOO_LONG));
    }
    Ok(Host { user: user.map(Into::into), name: name.into() })
}

/// The Domain Name System has no longer ones (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 255;
const TOO_LONG: Fault = Fault::Name("a name longer than 255 octets");

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardInput => write!(f, "-"),
            Self::File(path) => write!(f, "@{}", path.display()),
        }
    }
}
