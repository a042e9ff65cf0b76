//! The numbers of a connection: as they are, and as the script counts them.

use super::super::wire::Ports;
use lastack_model::tcp::segment::{Control, Segment};
use lastack_model::tcp::seq::SeqNumber;

/// A connection's first numbers, as they are and as the script counts them.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    pub(super) ports: Ports,
    pub(super) own: Option<SeqNumber>,
    /// What the script calls the first number of our own.
    pub(super) named: SeqNumber,
    pub(super) peer: SeqNumber,
}

impl Flow {
    /// A segment that arrives, in the numbers of the connection; a SYN names its own as they are.
    pub(super) fn arriving(&self, written: &Segment) -> Segment {
        let own = self.own.unwrap_or(SeqNumber(0));
        if written.has(Control::SYN) {
            let ahead = own - self.named.0;
            return Segment { ack: written.ack.map(|ack| ack + ahead.0), ..*written };
        }
        let ack = written.ack.map(|ack| ack + own.0);
        Segment { seq: written.seq + self.peer.0, ack, ..*written }
    }

    /// A segment that was sent, in the script's numbers.
    pub(super) fn sent(&self, sent: &Segment) -> Segment {
        let own = self.own.unwrap_or(SeqNumber(0));
        // The reset that answers what acknowledges nothing has no number of a connection (RFC 9293 §3.10.7.1).
        let is_bare_reset = sent.has(Control::RST) && sent.seq == SeqNumber(0);
        let own = if is_bare_reset { SeqNumber(0) } else { own };
        if sent.has(Control::SYN) {
            return Segment { seq: sent.seq - own.0 + self.named.0, ..*sent };
        }
        let ack = sent.ack.map(|ack| ack - self.peer.0);
        Segment { seq: sent.seq - own.0, ack, ..*sent }
    }
}

/// Numbers at the right edge of the window that a script takes for granted, moved to that of the window here: without
/// scaling, none is wider than 65,535 (`tcp_select_initial_window`).
pub(super) fn moved(written: &Segment, declared: Option<u32>) -> Segment {
    let Some(declared) = declared.filter(|declared| *declared > WINDOW) else { return *written };
    let at_edge = written.seq.0.abs_diff(declared) <= NEAR;
    let back = if at_edge { declared - WINDOW } else { 0 };
    Segment { seq: written.seq - back, ..*written }
}

/// The widest window without scaling.
const WINDOW: u32 = 65_535;
/// So close to an edge a number is meant relative to it.
const NEAR: u32 = 8;
