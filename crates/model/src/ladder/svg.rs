//! A ladder as SVG: life-lines coloured by state, arrows that slant as time passes and cross where segments cross, a cross
//! where one is lost, dashes where one is a copy, a colour of its own for the second connection.

use super::arrow::{self, Arrow, End};
use super::{Event, Fate, Flight, Known, Ladder, Make, Side, View, What, index};
use crate::draw::Half;
use crate::draw::svg::{Anchor, Svg, breadth, times};
use crate::state::State;
use crate::tcp::segment::Control;

/// The ladder.
pub fn svg(ladder: &Ladder) -> String {
    let heights = heights(ladder);
    let end = heights.last().copied().unwrap_or(TOP) + ROW;
    let mut svg = Svg::new(WIDTH);
    svg.text((24.0, 34.0), Anchor::Start, "title", &sentence(&ladder.name));
    svg.text((24.0, 54.0), Anchor::Start, "aside small", &ladder.title);
    for side in Side::BOTH {
        let name = &ladder.ends[index(side)];
        svg.text((life(side), TOP - 26.0), Anchor::Middle, "state", name);
        life_line(&mut svg, ladder, side, &heights, end);
    }
    arrow::draw(&mut svg, &arrows(ladder, &heights));
    for side in Side::BOTH {
        words(&mut svg, ladder, side, &heights);
    }
    remarks(&mut svg, ladder, &heights);
    let end = legend(&mut svg, ladder, end + 28.0);
    svg.finish(end, &ladder.name, &in_words(ladder))
}

/// `both-close-at-once` as the beginning of a sentence; what the protocol spells in capitals has them.
pub(super) fn sentence(name: &str) -> String {
    let text = name.replace("time-wait", "TIME_WAIT").replace("fin-wait-2", "FIN_WAIT_2");
    let spelt = |word: &str| match word {
        "fin" | "ack" | "syn" | "rst" => word.to_uppercase(),
        "fins" | "acks" | "syns" => format!("{}s", word[..3].to_uppercase()),
        _ => word.to_owned(),
    };
    let words: Vec<String> = text.split('-').map(spelt).collect();
    let mut letters = words.join(" ");
    if let Some(first) = letters.chars().next() {
        letters.replace_range(..first.len_utf8(), &first.to_uppercase().collect::<String>());
    }
    letters
}

/// How far down each event is. What a step causes at once stands beside it.
fn heights(ladder: &Ladder) -> Vec<f64> {
    let mut at = TOP - ROW * 0.5;
    let mut heights: Vec<f64> = Vec::with_capacity(ladder.events.len());
    let mut cause: Option<Side> = None;
    let mut sent = 0_u32;
    for event in &ladder.events {
        let side = event.what.side();
        let beside = match &event.what {
            What::Sent(flight) if flight.make != Make::Doubled => cause == side && cause.is_some(),
            What::Sent(_) | What::Told(..) | What::Wait(..) | What::Lost(_) => true,
            What::Call(..)
            | What::Timer(..)
            | What::Probe(_)
            | What::Gone(_)
            | What::Back(_)
            | What::Arrived(_)
            | What::Note(_) => false,
        };
        if let What::Note(text) = &event.what {
            // A long one has several lines.
            at += ROW;
            heights.push(at);
            at += times(super::lines(text, REMARK).len() - 1, 15.0);
            cause = None;
            sent = 0;
        } else if beside {
            let is_sent = matches!(event.what, What::Sent(_));
            heights.push(at + f64::from(if is_sent { sent } else { 0 }) * 10.0);
            sent += u32::from(is_sent);
        } else {
            at += ROW;
            heights.push(at);
            cause = side;
            sent = u32::from(matches!(event.what, What::Sent(_)));
        }
    }
    heights
}

const fn life(side: Side) -> f64 {
    match side {
        Side::A => LIFE.0,
        Side::B => LIFE.1,
    }
}

fn life_line(svg: &mut Svg, ladder: &Ladder, side: Side, heights: &[f64], end: f64) {
    let x = life(side);
    let mut since = TOP - 14.0;
    let mut known = ladder.start[index(side)];
    for (event, y) in ladder.events.iter().zip(heights) {
        let now = event.states[index(side)];
        if now != known {
            svg.line((x, since), (x, *y), &format!("life {}", class(known)));
            since = *y;
            known = now;
        }
    }
    svg.line((x, since), (x, end), &format!("life {}", class(known)));
}

const fn class(known: Known<State>) -> &'static str {
    match known.state() {
        Some(state) => Half::of(state).class(),
        None => "none",
    }
}

/// Every arrow with its words.
fn arrows(ladder: &Ladder, heights: &[f64]) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for (at, event) in ladder.events.iter().enumerate() {
        match &event.what {
            What::Sent(flight) => {
                let from = (life(flight.from), first_height(ladder, heights, at, flight));
                let whole = |y: f64| (life(flight.from.other()), y);
                let (to, end) = match ladder.fate(at, flight) {
                    Fate::Arrives(arrival) => (whole(heights[arrival]), End::Head),
                    Fate::Lost => (whole(from.1 + ROW * 0.8), End::Cross),
                    Fate::Unknown => (whole(from.1 + ROW * 0.8), End::Unknown),
                };
                arrows.push(Arrow::new(ladder, flight, (from, to), end));
            }
            What::Arrived(flight) if ladder.origin(at, flight).is_none() => {
                let to = (life(flight.from.other()), heights[at]);
                let middle = (f64::midpoint(LIFE.0, LIFE.1), heights[at] - ROW * 0.4);
                arrows.push(Arrow::new(ladder, flight, (middle, to), End::Head));
            }
            _ => {}
        }
    }
    arrows
}

/// A copy that the network made left with the original.
fn first_height(ladder: &Ladder, heights: &[f64], at: usize, flight: &Flight) -> f64 {
    let is_original = |event: &Event| match event.what {
        What::Sent(other) => {
            other.make != Make::Doubled
                && other.from == flight.from
                && other.segment.seq == flight.segment.seq
                && other.segment.ack == flight.segment.ack
                && other.segment.control == flight.segment.control
                && other.incarnation == flight.incarnation
        }
        _ => false,
    };
    let original = match flight.make {
        Make::Doubled => ladder.events[..at].iter().rposition(is_original),
        Make::Original | Make::Repeated => None,
    };
    heights[original.unwrap_or(at)]
}

/// What stands outside of a life-line: what happened there, and the state that came of it.
fn words(svg: &mut Svg, ladder: &Ladder, side: Side, heights: &[f64]) {
    let mut lines: Vec<(f64, String, String)> = Vec::new();
    let start = ladder.start[index(side)];
    lines.push((TOP - 4.0, start.words(), format!("state small {}", class(start))));
    let mut known = start;
    for (event, y) in ladder.events.iter().zip(heights) {
        let mine = event.what.side() == Some(side);
        if let Some(text) = event.what.words().filter(|_| mine) {
            lines.push((*y, text, "small aside".into()));
        }
        let now = event.states[index(side)];
        if now != known {
            known = now;
            lines.push((*y, now.words(), format!("state small {}", class(now))));
        }
    }
    let (x, anchor) = match side {
        Side::A => (LIFE.0 - 14.0, Anchor::End),
        Side::B => (LIFE.1 + 14.0, Anchor::Start),
    };
    let mut free_from = 0.0_f64;
    for (y, text, classes) in lines {
        let y = (y + 4.0).max(free_from);
        svg.text((x, y), anchor, &classes, &text);
        free_from = y + 15.0;
    }
}

fn remarks(svg: &mut Svg, ladder: &Ladder, heights: &[f64]) {
    for (event, y) in ladder.events.iter().zip(heights) {
        if let What::Note(text) = &event.what {
            let middle = f64::midpoint(LIFE.0, LIFE.1);
            for (at, line) in super::lines(text, REMARK).iter().enumerate() {
                let y = y + 4.0 + times(at, 15.0);
                svg.text((middle, y), Anchor::Middle, "small aside halo", line);
            }
        }
    }
}

/// What the signs mean, as far as they occur. Gives the height.
fn legend(svg: &mut Svg, ladder: &Ladder, top: f64) -> f64 {
    let flights = || {
        ladder.events.iter().filter_map(|event| match event.what {
            What::Sent(flight) | What::Arrived(flight) => Some(flight),
            _ => None,
        })
    };
    let is_in = |half: Half| {
        let states = || ladder.events.iter().flat_map(|event| event.states).chain(ladder.start);
        states().any(|known| known.state().is_some_and(|state| Half::of(state) == half))
    };
    let mut items = Vec::new();
    if is_in(Half::Active) {
        items.push(("life active", "closed first"));
    }
    if is_in(Half::Passive) {
        items.push(("life passive", "closes second"));
    }
    if flights().any(|flight| flight.segment.has(Control::RST)) {
        items.push(("reset", "reset"));
    }
    if flights().any(|flight| flight.make == Make::Doubled) {
        items.push(("open dashed", "copy made by the network"));
    }
    if ladder.has_incarnations() {
        items.push(("second", "second connection"));
    }
    let mut x = 24.0;
    for (classes, text) in items {
        svg.line((x, top - 4.0), (x + 24.0, top - 4.0), classes);
        svg.text((x + 34.0, top), Anchor::Start, "small aside", text);
        x += 58.0 + breadth(text, 6.6);
    }
    if let View::OnlyFrom(side) = ladder.view {
        let text = format!("only what {} sent was seen", ladder.ends[index(side)]);
        svg.text((WIDTH - 24.0, top), Anchor::End, "small aside", &text);
    }
    top + 20.0
}

pub(super) fn in_words(ladder: &Ladder) -> String {
    super::text::list(ladder).join("; ")
}

const WIDTH: f64 = 820.0;
/// Where the life-lines are.
const LIFE: (f64, f64) = (200.0, 620.0);
const TOP: f64 = 112.0;
/// How many characters of a remark fit between them.
const REMARK: usize = 58;
const ROW: f64 = 46.0;
