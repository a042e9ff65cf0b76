//! Cells as text: the way to a state, the segment, and what must then be seen.

use super::{Cell, Row};
use crate::script::replay::{Dialect, Observed, Told, Verdict, observe};
use crate::script::{Script, parse};
use crate::state::State;
use crate::tcp::segment::{Control, Segment};
use std::fmt::Write as _;

/// The way to a state, with what a profile sends on it as the expectation.
pub(super) fn way(row: Row, dialect: &Dialect) -> Result<String, Verdict> {
    let mut text = String::new();
    for step in row.way() {
        let _ = writeln!(text, "{}{step}", if text.is_empty() { "0 " } else { "+0 " });
        for segment in observe(&read(&text)?, dialect)?.sent {
            let _ = writeln!(text, "{}", sent(&segment));
        }
    }
    Ok(text)
}

/// Reads what is written here.
pub(super) fn read(text: &str) -> Result<Script, Verdict> {
    parse(text, &[]).map_err(|error| Verdict::Skipped(error.to_string()))
}

/// The segment that arrives.
pub(super) fn arrives(cell: Cell) -> String {
    let first = cell.position.number(cell.row.next().unwrap_or(0));
    let length = cell.kind.length();
    let end = first.wrapping_add(length);
    let acked = cell.acked.number(cell.row.own_next());
    let ack = acked.map_or_else(String::new, |number| format!(" ack {number}"));
    format!("+0 < {} {first}:{end}({length}){ack} win 65535", cell.kind.letters())
}

/// The whole script of a cell.
pub(super) fn script(cell: Cell, way: &str, observed: &Observed, dialect: &Dialect) -> String {
    let system = dialect.profile.name;
    let mut text = format!("// {cell}, as {system} does it.\n\n{way}\n{}\n", arrives(cell));
    for segment in &observed.sent {
        let _ = writeln!(text, "{}", sent(segment));
    }
    let _ = writeln!(text, "// Far outside of every window, so ignored; nothing else was sent.");
    let _ = writeln!(text, "+0 < R {FAR}:{FAR}(0) win 0");
    let (state, count) = counted(cell.row, observed.state);
    if let Some(name) = listed(state) {
        let filter = "'( sport = :8080 or dport = :8080 )'";
        let _ = writeln!(text, "+0 `ss -Htan state {name} {filter} | wc -l | grep -x {count}`");
    }
    if let Some(fd) = cell.row.descriptor() {
        let _ = writeln!(text, "+0 {}", asks(fd, &observed.told));
    }
    text
}

/// The state whose sockets are counted, and how many there must be.
const fn counted(row: Row, after: State) -> (State, u8) {
    match after {
        // Nothing is listed: what was there is gone.
        State::Closed => (row.state(), 0),
        state => (state, 1),
    }
}

/// The name of a state for `ss`, where it lists such sockets.
const fn listed(state: State) -> Option<&'static str> {
    Some(match state {
        State::Closed => return None,
        State::Listen => "listening",
        State::SynSent => "syn-sent",
        State::SynReceived => "syn-recv",
        State::Established => "established",
        State::FinWait1 => "fin-wait-1",
        State::FinWait2 => "fin-wait-2",
        State::CloseWait => "close-wait",
        State::Closing => "closing",
        State::LastAck => "last-ack",
        State::TimeWait => "time-wait",
    })
}

/// The call that is told this.
fn asks(fd: u8, told: &Told) -> String {
    let reads = |result: &str| format!("recv({fd}, ..., 1000, MSG_DONTWAIT) = {result}");
    match told {
        Told::Nobody | Told::EndOfFile => reads("0"),
        Told::Nothing => reads("-1 EAGAIN (Resource temporarily unavailable)"),
        Told::Octets(octets) => reads(&octets.to_string()),
        Told::Error(name) => format!("getsockopt({fd}, SOL_SOCKET, SO_ERROR, [{name}], [4]) = 0"),
    }
}

/// A segment that must be sent.
fn sent(segment: &Segment) -> String {
    let letters = [(Control::SYN, "S"), (Control::FIN, "F"), (Control::RST, "R")];
    let set = letters.iter().filter(|(bit, _)| segment.has(*bit)).map(|(_, letter)| *letter);
    let mut flags: String = set.collect();
    flags.push_str(if segment.ack.is_some() { "." } else { "" });
    let (first, length) = (segment.seq.0, segment.length);
    let end = first.wrapping_add(length);
    let ack = segment.ack.map_or_else(String::new, |ack| format!(" ack {}", ack.0));
    let options = if segment.has(Control::SYN) { " <...>" } else { "" };
    format!("+0 > {flags} {first}:{end}({length}){ack}{options}")
}

/// So far from everything that it is outside of every window.
const FAR: u32 = 2_000_000_000;
