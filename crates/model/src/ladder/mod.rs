//! A ladder: what two ends of a connection did and what went between them, event by event, ready to be drawn.
//!
//! One type for every source. A story of the model knows everything; a script knows one end; a capture may have seen one
//! direction only and infers states. So a state can be unknown or inferred, a segment may be seen at one end only, and its
//! fate may be unknown.

mod arrow;
pub mod found;
pub mod plot;
pub mod scenario;
pub mod sequence;
pub mod stage;
pub mod svg;
pub mod text;
pub mod told;

pub use crate::tcp::world::Side;

use crate::state::State;
use crate::tcp::segment::Segment;
use crate::tcp::tcb::{Report, Timer};

/// A ladder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ladder {
    /// What it is called, as in `both-close-at-once`.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// What each end is called.
    pub ends: [String; 2],
    /// What could be seen.
    pub view: View,
    /// The states at the beginning.
    pub start: [Known<State>; 2],
    /// What happened.
    pub events: Vec<Event>,
}

/// What its source could see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    /// Both ends, or both directions.
    Both,
    /// Only what this end sent.
    OnlyFrom(Side),
}

/// Something that may not be known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Known<T> {
    /// Seen.
    Observed(T),
    /// Concluded from what was seen.
    Inferred(T),
    /// Not known.
    Unknown,
}

/// One event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When, where that is known.
    pub at: Option<Moment>,
    /// What.
    pub what: What,
    /// The states of both ends after it.
    pub states: [Known<State>; 2],
}

/// Milliseconds since the beginning.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(pub u64);

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A program asked for something.
    Call(Side, Call),
    /// A timer ran out.
    Timer(Side, Timer),
    /// Nothing was heard of the peer for long enough: keepalive asks whether it is there.
    Probe(Side),
    /// A program was told something.
    Told(Side, Report),
    /// `TIME_WAIT`'s wait began, began anew or ended.
    Wait(Side, WaitMark),
    /// A host went away without a word.
    Gone(Side),
    /// A host came back and remembers nothing.
    Back(Side),
    /// A segment was sent.
    Sent(Flight),
    /// It arrived. Where its sending was not seen, this is all there is.
    Arrived(Flight),
    /// It was lost.
    Lost(Flight),
    /// A remark.
    Note(String),
}

/// What a program asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// `connect`.
    Connect,
    /// `listen`.
    Listen,
    /// `write` of so many octets.
    Write(u32),
    /// `read` of all there is.
    Read,
    /// `shutdown(SHUT_WR)`.
    Shutdown,
    /// `shutdown(SHUT_RDWR)`.
    ShutdownBoth,
    /// `close`.
    Close,
    /// `close` with `SO_LINGER` of 0 s.
    Abort,
    /// `accept`: from then on the connection is the program's and no longer its listener's.
    Accept,
    /// `close` of the listener; what is in its queue goes with it.
    CloseListener,
    /// The program was killed, and the kernel closes for it.
    Die,
    /// The program ended without closing, and the kernel closes for it.
    Exit,
    /// `connect` to no address (`AF_UNSPEC`): the connection is given up, the socket stays.
    Disconnect,
    /// Nobody here asked: the connection is ended from outside (`SOCK_DESTROY`).
    Destroy,
    /// `SO_KEEPALIVE`.
    KeepAlive,
    /// `TCP_USER_TIMEOUT`.
    UserTimeout,
    /// `TCP_LINGER2` below 0: no `FIN_WAIT_2` without a program.
    NoFinWait2,
}

/// A mark on `TIME_WAIT`'s wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WaitMark {
    /// It begins.
    Starts,
    /// It begins anew.
    Restarts,
    /// It is over.
    Ends,
}

/// A segment on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flight {
    /// Which one: its sending and its arrival have the same number.
    pub id: u32,
    /// Who sent it.
    pub from: Side,
    /// The segment.
    pub segment: Segment,
    /// Which connection between the two ends it belongs to, counted from 1, if that is known.
    pub incarnation: Option<u8>,
    /// Whether it is the first of its kind.
    pub make: Make,
}

/// Whether a segment is the first of its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Make {
    /// It is.
    Original,
    /// Its sender sent it again.
    Repeated,
    /// The network doubled it.
    Doubled,
}

/// What became of a segment that was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It arrived, by this event.
    Arrives(usize),
    /// It was lost.
    Lost,
    /// Nobody saw.
    Unknown,
}

impl Ladder {
    /// What became of the segment that this event sent.
    pub fn fate(&self, sent_at: usize, flight: &Flight) -> Fate {
        for (at, event) in self.events.iter().enumerate().skip(sent_at + 1) {
            match &event.what {
                What::Arrived(other) if other.id == flight.id => return Fate::Arrives(at),
                What::Lost(other) if other.id == flight.id => return Fate::Lost,
                _ => {}
            }
        }
        Fate::Unknown
    }

    /// The event that sent the segment that arrives with this one, if it was seen.
    pub fn origin(&self, arrived_at: usize, flight: &Flight) -> Option<usize> {
        let before = self.events.get(..arrived_at)?;
        before
            .iter()
            .rposition(|event| matches!(&event.what, What::Sent(other) if other.id == flight.id))
    }

    /// The states before an event.
    pub fn states_before(&self, event: usize) -> [Known<State>; 2] {
        event
            .checked_sub(1)
            .and_then(|before| self.events.get(before))
            .map_or(self.start, |e| e.states)
    }

    /// True when segments of more than one connection are in it.
    pub fn has_incarnations(&self) -> bool {
        self.events.iter().any(|event| match event.what {
            What::Sent(flight) | What::Arrived(flight) => flight.incarnation.is_some_and(|n| n > 1),
            _ => false,
        })
    }
}

impl What {
    /// The side that it happens at; a segment on its way is at none.
    pub const fn side(&self) -> Option<Side> {
        match self {
            Self::Call(side, _)
            | Self::Timer(side, _)
            | Self::Probe(side)
            | Self::Told(side, _)
            | Self::Wait(side, _)
            | Self::Gone(side)
            | Self::Back(side) => Some(*side),
            Self::Sent(flight) => Some(flight.from),
            Self::Arrived(flight) => Some(flight.from.other()),
            Self::Lost(_) | Self::Note(_) => None,
        }
    }

    /// In words what happened at a side; `None` for what is drawn and for remarks.
    pub fn words(&self) -> Option<String> {
        Some(match self {
            Self::Call(_, call) => call.words(),
            Self::Timer(_, timer) => timer_words(*timer).to_owned(),
            Self::Probe(_) => "no sign of life: asks".to_owned(),
            Self::Told(_, report) => report.words().to_owned(),
            Self::Wait(_, WaitMark::Restarts) => "the wait starts anew".to_owned(),
            Self::Gone(_) => "the host is gone".to_owned(),
            Self::Back(_) => "the host is back".to_owned(),
            Self::Wait(_, WaitMark::Starts | WaitMark::Ends)
            | Self::Sent(_)
            | Self::Arrived(_)
            | Self::Lost(_)
            | Self::Note(_) => return None,
        })
    }
}

impl Call {
    fn words(self) -> String {
        match self {
            Self::Connect => "connect()".into(),
            Self::Listen => "listen()".into(),
            Self::Write(octets) => format!("write({octets})"),
            Self::Read => "read()".into(),
            Self::Shutdown => "shutdown(SHUT_WR)".into(),
            Self::ShutdownBoth => "shutdown(RDWR)".into(),
            Self::Close => "close()".into(),
            Self::Abort => "close(), linger 0 s".into(),
            Self::Accept => "accept()".into(),
            Self::CloseListener => "close() of listener".into(),
            Self::Die => "program is killed".into(),
            Self::Exit => "program ends".into(),
            Self::Disconnect => "connect(UNSPEC)".into(),
            Self::Destroy => "destroyed (ss -K)".into(),
            Self::KeepAlive => "SO_KEEPALIVE".into(),
            Self::UserTimeout => "user timeout set".into(),
            Self::NoFinWait2 => "TCP_LINGER2 -1".into(),
        }
    }
}

const fn timer_words(timer: Timer) -> &'static str {
    match timer {
        Timer::Retransmit => "no ACK: sends again",
        Timer::GiveUp => "gives up",
        Timer::FinWait2 => "FIN_WAIT_2 timeout",
        Timer::TimeWait => "2MSL over",
    }
}

impl Report {
    /// What the program sees.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::EndOfFile => "read() gives 0",
            Self::Refused => "ECONNREFUSED",
            Self::Reset => "ECONNRESET",
            Self::BrokenPipe => "EPIPE",
            Self::TimedOut => "ETIMEDOUT",
            Self::Aborted => "ECONNABORTED",
        }
    }
}

impl Known<State> {
    /// The state's name: in parentheses where it was inferred, `?` where it is not known.
    pub fn words(self) -> String {
        match self {
            Self::Observed(state) => state.name().into(),
            Self::Inferred(state) => format!("({})", state.name()),
            Self::Unknown => "?".into(),
        }
    }

    /// The state, observed or inferred.
    pub const fn state(self) -> Option<State> {
        match self {
            Self::Observed(state) | Self::Inferred(state) => Some(state),
            Self::Unknown => None,
        }
    }
}

impl Flight {
    /// The segment in words, with what a reader must know about it.
    pub fn words(&self, with_incarnation: Incarnations) -> String {
        let mut words = self.segment.to_string();
        match self.make {
            Make::Original => {}
            Make::Repeated => words.push_str(" (again)"),
            Make::Doubled => words.push_str(" (copy)"),
        }
        if let (Incarnations::Shown, Some(number)) = (with_incarnation, self.incarnation) {
            words = format!("#{number} {words}");
        }
        words
    }
}

/// Whether segments are marked with the connection they belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Incarnations {
    /// They are.
    Shown,
    /// There is one only.
    Hidden,
}

impl Incarnations {
    /// Shown where there are several.
    pub fn of(ladder: &Ladder) -> Self {
        if ladder.has_incarnations() { Self::Shown } else { Self::Hidden }
    }
}

/// A text in lines of so many characters, broken between words; at least one line.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = line.chars().count();
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// 0 for A, 1 for B.
pub const fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

#[cfg(test)]
mod tests;
