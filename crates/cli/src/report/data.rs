//! Figures for programs: the state diagram, the table of events, the pairs and ladders as data.

use super::json::line;
use lastack_model::figure::{self, Arcs, matrix, pairs::Pairs};
use lastack_model::ladder::{Event, Flight, Known, Ladder, Make, Side, View, WaitMark, What};
use lastack_model::state::State;
use lastack_model::tcp::segment::Control;
use lastack_model::tcp::transition::{CELLS, Drawn, Outcome, Sends};
use lastack_os::sock_diag::Dump;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The arcs of the state diagram, with the number of sockets in each state where they were counted.
pub fn diagram(arcs: Arcs, counted: Option<&Dump<BTreeMap<State, u64>>>) -> String {
    let arcs: Vec<Value> = figure::shown(arcs)
        .map(|row| {
            json!({
                "from": row.from,
                "event": row.event.name(),
                "to": row.to,
                "sends": sends(row.sends),
                "drawn": row.drawn == Drawn::Yes,
                "source": row.source,
            })
        })
        .collect();
    let counts = counted.map(|dump| {
        let count = |state: &State| dump.folded.get(state).copied().unwrap_or(0);
        State::ALL.iter().map(|state| (state.name(), count(state))).collect::<BTreeMap<_, _>>()
    });
    line(&json!({
        "schema": "lastack.figure/1",
        "exit": 0,
        "arcs": arcs,
        "counts": counts,
        "unseen": counted.map_or(&[][..], |dump| &dump.unseen),
    }))
}

/// What every event does in every state, or in one.
pub fn matrix(state: Option<State>) -> String {
    let cells = CELLS.iter().flatten().filter(|cell| state.is_none_or(|state| state == cell.from));
    let cells: Vec<Value> = cells
        .map(|cell| {
            let (outcome, to, sent) = match cell.outcome {
                Outcome::Moves { to, sends, .. } => ("moves", Some(to), sends),
                Outcome::Stays(sends) => ("stays", None, sends),
                Outcome::WaitsAnew(sends) => ("waits_anew", None, sends),
                Outcome::Refused(_) => ("refused", None, Sends::Nothing),
                Outcome::SameAs(_) => ("same_as", None, Sends::Nothing),
                Outcome::Never(_) => ("never", None, Sends::Nothing),
            };
            json!({
                "state": cell.from,
                "event": cell.event.name(),
                "outcome": outcome,
                "to": to,
                "sends": sends(sent),
                "words": matrix::words(cell),
                "source": cell.source,
            })
        })
        .collect();
    line(&json!({ "schema": "lastack.matrix/1", "exit": 0, "cells": cells }))
}

/// Who can be where.
pub fn pairs(pairs: &Pairs) -> String {
    let all = State::ALL.into_iter().flat_map(|one| State::ALL.map(|other| (one, other)));
    let known: Vec<Value> = all
        .filter_map(|(one, other)| {
            let takes = pairs.takes(one, other)?.word();
            Some(json!({ "opened": one, "listened": other, "takes": takes }))
        })
        .collect();
    line(&json!({
        "schema": "lastack.pairs/1", "exit": 0, "explored": pairs.explored, "pairs": known,
    }))
}

/// A ladder.
pub fn ladder(ladder: &Ladder) -> String {
    let view = match ladder.view {
        View::Both => "both",
        View::OnlyFrom(Side::A) => "only_a",
        View::OnlyFrom(Side::B) => "only_b",
    };
    line(&json!({
        "schema": "lastack.ladder/1",
        "exit": 0,
        "name": ladder.name,
        "title": ladder.title,
        "ends": ladder.ends,
        "view": view,
        "start": ladder.start.map(known),
        "events": ladder_events(ladder),
    }))
}

/// The events of a ladder, as in its own answer.
pub fn ladder_events(ladder: &Ladder) -> Vec<Value> {
    ladder.events.iter().map(event).collect()
}

fn event(event: &Event) -> Value {
    let (what, words, flight) = match &event.what {
        What::Call(..) => ("call", event.what.words(), None),
        What::Timer(..) | What::Probe(_) => ("timer", event.what.words(), None),
        What::Told(..) => ("told", event.what.words(), None),
        What::Wait(_, mark) => ("wait", Some(mark_word(*mark).to_owned()), None),
        What::Gone(_) => ("gone", None, None),
        What::Back(_) => ("back", None, None),
        What::Sent(flight) => ("sent", None, Some(flight)),
        What::Arrived(flight) => ("arrived", None, Some(flight)),
        What::Lost(flight) => ("lost", None, Some(flight)),
        What::Note(text) => ("note", Some(text.clone()), None),
    };
    json!({
        "at_ms": event.at.map(|at| at.0),
        "what": what,
        "side": event.what.side().map(side),
        "words": words,
        "flight": flight.map(segment),
        "states": event.states.map(known),
    })
}

const fn mark_word(mark: WaitMark) -> &'static str {
    match mark {
        WaitMark::Starts => "starts",
        WaitMark::Restarts => "restarts",
        WaitMark::Ends => "ends",
    }
}

fn segment(flight: &Flight) -> Value {
    let segment = &flight.segment;
    let bits = [(Control::SYN, "SYN"), (Control::FIN, "FIN"), (Control::RST, "RST")];
    let control: Vec<&str> =
        bits.into_iter().filter(|(bit, _)| segment.has(*bit)).map(|(_, name)| name).collect();
    let make = match flight.make {
        Make::Original => "original",
        Make::Repeated => "repeated",
        Make::Doubled => "doubled",
    };
    json!({
        "id": flight.id,
        "from": side(flight.from),
        "seq": segment.seq.0,
        "ack": segment.ack.map(|ack| ack.0),
        "control": control,
        "length": segment.length,
        "incarnation": flight.incarnation,
        "make": make,
    })
}

fn known(state: Known<State>) -> Value {
    let how = match state {
        Known::Observed(_) => "observed",
        Known::Inferred(_) => "inferred",
        Known::Unknown => "unknown",
    };
    json!({ "state": state.state(), "known": how })
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}

fn sends(sends: Sends) -> Option<&'static str> {
    sends.label().strip_prefix("snd ")
}
