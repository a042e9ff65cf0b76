//! The table itself: a row for each state, a cell for each event.

use super::Outcome::{Never, Refused, SameAs, Stays, WaitsAnew};
use super::{Cell, Drawn, Event as E, Outcome, Sends as W};
use crate::state::State as S;

/// What every event does in every state: the states in the order of [`S::ALL`], the events in that of [`E::ALL`].
pub const CELLS: [[Cell; 16]; 11] = [
    row(S::Listen, &LISTEN),
    row(S::SynSent, &SYN_SENT),
    row(S::SynReceived, &SYN_RECEIVED),
    row(S::Established, &ESTABLISHED),
    row(S::FinWait1, &FIN_WAIT_1),
    row(S::FinWait2, &FIN_WAIT_2),
    row(S::CloseWait, &CLOSE_WAIT),
    row(S::Closing, &CLOSING),
    row(S::LastAck, &LAST_ACK),
    row(S::TimeWait, &TIME_WAIT),
    row(S::Closed, &CLOSED),
];

type Row = [(E, Outcome, &'static str); 16];

const fn row(from: S, row: &Row) -> [Cell; 16] {
    let (event, outcome, source) = row[0];
    let mut cells = [Cell { from, event, outcome, source }; 16];
    let mut at = 1;
    while at < row.len() {
        let (event, outcome, source) = row[at];
        cells[at] = Cell { from, event, outcome, source };
        at += 1;
    }
    cells
}

/// An arc that the RFC's figure draws.
const fn drawn(to: S, sends: W) -> Outcome {
    Outcome::Moves { to, sends, drawn: Drawn::Yes }
}

/// An arc that only its text has.
const fn told(to: S, sends: W) -> Outcome {
    Outcome::Moves { to, sends, drawn: Drawn::No }
}

const LISTEN: Row = [
    (E::PassiveOpen, Stays(W::Nothing), SILENT),
    (E::ActiveOpen, drawn(S::SynSent, W::Syn), "RFC 9293 §3.10.1, §3.10.2"),
    (E::Close, drawn(S::Closed, W::Nothing), CLOSE),
    (E::Abort, told(S::Closed, W::Nothing), ABORT),
    (E::Syn, drawn(S::SynReceived, W::SynAck), LISTEN_3),
    (E::SynAck, Stays(W::Rst), LISTEN_2),
    (E::AckOfSyn, Stays(W::Rst), LISTEN_2),
    (E::Fin, Stays(W::Rst), LISTEN_2),
    (E::AckOfFin, Stays(W::Rst), LISTEN_2),
    (E::FinAckOfFin, Stays(W::Rst), LISTEN_2),
    (E::Rst, Stays(W::Nothing), LISTEN_1),
    (E::RstToListener, SameAs(E::Rst), LISTEN_1),
    (E::SynOfNewIncarnation, SameAs(E::Syn), LISTEN_3),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, NOTHING_SENT, R2),
];

const SYN_SENT: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, drawn(S::Closed, W::Nothing), CLOSE),
    (E::Abort, told(S::Closed, W::Nothing), ABORT),
    (E::Syn, drawn(S::SynReceived, W::SynAck), SYN_SENT_4),
    (E::SynAck, drawn(S::Established, W::Ack), SYN_SENT_4),
    (E::AckOfSyn, Stays(W::Nothing), SYN_SENT_5),
    (E::Fin, Stays(W::Nothing), SYN_SENT_5),
    (E::AckOfFin, Stays(W::Rst), SYN_SENT_1),
    (E::FinAckOfFin, Stays(W::Rst), SYN_SENT_1),
    (E::Rst, told(S::Closed, W::Nothing), SYN_SENT_2),
    (E::RstToListener, Never("the program opened it"), OPEN),
    (E::SynOfNewIncarnation, SameAs(E::Syn), SYN_SENT_4),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), R2),
];

const SYN_RECEIVED: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, drawn(S::FinWait1, W::Fin), CLOSE),
    (E::Abort, told(S::Closed, W::Rst), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, drawn(S::Established, W::Nothing), FIFTH),
    (E::Fin, told(S::CloseWait, W::Ack), EIGHTH),
    (E::AckOfFin, Stays(W::Rst), FIFTH),
    (E::FinAckOfFin, Stays(W::Rst), FIFTH),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, drawn(S::Listen, W::Nothing), SECOND),
    // Where the program opened the connection, it is challenged as in ESTABLISHED.
    (E::SynOfNewIncarnation, told(S::Listen, W::Nothing), FOURTH),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), R2),
];

const ESTABLISHED: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, drawn(S::FinWait1, W::Fin), CLOSE),
    (E::Abort, told(S::Closed, W::Rst), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, Stays(W::Nothing), FIFTH),
    (E::Fin, drawn(S::CloseWait, W::Ack), EIGHTH),
    // Nobody can acknowledge a FIN that was not sent.
    (E::AckOfFin, Stays(W::Ack), FIFTH),
    (E::FinAckOfFin, Stays(W::Ack), FIFTH),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, SameAs(E::Rst), SECOND),
    (E::SynOfNewIncarnation, Stays(W::Ack), FOURTH),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), R2),
];

const FIN_WAIT_1: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, IS_CLOSING, CLOSE),
    (E::Abort, told(S::Closed, W::Rst), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, Stays(W::Nothing), FIFTH),
    (E::Fin, drawn(S::Closing, W::Ack), EIGHTH),
    (E::AckOfFin, drawn(S::FinWait2, W::Nothing), FIFTH),
    // Note 2 of the figure.
    (E::FinAckOfFin, told(S::TimeWait, W::Ack), EIGHTH),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, SameAs(E::Rst), SECOND),
    (E::SynOfNewIncarnation, Stays(W::Ack), FOURTH),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), R2),
];

const FIN_WAIT_2: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, IS_CLOSING, CLOSE),
    (E::Abort, told(S::Closed, W::Rst), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, Stays(W::Nothing), FIFTH),
    (E::Fin, drawn(S::TimeWait, W::Ack), EIGHTH),
    (E::AckOfFin, Stays(W::Nothing), FIFTH),
    (E::FinAckOfFin, SameAs(E::Fin), EIGHTH),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, SameAs(E::Rst), SECOND),
    (E::SynOfNewIncarnation, Stays(W::Ack), FOURTH),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, told(S::Closed, W::Nothing), SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), "RFC 9293 §3.8.4, §3.10.8"),
];

const CLOSE_WAIT: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, drawn(S::LastAck, W::Fin), CLOSE),
    (E::Abort, told(S::Closed, W::Rst), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, Stays(W::Nothing), FIFTH),
    (E::Fin, Stays(W::Ack), FIRST_EIGHTH),
    (E::AckOfFin, Stays(W::Ack), FIFTH),
    (E::FinAckOfFin, Stays(W::Ack), FIRST),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, SameAs(E::Rst), SECOND),
    (E::SynOfNewIncarnation, Stays(W::Ack), FOURTH),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), R2),
];

const CLOSING: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, IS_CLOSING, CLOSE),
    (E::Abort, told(S::Closed, W::Nothing), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, Stays(W::Nothing), FIFTH),
    (E::Fin, Stays(W::Ack), FIRST_EIGHTH),
    (E::AckOfFin, drawn(S::TimeWait, W::Nothing), FIFTH),
    // By the letter, what it acknowledges is not looked at: the segment lies before the window.
    (E::FinAckOfFin, Stays(W::Ack), FIRST),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, SameAs(E::Rst), SECOND),
    (E::SynOfNewIncarnation, Stays(W::Ack), FOURTH),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), R2),
];

const LAST_ACK: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, IS_CLOSING, CLOSE),
    (E::Abort, told(S::Closed, W::Nothing), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, Stays(W::Nothing), FIFTH),
    (E::Fin, Stays(W::Ack), FIRST_EIGHTH),
    (E::AckOfFin, drawn(S::Closed, W::Nothing), FIFTH),
    (E::FinAckOfFin, Stays(W::Ack), FIRST),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, SameAs(E::Rst), SECOND),
    (E::SynOfNewIncarnation, Stays(W::Ack), FOURTH),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, told(S::Closed, W::Nothing), R2),
];

const TIME_WAIT: Row = [
    (E::PassiveOpen, EXISTS, OPEN),
    (E::ActiveOpen, EXISTS, OPEN),
    (E::Close, IS_CLOSING, CLOSE),
    (E::Abort, told(S::Closed, W::Nothing), ABORT),
    (E::Syn, Stays(W::Ack), FIRST),
    (E::SynAck, Stays(W::Ack), FIRST),
    (E::AckOfSyn, Stays(W::Nothing), FIFTH),
    (E::Fin, WaitsAnew(W::Ack), FIFTH_EIGHTH),
    (E::AckOfFin, Stays(W::Nothing), FIFTH),
    (E::FinAckOfFin, SameAs(E::Fin), FIFTH_EIGHTH),
    (E::Rst, told(S::Closed, W::Nothing), SECOND),
    (E::RstToListener, SameAs(E::Rst), SECOND),
    (E::SynOfNewIncarnation, told(S::SynReceived, W::SynAck), "RFC 9293 §3.6.1 (MAY-2)"),
    (E::TimeWaitOver, drawn(S::Closed, W::Nothing), TIMEOUTS),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, Never("the other timers are off"), EIGHTH),
];

const CLOSED: Row = [
    (E::PassiveOpen, drawn(S::Listen, W::Nothing), OPEN),
    (E::ActiveOpen, drawn(S::SynSent, W::Syn), OPEN),
    (E::Close, NO_CONNECTION, CLOSE),
    (E::Abort, NO_CONNECTION, ABORT),
    (E::Syn, Stays(W::Rst), NOBODY),
    (E::SynAck, Stays(W::Rst), NOBODY),
    (E::AckOfSyn, Stays(W::Rst), NOBODY),
    (E::Fin, Stays(W::Rst), NOBODY),
    (E::AckOfFin, Stays(W::Rst), NOBODY),
    (E::FinAckOfFin, Stays(W::Rst), NOBODY),
    (E::Rst, Stays(W::Nothing), NOBODY),
    (E::RstToListener, SameAs(E::Rst), NOBODY),
    (E::SynOfNewIncarnation, SameAs(E::Syn), NOBODY),
    (E::TimeWaitOver, NO_TIME_WAIT, EIGHTH),
    (E::FinWait2Over, NO_FIN_WAIT_2, SYSTEMS),
    (E::GiveUp, NOTHING_SENT, R2),
];

const EXISTS: Outcome = Refused("connection already exists");
const NO_CONNECTION: Outcome = Refused("connection does not exist");
/// In `FIN_WAIT_1` and `FIN_WAIT_2` the RFC would let it succeed as well, as long as no second FIN is sent.
const IS_CLOSING: Outcome = Refused("connection closing");
const NO_TIME_WAIT: Outcome = Never("the timer runs in TIME_WAIT only");
const NO_FIN_WAIT_2: Outcome = Never("the timer runs in FIN_WAIT_2 only");
const NOTHING_SENT: Outcome = Never("nothing sent awaits an answer");

/// Where no change is mentioned, there is none; the section on OPEN has nothing on this case.
const SILENT: &str = "RFC 9293 §3.10, §3.10.1";
const OPEN: &str = "RFC 9293 §3.10.1";
const CLOSE: &str = "RFC 9293 §3.10.4";
const ABORT: &str = "RFC 9293 §3.10.5";
const NOBODY: &str = "RFC 9293 §3.10.7.1";
const LISTEN_1: &str = "RFC 9293 §3.10.7.2, first";
const LISTEN_2: &str = "RFC 9293 §3.10.7.2, second";
const LISTEN_3: &str = "RFC 9293 §3.10.7.2, third";
const SYN_SENT_1: &str = "RFC 9293 §3.10.7.3, first";
const SYN_SENT_2: &str = "RFC 9293 §3.10.7.3, second";
const SYN_SENT_4: &str = "RFC 9293 §3.10.7.3, fourth";
const SYN_SENT_5: &str = "RFC 9293 §3.10.7.3, fifth";
const FIRST: &str = "RFC 9293 §3.10.7.4, first";
const SECOND: &str = "RFC 9293 §3.10.7.4, second";
const FOURTH: &str = "RFC 9293 §3.10.7.4, fourth";
const FIFTH: &str = "RFC 9293 §3.10.7.4, fifth";
const EIGHTH: &str = "RFC 9293 §3.10.7.4, eighth";
/// The first check answers it as old; the eighth says that it changes nothing.
const FIRST_EIGHTH: &str = "RFC 9293 §3.10.7.4, first, eighth";
const FIFTH_EIGHTH: &str = "RFC 9293 §3.10.7.4, fifth, eighth";
const TIMEOUTS: &str = "RFC 9293 §3.10.8";
/// The number of retransmissions, or the time, after which a connection is given up; and what follows.
const R2: &str = "RFC 9293 §3.8.3 (R2), §3.10.8";
/// The RFC knows no end of `FIN_WAIT_2`; systems do.
const SYSTEMS: &str = "tcp_fin_timeout, net.inet.tcp.finwait2_timeout";
