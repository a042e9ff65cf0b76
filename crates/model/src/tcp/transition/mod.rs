//! The figure as data: what every event does in every state, and which rule says so.
//!
//! One table (RFC 9293 §3.3.2 figure 5, §3.10), [`CELLS`]. Those of its cells that lead to another state are the arcs
//! of the figure: the state machine moves along them and no other way, and the drawings are made from them. What the
//! machine does in every other cell is held to the table by a test.

mod cells;

pub use cells::CELLS;

use crate::state::State;

/// What an event does in a state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cell {
    /// The state.
    pub from: State,
    /// What happens.
    pub event: Event,
    /// What comes of it.
    pub outcome: Outcome,
    /// The rule.
    pub source: &'static str,
}

/// What comes of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The connection goes to another state.
    Moves {
        /// Which.
        to: State,
        /// What is sent with it.
        sends: Sends,
        /// Whether figure 5 of RFC 9293 draws it.
        drawn: Drawn,
    },
    /// It stays where it is, and this is sent.
    Stays(Sends),
    /// It stays, this is sent, and the wait of `TIME_WAIT` starts anew.
    WaitsAnew(Sends),
    /// The call fails, with the words of the RFC.
    Refused(&'static str),
    /// What distinguishes the event from this one makes no difference here.
    SameAs(Event),
    /// It cannot occur, for this reason.
    Never(&'static str),
}

/// One arc: an event in a state, the state after it, and what is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transition {
    /// Where it starts.
    pub from: State,
    /// What happens.
    pub event: Event,
    /// Where it leads.
    pub to: State,
    /// What is sent with it.
    pub sends: Sends,
    /// Whether figure 5 of RFC 9293 draws it.
    pub drawn: Drawn,
    /// The rule.
    pub source: &'static str,
}

/// What can move a connection to another state.
///
/// A segment is the one that the RFC's text has in mind (§3.10.7.4, first): it begins at `RCV.NXT`. A SYN or a FIN that was
/// received before is the same one again, and so begins before `RCV.NXT`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Event {
    /// The program waits for connections.
    PassiveOpen,
    /// The program opens a connection.
    ActiveOpen,
    /// The program closes, or ends its direction (`shutdown`).
    Close,
    /// The program aborts.
    Abort,
    /// A SYN arrives.
    Syn,
    /// A SYN arrives that acknowledges ours.
    SynAck,
    /// The acknowledgement of our SYN arrives.
    AckOfSyn,
    /// A FIN arrives; it acknowledges our SYN, and not our FIN.
    Fin,
    /// The acknowledgement of our FIN arrives.
    AckOfFin,
    /// A FIN arrives that acknowledges ours.
    FinAckOfFin,
    /// An acceptable RST arrives; the program opened the connection.
    Rst,
    /// An acceptable RST arrives for a connection that a listener made.
    RstToListener,
    /// A SYN arrives that may open a new incarnation: its number lies after all that was received.
    SynOfNewIncarnation,
    /// The wait of twice the segment lifetime is over.
    TimeWaitOver,
    /// The wait for the peer's FIN is over.
    FinWait2Over,
    /// Retransmission, keepalive or the user timeout is given up.
    GiveUp,
}

/// What is sent with a transition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sends {
    /// Nothing.
    Nothing,
    /// A SYN.
    Syn,
    /// A SYN that acknowledges one.
    SynAck,
    /// An acknowledgement.
    Ack,
    /// A FIN.
    Fin,
    /// A reset.
    Rst,
}

/// Whether the RFC's figure shows an arc.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drawn {
    /// It does.
    Yes,
    /// It does not: the text has it.
    No,
}

/// What this event does in this state.
pub const fn cell(from: State, event: Event) -> &'static Cell {
    // Both are declared in the order of the table, as a test checks.
    &CELLS[from as usize][event as usize]
}

/// Where this event leads from this state; `None` when it does not move the connection.
pub const fn next(from: State, event: Event) -> Option<State> {
    match cell(from, event).outcome {
        Outcome::Moves { to, .. } => Some(to),
        Outcome::Stays(_)
        | Outcome::WaitsAnew(_)
        | Outcome::Refused(_)
        | Outcome::SameAs(_)
        | Outcome::Never(_) => None,
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 16] = [
        Self::PassiveOpen,
        Self::ActiveOpen,
        Self::Close,
        Self::Abort,
        Self::Syn,
        Self::SynAck,
        Self::AckOfSyn,
        Self::Fin,
        Self::AckOfFin,
        Self::FinAckOfFin,
        Self::Rst,
        Self::RstToListener,
        Self::SynOfNewIncarnation,
        Self::TimeWaitOver,
        Self::FinWait2Over,
        Self::GiveUp,
    ];

    /// The event by a name of its own.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rst => "rcv RST, opened",
            Self::RstToListener => "rcv RST, listened",
            Self::FinAckOfFin => "rcv FIN,ACK of it",
            Self::FinWait2Over => "FIN_WAIT_2 over",
            other => other.label(),
        }
    }

    /// The event as the figure writes it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::PassiveOpen => "passive OPEN",
            Self::ActiveOpen => "active OPEN",
            Self::Close => "CLOSE",
            Self::Abort => "ABORT",
            Self::Syn => "rcv SYN",
            Self::SynAck => "rcv SYN,ACK",
            Self::AckOfSyn => "rcv ACK of SYN",
            Self::Fin => "rcv FIN",
            Self::AckOfFin => "rcv ACK of FIN",
            Self::FinAckOfFin => "rcv FIN,ACK of FIN",
            Self::Rst | Self::RstToListener => "rcv RST",
            Self::SynOfNewIncarnation => "rcv new SYN",
            Self::TimeWaitOver => "2MSL over",
            Self::FinWait2Over => "FIN_WAIT_2 timeout",
            Self::GiveUp => "give up",
        }
    }
}

impl Sends {
    /// What is sent, as the figure writes it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Syn => "snd SYN",
            Self::SynAck => "snd SYN,ACK",
            Self::Ack => "snd ACK",
            Self::Fin => "snd FIN",
            Self::Rst => "snd RST",
        }
    }
}

/// The arcs: the cells that lead to another state.
pub const TRANSITIONS: [Transition; 52] = {
    let mut arcs = [Transition {
        from: State::Closed,
        event: Event::PassiveOpen,
        to: State::Listen,
        sends: Sends::Nothing,
        drawn: Drawn::Yes,
        source: "",
    }; 52];
    let (mut found, mut at) = (0, 0);
    while at < State::ALL.len() * Event::ALL.len() {
        let Cell { from, event, outcome, source } =
            CELLS[at / Event::ALL.len()][at % Event::ALL.len()];
        if let Outcome::Moves { to, sends, drawn } = outcome {
            arcs[found] = Transition { from, event, to, sends, drawn, source };
            found += 1;
        }
        at += 1;
    }
    assert!(found == arcs.len(), "the number of arcs is that of the cells that move");
    arcs
};

#[cfg(test)]
mod tests;
