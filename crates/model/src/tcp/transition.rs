//! The figure as data: which event takes a connection from which state to which, and what is sent.
//!
//! One table (RFC 9293 §3.3.2 figure 5, §3.10). The state machine moves along its rows and no other way, the tests check
//! that every row is reached, and the drawings are made from it.

use crate::state::State;

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
    /// A FIN arrives.
    Fin,
    /// The acknowledgement of our FIN arrives.
    AckOfFin,
    /// A FIN arrives that acknowledges ours.
    FinAckOfFin,
    /// An acceptable RST arrives.
    Rst,
    /// An acceptable RST arrives for a connection that a listener made.
    RstToListener,
    /// A SYN arrives that may open a new incarnation.
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

/// Where this event leads from this state; `None` when it does not move the connection.
pub fn next(from: State, event: Event) -> Option<State> {
    row(from, event).map(|transition| transition.to)
}

/// The row for this event in this state.
pub fn row(from: State, event: Event) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|row| row.from == from && row.event == event)
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

const fn drawn(
    from: State,
    event: Event,
    to: State,
    sends: Sends,
    source: &'static str,
) -> Transition {
    Transition { from, event, to, sends, drawn: Drawn::Yes, source }
}

const fn told(
    from: State,
    event: Event,
    to: State,
    sends: Sends,
    source: &'static str,
) -> Transition {
    Transition { from, event, to, sends, drawn: Drawn::No, source }
}

/// The table.
pub const TRANSITIONS: [Transition; 51] = {
    use Event as E;
    use Sends as W;
    use State as S;
    [
        drawn(S::Closed, E::PassiveOpen, S::Listen, W::Nothing, "RFC 9293 §3.10.1"),
        drawn(S::Closed, E::ActiveOpen, S::SynSent, W::Syn, "RFC 9293 §3.10.1"),
        drawn(S::Listen, E::ActiveOpen, S::SynSent, W::Syn, "RFC 9293 §3.10.1, §3.10.2"),
        drawn(S::Listen, E::Syn, S::SynReceived, W::SynAck, "RFC 9293 §3.10.7.2"),
        drawn(S::Listen, E::Close, S::Closed, W::Nothing, "RFC 9293 §3.10.4"),
        told(S::Listen, E::Abort, S::Closed, W::Nothing, "RFC 9293 §3.10.5"),
        drawn(S::SynSent, E::Syn, S::SynReceived, W::SynAck, "RFC 9293 §3.10.7.3, fourth"),
        drawn(S::SynSent, E::SynAck, S::Established, W::Ack, "RFC 9293 §3.10.7.3, fourth"),
        drawn(S::SynSent, E::Close, S::Closed, W::Nothing, "RFC 9293 §3.10.4"),
        told(S::SynSent, E::Abort, S::Closed, W::Nothing, "RFC 9293 §3.10.5"),
        told(S::SynSent, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.3, second"),
        told(S::SynSent, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.3 (R2)"),
        drawn(S::SynReceived, E::AckOfSyn, S::Established, W::Nothing, "RFC 9293 §3.10.7.4, fifth"),
        drawn(S::SynReceived, E::Close, S::FinWait1, W::Fin, "RFC 9293 §3.10.4"),
        told(S::SynReceived, E::Fin, S::CloseWait, W::Ack, "RFC 9293 §3.10.7.4, eighth"),
        told(S::SynReceived, E::Abort, S::Closed, W::Rst, "RFC 9293 §3.10.5"),
        told(S::SynReceived, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        drawn(
            S::SynReceived,
            E::RstToListener,
            S::Listen,
            W::Nothing,
            "RFC 9293 §3.10.7.4, second",
        ),
        told(S::SynReceived, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.3 (R2)"),
        drawn(S::Established, E::Close, S::FinWait1, W::Fin, "RFC 9293 §3.10.4"),
        drawn(S::Established, E::Fin, S::CloseWait, W::Ack, "RFC 9293 §3.10.7.4, eighth"),
        told(S::Established, E::Abort, S::Closed, W::Rst, "RFC 9293 §3.10.5"),
        told(S::Established, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        told(S::Established, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.3 (R2)"),
        drawn(S::FinWait1, E::AckOfFin, S::FinWait2, W::Nothing, "RFC 9293 §3.10.7.4, fifth"),
        drawn(S::FinWait1, E::Fin, S::Closing, W::Ack, "RFC 9293 §3.10.7.4, eighth"),
        // Note 2 of the figure.
        told(S::FinWait1, E::FinAckOfFin, S::TimeWait, W::Ack, "RFC 9293 §3.10.7.4, eighth"),
        told(S::FinWait1, E::Abort, S::Closed, W::Rst, "RFC 9293 §3.10.5"),
        told(S::FinWait1, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        told(S::FinWait1, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.3 (R2)"),
        drawn(S::FinWait2, E::Fin, S::TimeWait, W::Ack, "RFC 9293 §3.10.7.4, eighth"),
        told(S::FinWait2, E::Abort, S::Closed, W::Rst, "RFC 9293 §3.10.5"),
        told(S::FinWait2, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        told(
            S::FinWait2,
            E::FinWait2Over,
            S::Closed,
            W::Nothing,
            "tcp_fin_timeout, net.inet.tcp.finwait2_timeout",
        ),
        told(S::FinWait2, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.4"),
        drawn(S::CloseWait, E::Close, S::LastAck, W::Fin, "RFC 9293 §3.10.4"),
        told(S::CloseWait, E::Abort, S::Closed, W::Rst, "RFC 9293 §3.10.5"),
        told(S::CloseWait, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        told(S::CloseWait, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.3 (R2)"),
        drawn(S::Closing, E::AckOfFin, S::TimeWait, W::Nothing, "RFC 9293 §3.10.7.4, fifth"),
        told(S::Closing, E::Abort, S::Closed, W::Nothing, "RFC 9293 §3.10.5"),
        told(S::Closing, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        told(S::Closing, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.3 (R2)"),
        drawn(S::LastAck, E::AckOfFin, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, fifth"),
        told(S::LastAck, E::Abort, S::Closed, W::Nothing, "RFC 9293 §3.10.5"),
        told(S::LastAck, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        told(S::LastAck, E::GiveUp, S::Closed, W::Nothing, "RFC 9293 §3.8.3 (R2)"),
        drawn(S::TimeWait, E::TimeWaitOver, S::Closed, W::Nothing, "RFC 9293 §3.10.8"),
        told(S::TimeWait, E::Abort, S::Closed, W::Nothing, "RFC 9293 §3.10.5"),
        told(S::TimeWait, E::Rst, S::Closed, W::Nothing, "RFC 9293 §3.10.7.4, second"),
        told(
            S::TimeWait,
            E::SynOfNewIncarnation,
            S::SynReceived,
            W::SynAck,
            "RFC 9293 §3.6.1 (MAY-2)",
        ),
    ]
};
