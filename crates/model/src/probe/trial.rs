//! What is tried: for each question the connection that answers it, as steps.
//!
//! Every step has an end, what is sent is fixed beforehand, and what is read has a limit. So what a probe costs a server
//! at most is known before it begins.

/// What is spoken with the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112).
    Http(Request),
    /// Something else: these words are said first, if any are known.
    Plain(Option<Vec<u8>>),
}

/// What is asked of an HTTP server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The host, and the port where it is not the usual one, as the field `Host` has it.
    pub host: String,
    /// The path, with its query.
    pub path: String,
    /// What is said in the field `User-Agent`.
    pub agent: String,
}

/// What a probe costs at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// How long an answer, an end or an acknowledgement is awaited, in milliseconds.
    pub patience_ms: u64,
    /// How many octets an upload has.
    pub upload: u32,
    /// After so many octets read on one connection it is given up.
    pub most_read: u64,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Kind {
    /// One request that asks for the connection to be closed.
    Close,
    /// A request with an upload that goes on while the answer comes; read only when nothing more can be sent.
    Upload,
    /// A request; two octets too many, once the answer begins; and a reader that is slow.
    Stray,
    /// A request, and at once this side's FIN.
    HalfClose,
    /// A request that leaves the connection open; then nothing; then this side's FIN.
    KeepAlive,
    /// The words that were given; then nothing; then this side's FIN.
    Words,
    /// Nothing at all; then this side's FIN.
    Silent,
}

/// One connection, and what it is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trial {
    /// What it is for.
    pub kind: Kind,
    /// What it does.
    pub steps: Vec<Step>,
    /// Whether an HTTP answer is read.
    pub speaks_http: bool,
    /// Whether all of it goes through TLS.
    pub speaks_tls: bool,
}

/// One step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Send this.
    Write(Vec<u8>, Reading),
    /// Send the FIN.
    Shutdown,
    /// Wait for this, at most so many milliseconds.
    Await(Awaited, u64),
}

/// Whether what comes is read while something is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// It is left where it is as long as sending goes on.
    Later,
    /// It is, from the beginning.
    Meanwhile,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Awaited {
    /// The end of the handshake of TLS.
    Handshake,
    /// Something to read; it is not read.
    FirstOctet,
    /// Nothing: a pause in which nothing is read.
    Nothing,
    /// The end of the answer.
    Answer,
    /// The same, if it has begun.
    Rest,
    /// The peer's FIN.
    End,
    /// The acknowledgement of all that was sent.
    Acknowledgement,
}

impl Bounds {
    /// What is right for most servers: 3 s, 1 MiB sent, 4 MiB read.
    pub const DEFAULT: Self = Self { patience_ms: 3000, upload: 1 << 20, most_read: 4 << 20 };
}

impl Trial {
    /// How many octets it sends at most.
    pub fn sends(&self) -> u64 {
        let one = |step: &Step| match step {
            Step::Write(octets, _) => octets.len() as u64,
            Step::Shutdown | Step::Await(..) => 0,
        };
        self.steps.iter().map(one).sum()
    }

    /// The same within TLS, whose handshake comes first and has a bound of its own.
    ///
    /// ```
    /// use lastack_model::probe::{trials, Awaited, Bounds, Protocol, Step};
    ///
    /// let silent = trials(&Protocol::Plain(None), &Bounds::DEFAULT).remove(0);
    /// let secured = silent.clone().within_tls(5000);
    /// assert_eq!(secured.steps[0], Step::Await(Awaited::Handshake, 5000));
    /// assert_eq!(secured.steps[1..], silent.steps[..]);
    /// ```
    #[must_use]
    pub fn within_tls(mut self, patience_ms: u64) -> Self {
        self.steps.insert(0, Step::Await(Awaited::Handshake, patience_ms));
        self.speaks_tls = true;
        self
    }
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Upload => "upload",
            Self::Stray => "stray",
            Self::HalfClose => "half-close",
            Self::KeepAlive => "keep-alive",
            Self::Words => "words",
            Self::Silent => "silent",
        }
    }
}

impl Request {
    /// The head of the request, with these fields beside the usual ones.
    fn head(&self, fields: &str) -> Vec<u8> {
        let Self { method, host, path, agent } = self;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\
             Accept: */*\r\n{fields}\r\n"
        )
        .into_bytes()
    }
}

/// The connections that a probe makes, one after another.
///
/// ```
/// use lastack_model::probe::{trials, Bounds, Kind, Protocol};
///
/// let trials = trials(&Protocol::Plain(None), &Bounds::DEFAULT);
/// assert_eq!(trials.len(), 1);
/// assert_eq!((trials[0].kind, trials[0].sends()), (Kind::Silent, 0));
/// ```
pub fn trials(protocol: &Protocol, bounds: &Bounds) -> Vec<Trial> {
    let patience = bounds.patience_ms;
    match protocol {
        Protocol::Http(request) => http(request, bounds),
        Protocol::Plain(None) => vec![silent(patience, false)],
        Protocol::Plain(Some(words)) => vec![
            Trial {
                kind: Kind::Words,
                steps: [vec![write(words.clone())], idle(patience)].concat(),
                speaks_http: false,
                speaks_tls: false,
            },
            Trial {
                kind: Kind::HalfClose,
                steps: vec![
                    write(words.clone()),
                    Step::Shutdown,
                    Step::Await(Awaited::End, patience),
                ],
                speaks_http: false,
                speaks_tls: false,
            },
            silent(patience, false),
        ],
    }
}

fn http(request: &Request, bounds: &Bounds) -> Vec<Trial> {
    let patience = bounds.patience_ms;
    let closing = request.head(CLOSE);
    let answer = Step::Await(Awaited::Answer, patience);
    let of = |kind, steps: Vec<Vec<Step>>| {
        let steps = steps.concat();
        Trial { kind, steps, speaks_http: true, speaks_tls: false }
    };
    vec![
        of(Kind::Close, vec![vec![write(closing.clone()), answer.clone()], idle(patience)]),
        upload(request, bounds),
        of(
            Kind::Stray,
            vec![
                vec![
                    write(closing.clone()),
                    Step::Await(Awaited::FirstOctet, patience),
                    Step::Write(STRAY.to_vec(), Reading::Later),
                    Step::Await(Awaited::Nothing, SLOW_MS),
                    answer.clone(),
                ],
                idle(patience),
            ],
        ),
        of(
            Kind::HalfClose,
            vec![vec![
                write(closing),
                Step::Shutdown,
                answer.clone(),
                Step::Await(Awaited::End, patience),
            ]],
        ),
        of(Kind::KeepAlive, vec![vec![write(request.head("")), answer], idle(patience)]),
        silent(patience, true),
    ]
}

/// A first part of the body, before which no answer is expected; the middle, while the answer comes; and the last part once
/// the answer is there, so that the server closes, if it does, under an upload that still runs.
fn upload(request: &Request, bounds: &Bounds) -> Trial {
    let patience = bounds.patience_ms;
    let head = request.head(&format!(
        "{CLOSE}Content-Type: application/octet-stream\r\nContent-Length: {}\r\n",
        bounds.upload
    ));
    let part = bounds.upload.min(PART);
    let last = (bounds.upload - part).min(PART);
    let body = |octets: u32| vec![b'x'; octets as usize];
    let steps = vec![
        Step::Write([head, body(part)].concat(), Reading::Later),
        Step::Await(Awaited::FirstOctet, patience),
        Step::Write(body(bounds.upload - part - last), Reading::Later),
        Step::Await(Awaited::Rest, patience),
        Step::Write(body(last), Reading::Meanwhile),
        Step::Await(Awaited::Answer, patience),
    ];
    let steps = [steps, idle(patience)].concat();
    Trial { kind: Kind::Upload, steps, speaks_http: true, speaks_tls: false }
}

fn silent(patience: u64, speaks_http: bool) -> Trial {
    Trial { kind: Kind::Silent, steps: idle(patience), speaks_http, speaks_tls: false }
}

/// The other side may close first; then this one does. A reset that answers what was sent last comes before its
/// acknowledgement would.
fn idle(patience: u64) -> Vec<Step> {
    vec![
        Step::Await(Awaited::End, patience),
        Step::Await(Awaited::Acknowledgement, patience),
        Step::Shutdown,
        Step::Await(Awaited::End, patience),
    ]
}

const fn write(octets: Vec<u8>) -> Step {
    Step::Write(octets, Reading::Meanwhile)
}

const CLOSE: &str = "Connection: close\r\n";
/// What some old clients send after a request (RFC 9112 §2.2).
const STRAY: &[u8] = b"\r\n";
/// How much of an upload goes first, and last: what no server reads in one piece.
const PART: u32 = 64 << 10;
/// How slow a slow reader is.
const SLOW_MS: u64 = 200;
