//! The head of an answer: its status line, and the fields that tell where it ends and who sent it.

use super::Flaw;

/// What a head says.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) status: Option<u16>,
    pub(super) server: Option<String>,
    pub(super) announces_close: bool,
    pub(super) length: Length,
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Length {
    Counted(u64),
    Chunked,
    #[default]
    ToTheClose,
}

/// What the fields say, before they are weighed.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    coding: Option<String>,
    connection: String,
    server: Option<String>,
}

impl Head {
    /// Reads a head that is complete.
    pub(super) fn parse(raw: &[u8]) -> Result<Self, Flaw> {
        let text = String::from_utf8_lossy(raw);
        let mut lines = text.lines();
        let (minor, status) = lines.next().and_then(status_line).ok_or(Flaw::NoStatusLine)?;
        let fields = fields(lines)?;
        let says = |word: &str| has_word(&fields.connection, word);
        Ok(Self {
            status: Some(status),
            announces_close: says("close") || (minor == 0 && !says("keep-alive")),
            // A transfer coding overrides a length (RFC 9112 §6.3, rule 3).
            length: match (&fields.coding, fields.length) {
                (Some(coding), _) if is_last_chunked(coding) => Length::Chunked,
                (Some(_), _) | (None, None) => Length::ToTheClose,
                (None, Some(length)) => Length::Counted(length),
            },
            server: fields.server,
        })
    }

    /// True for an answer that another one follows (RFC 9110 §15.2).
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_some_and(|status| (100..200).contains(&status) && status != 101)
    }

    /// True where the status says that there is no body (RFC 9112 §6.3, rule 1).
    pub(super) const fn has_no_body(&self) -> bool {
        matches!(self.status, Some(101 | 204 | 304))
    }
}

/// What is wrong with the first octets, as soon as that shows.
pub(super) fn flaw_at_start(raw: &[u8]) -> Option<Flaw> {
    const START: &[u8] = b"HTTP/1.";
    let known = raw.len().min(START.len());
    if raw[..known] == START[..known] {
        return None;
    }
    // A record of TLS begins with its type, here alert or handshake, and the version 3.x (RFC 8446 §5.1).
    match raw {
        [0x15 | 0x16] => None,
        [0x15 | 0x16, 3, ..] => Some(Flaw::Tls),
        _ => Some(Flaw::NoStatusLine),
    }
}

/// The minor version and the status.
fn status_line(line: &str) -> Option<(u8, u16)> {
    let mut words = line.strip_prefix("HTTP/1.")?.split(' ');
    let minor = words.next()?.parse().ok()?;
    let status = words.next().filter(|status| status.len() == 3)?;
    if !status.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    Some((minor, status.parse().ok().filter(|status| *status >= 100)?))
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Fields, Flaw> {
    let mut fields = Fields::default();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-length" => fields.length = Some(length(value, fields.length)?),
            "transfer-encoding" => fields.coding = Some(value.to_ascii_lowercase()),
            "connection" => {
                fields.connection.push(',');
                fields.connection.push_str(&value.to_ascii_lowercase());
            }
            "server" => fields.server = printable(value),
            _ => {}
        }
    }
    Ok(fields)
}

/// A length, said once or several times alike (RFC 9112 §6.3, rule 5).
fn length(value: &str, before: Option<u64>) -> Result<u64, Flaw> {
    let mut said = before;
    for one in value.split(',').map(str::trim) {
        let is_number = !one.is_empty() && one.bytes().all(|octet| octet.is_ascii_digit());
        let number = one.parse().ok().filter(|_| is_number).ok_or(Flaw::Length)?;
        if said.is_some_and(|said| said != number) {
            return Err(Flaw::Length);
        }
        said = Some(number);
    }
    said.ok_or(Flaw::Length)
}

fn has_word(list: &str, word: &str) -> bool {
    list.split(',').any(|one| one.trim() == word)
}

fn is_last_chunked(coding: &str) -> bool {
    coding.rsplit(',').next().is_some_and(|last| last.trim() == "chunked")
}

/// What a server sends may steer a terminal.
fn printable(text: &str) -> Option<String> {
    let kept: String =
        text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LONGEST_NAME).collect();
    (!kept.is_empty()).then_some(kept)
}

const LONGEST_NAME: usize = 60;
