//! What an environment says of listeners that were passed with it: three conventions, read without touching anything.
//!
//! | Variables | Set by | Meant for this process if |
//! |---|---|---|
//! | `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`, `LISTEN_PIDFDID` | systemd and its kin (`sd_listen_fds(3)`) | `LISTEN_PID` is its pid, and `LISTEN_PIDFDID`, if there, the inode of its pidfd |
//! | `EINHORN_MASTER_PID`, `EINHORN_FD_COUNT`, `EINHORN_FD_0`…; `EINHORN_FDS` of old | einhorn | `EINHORN_MASTER_PID` is its parent's pid |
//! | `SERVER_STARTER_PORT` | `Server::Starter`, `go-server-starter` | always: nothing in it says for whom it is |
//!
//! All that are meant for this process are read; of a descriptor named twice the first name counts.

use std::fmt;

/// A descriptor that was passed, by what the environment says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passed {
    /// Its number.
    pub number: i32,
    /// What it is called: a name of `LISTEN_FDNAMES` (`unknown` without them, as `sd_listen_fds_with_names` says), the
    /// number of einhorn's list (`0`), or the address of `SERVER_STARTER_PORT` (`127.0.0.1:8080`).
    pub name: String,
}

/// Who reads the environment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reader {
    /// Its pid.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// The inode of its pidfd, where the kernel has such (Linux 6.9).
    pub pidfd_id: Option<u64>,
}

/// A variable that does not say what it should.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Malformed {
    variable: String,
    value: String,
    expected: &'static str,
}

/// Reads the variables that this closure looks up.
///
/// ```
/// use lastack_graceful::handover::environment::{Reader, parse};
///
/// let reader = Reader { pid: 700, parent: 1, pidfd_id: None };
/// let variables = |name: &str| match name {
///     "LISTEN_PID" => Some("700".into()),
///     "LISTEN_FDS" => Some("2".into()),
///     "LISTEN_FDNAMES" => Some("http:admin".into()),
///     _ => None,
/// };
/// let passed = parse(variables, &reader)?;
/// assert_eq!((passed[1].number, passed[1].name.as_str()), (4, "admin"));
/// # Ok::<(), lastack_graceful::handover::environment::Malformed>(())
/// ```
///
/// # Errors
///
/// When a variable that concerns this process is not of the form its convention has.
pub fn parse(
    lookup: impl Fn(&str) -> Option<String>,
    reader: &Reader,
) -> Result<Vec<Passed>, Malformed> {
    let mut all = systemd(&lookup, reader)?;
    all.extend(einhorn(&lookup, reader)?);
    all.extend(server_starter(&lookup)?);
    let mut seen = std::collections::HashSet::new();
    all.retain(|passed| seen.insert(passed.number));
    Ok(all)
}

/// Every variable that [`parse`] may look up, except einhorn's numbered ones, which nobody reads without its count.
pub const VARIABLES: &[&str] = &[
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "EINHORN_MASTER_PID",
    "EINHORN_FD_COUNT",
    "EINHORN_FDS",
    "SERVER_STARTER_PORT",
];

/// As `sd_listen_fds_with_names` of systemd does: a number of this process that cannot be had is not compared.
fn systemd(
    lookup: &impl Fn(&str) -> Option<String>,
    reader: &Reader,
) -> Result<Vec<Passed>, Malformed> {
    let Some(pid) = number::<u32>(lookup, "LISTEN_PID", PID)? else { return Ok(Vec::new()) };
    if pid != reader.pid {
        return Ok(Vec::new());
    }
    let pidfd_id = number::<u64>(lookup, "LISTEN_PIDFDID", "the inode of a pidfd")?;
    if let (Some(meant), Some(own)) = (pidfd_id, reader.pidfd_id)
        && meant != own
    {
        return Ok(Vec::new());
    }
    let Some(count) = number::<usize>(lookup, "LISTEN_FDS", COUNT)? else { return Ok(Vec::new()) };
    if !(1..=MOST).contains(&count) {
        return Err(Malformed::new("LISTEN_FDS", &count.to_string(), COUNT));
    }
    let names: Vec<String> = match lookup("LISTEN_FDNAMES") {
        None => vec!["unknown".into(); count],
        Some(names) if names.split(':').count() == count => {
            names.split(':').map(ToOwned::to_owned).collect()
        }
        Some(names) => {
            let expected = "as many names, parted by colons, as LISTEN_FDS counts";
            return Err(Malformed::new("LISTEN_FDNAMES", &names, expected));
        }
    };
    Ok((FIRST..).zip(names).map(|(number, name)| Passed { number, name }).collect())
}

fn einhorn(
    lookup: &impl Fn(&str) -> Option<String>,
    reader: &Reader,
) -> Result<Vec<Passed>, Malformed> {
    if number::<u32>(lookup, "EINHORN_MASTER_PID", PID)? != Some(reader.parent) {
        return Ok(Vec::new());
    }
    let numbers: Vec<i32> = match number::<usize>(lookup, "EINHORN_FD_COUNT", COUNT)? {
        Some(count) if count > MOST => {
            return Err(Malformed::new("EINHORN_FD_COUNT", &count.to_string(), COUNT));
        }
        Some(count) => {
            let one = |index| {
                let variable = format!("EINHORN_FD_{index}");
                descriptor(&variable, lookup(&variable).as_deref().unwrap_or_default())
            };
            (0..count).map(one).collect::<Result<_, _>>()?
        }
        None => {
            let list = lookup("EINHORN_FDS").unwrap_or_default();
            let words = list.split_ascii_whitespace().take(MOST);
            words.map(|word| descriptor("EINHORN_FDS", word)).collect::<Result<_, _>>()?
        }
    };
    let named = |(index, number): (usize, i32)| Passed { number, name: index.to_string() };
    Ok(numbers.into_iter().enumerate().map(named).collect())
}

/// `ADDRESS=NUMBER;…`, where an address is a port, a host and a port, or a path.
fn server_starter(lookup: &impl Fn(&str) -> Option<String>) -> Result<Vec<Passed>, Malformed> {
    const VARIABLE: &str = "SERVER_STARTER_PORT";
    let Some(text) = lookup(VARIABLE) else { return Ok(Vec::new()) };
    let parts = text.split(';').filter(|part| !part.is_empty()).take(MOST);
    let one = |part: &str| {
        // A path may hold the sign, a number cannot.
        let (name, number) = part.rsplit_once('=').ok_or_else(|| {
            Malformed::new(VARIABLE, part, "ADDRESS=NUMBER, parted by semicolons")
        })?;
        Ok(Passed { number: descriptor(VARIABLE, number)?, name: name.into() })
    };
    parts.map(one).collect()
}

fn number<T: std::str::FromStr>(
    lookup: &impl Fn(&str) -> Option<String>,
    variable: &str,
    expected: &'static str,
) -> Result<Option<T>, Malformed> {
    let Some(value) = lookup(variable) else { return Ok(None) };
    let parsed = value.parse().map_err(|_| Malformed::new(variable, &value, expected))?;
    Ok(Some(parsed))
}

fn descriptor(variable: &str, word: &str) -> Result<i32, Malformed> {
    word.parse()
        .ok()
        .filter(|number| *number >= 0)
        .ok_or_else(|| Malformed::new(variable, word, "the number of a descriptor"))
}

impl Malformed {
    fn new(variable: &str, value: &str, expected: &'static str) -> Self {
        let value = value.chars().take(SHOWN).collect();
        Self { variable: variable.into(), value, expected }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {:?} and should be {}", self.variable, self.value, self.expected)
    }
}

impl std::error::Error for Malformed {}

/// `SD_LISTEN_FDS_START`.
const FIRST: i32 = 3;
/// More than any manager passes, and few enough to keep in memory.
const MOST: usize = 65_536;
const PID: &str = "a pid";
const COUNT: &str = "a count of descriptors from 1 to 65536";
/// So much of a value is enough to recognize it.
const SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    const READER: Reader = Reader { pid: 700, parent: 600, pidfd_id: Some(42) };

    fn read(variables: &[(&str, &str)]) -> Result<Vec<(i32, String)>, String> {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let all = parse(lookup, &READER).map_err(|error| error.to_string())?;
        Ok(all.into_iter().map(|passed| (passed.number, passed.name)).collect())
    }

    fn passed(variables: &[(&str, &str)]) -> Vec<(i32, String)> {
        read(variables).expect("nothing malformed")
    }

    fn named(list: &[(i32, &str)]) -> Vec<(i32, String)> {
        list.iter().map(|(number, name)| (*number, (*name).to_owned())).collect()
    }

    #[test]
    fn nothing_said_is_nothing_passed() {
        assert_eq!(passed(&[]), named(&[]));
    }

    #[test]
    fn systemd_counts_from_three_and_names_in_order() {
        let pid = ("LISTEN_PID", "700");
        assert_eq!(passed(&[pid, ("LISTEN_FDS", "1")]), named(&[(3, "unknown")]));
        let names = ("LISTEN_FDNAMES", "web::web");
        let expected = named(&[(3, "web"), (4, ""), (5, "web")]);
        assert_eq!(passed(&[pid, ("LISTEN_FDS", "3"), names]), expected);
    }

    #[test]
    fn what_is_meant_for_another_process_is_not_read() {
        let count = ("LISTEN_FDS", "nonsense");
        assert_eq!(passed(&[count]), named(&[]));
        assert_eq!(passed(&[("LISTEN_PID", "701"), count]), named(&[]));
        assert_eq!(passed(&[("LISTEN_PID", "700"), ("LISTEN_PIDFDID", "41"), count]), named(&[]));
        let elsewhere = [("EINHORN_MASTER_PID", "601"), ("EINHORN_FD_COUNT", "nonsense")];
        assert_eq!(passed(&elsewhere), named(&[]));
    }

    #[test]
    fn the_inode_of_the_pidfd_settles_whose_it_is_where_both_are_known() {
        let mine = [("LISTEN_PID", "700"), ("LISTEN_FDS", "1"), ("LISTEN_PIDFDID", "42")];
        assert_eq!(passed(&mine), named(&[(3, "unknown")]));
        let reader = Reader { pidfd_id: None, ..READER };
        let lookup = |name: &str| match name {
            "LISTEN_PIDFDID" => Some("7".to_owned()),
            "LISTEN_PID" => Some("700".to_owned()),
            "LISTEN_FDS" => Some("1".to_owned()),
            _ => None,
        };
        assert_eq!(parse(lookup, &reader).map(|passed| passed.len()), Ok(1));
    }

    #[test]
    fn einhorn_numbers_its_own_and_kept_an_older_form() {
        let master = ("EINHORN_MASTER_PID", "600");
        let new = [master, ("EINHORN_FD_COUNT", "2"), ("EINHORN_FD_0", "6"), ("EINHORN_FD_1", "9")];
        assert_eq!(passed(&new), named(&[(6, "0"), (9, "1")]));
        assert_eq!(passed(&[master, ("EINHORN_FDS", "6 9")]), named(&[(6, "0"), (9, "1")]));
    }

    #[test]
    fn server_starter_names_addresses_and_paths() {
        let text = "80=3;127.0.0.1:8080=4;[::1]:443=5;/run/a=b.sock=6;";
        let expected = [(3, "80"), (4, "127.0.0.1:8080"), (5, "[::1]:443"), (6, "/run/a=b.sock")];
        assert_eq!(passed(&[("SERVER_STARTER_PORT", text)]), named(&expected));
    }

    #[test]
    fn a_descriptor_named_twice_has_its_first_name() {
        let all =
            [("LISTEN_PID", "700"), ("LISTEN_FDS", "1"), ("SERVER_STARTER_PORT", "80=3;81=4")];
        assert_eq!(passed(&all), named(&[(3, "unknown"), (4, "81")]));
    }

    #[test]
    fn what_cannot_be_is_refused_by_variable_and_value() {
        let pid = ("LISTEN_PID", "700");
        let master = ("EINHORN_MASTER_PID", "600");
        let cases: &[&[(&str, &str)]] = &[
            &[("LISTEN_PID", "x")],
            &[pid, ("LISTEN_FDS", "0")],
            &[pid, ("LISTEN_FDS", "-1")],
            &[pid, ("LISTEN_FDS", "2147483647")],
            &[pid, ("LISTEN_FDS", "99999999999999999999")],
            &[pid, ("LISTEN_FDS", "1"), ("LISTEN_PIDFDID", "x")],
            &[pid, ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "one")],
            &[master, ("EINHORN_FD_COUNT", "1")],
            &[master, ("EINHORN_FD_COUNT", "1"), ("EINHORN_FD_0", "-3")],
            &[master, ("EINHORN_FD_COUNT", "4000000000")],
            &[("SERVER_STARTER_PORT", "80")],
            &[("SERVER_STARTER_PORT", "80=x")],
        ];
        for case in cases {
            let error = read(case).expect_err("malformed");
            assert!(error.contains(" and should be "), "{case:?}: {error}");
        }
    }
}
