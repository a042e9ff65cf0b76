//! A time/sequence plot of a ladder: each direction's sequence numbers over time, with SYN, FIN and RST marked, and above
//! and below it the states of both ends, with the start, each new start and the end of `TIME_WAIT`.
//!
//! Milliseconds stand beside a minute, and one FIN beside a thousand octets: gaps of time are drawn by the logarithm of
//! their length, and sequence numbers by their order. The axes say so.

use super::{Event, Flight, Known, Ladder, Make, Moment, Side, WaitMark, What, index};
use crate::draw::Half;
use crate::draw::svg::{Anchor, Svg, breadth, times as so_many};
use crate::state::State;
use crate::tcp::segment::Control;
use std::collections::BTreeMap;

/// The plot. Events without a time stand where the one before stood.
pub fn svg(ladder: &Ladder) -> String {
    let times = Times::of(ladder);
    let mut svg = Svg::new(WIDTH);
    let title = format!("{}: sequence numbers over time", super::svg::sentence(&ladder.name));
    svg.text((24.0, 34.0), Anchor::Start, "title", &title);
    svg.text((24.0, 54.0), Anchor::Start, "aside small", &ladder.title);
    let mut y = 84.0;
    states(&mut svg, ladder, &times, Side::A, y);
    let top = y;
    y += BAND + 22.0;
    for side in Side::BOTH {
        stream(&mut svg, ladder, &times, side, y);
        y += PANEL + 22.0;
    }
    states(&mut svg, ladder, &times, Side::B, y);
    waits(&mut svg, ladder, &times, (top, y));
    y += BAND + 20.0;
    times.axis(&mut svg, y);
    svg.text((24.0, y + 44.0), Anchor::Start, "aside small", SCALES);
    svg.finish(y + 62.0, &title, &super::svg::in_words(ladder))
}

/// Where each moment is.
struct Times {
    x: BTreeMap<Moment, f64>,
    of_event: Vec<Moment>,
}

impl Times {
    fn of(ladder: &Ladder) -> Self {
        let mut now = Moment(0);
        let of_event: Vec<Moment> = ladder
            .events
            .iter()
            .map(|event| {
                now = now.max(event.at.unwrap_or(now));
                now
            })
            .collect();
        let mut moments: Vec<Moment> = of_event.clone();
        moments.push(Moment(0));
        moments.sort_unstable();
        moments.dedup();
        let gap = |pair: &[Moment]| {
            let length = u32::try_from(pair[1].0 - pair[0].0).unwrap_or(u32::MAX);
            (f64::from(length) + 1.0).log10() + 0.3
        };
        let whole: f64 = moments.windows(2).map(gap).sum::<f64>().max(1.0);
        let scale = (WIDTH - LEFT - LEAD - RIGHT) / whole;
        let mut at = LEFT + LEAD;
        let mut x = BTreeMap::from([(moments[0], at)]);
        for pair in moments.windows(2) {
            at += gap(pair) * scale;
            x.insert(pair[1], at);
        }
        Self { x, of_event }
    }

    fn at(&self, event: usize) -> f64 {
        self.of_event.get(event).and_then(|moment| self.x.get(moment)).copied().unwrap_or(LEFT)
    }

    fn axis(&self, svg: &mut Svg, y: f64) {
        svg.line((LEFT, y), (END, y), "none faint");
        let mut free_from = 0.0;
        for (moment, x) in &self.x {
            svg.line((*x, y), (*x, y + 4.0), "none faint");
            let text = if moment.0 >= 1000 {
                format!("{}.{} s", moment.0 / 1000, moment.0 % 1000 / 100)
            } else {
                format!("{} ms", moment.0)
            };
            let half = breadth(&text, 3.3);
            if x - half >= free_from {
                svg.text((*x, y + 18.0), Anchor::Middle, "aside small", &text);
                free_from = x + half + 8.0;
            }
        }
    }
}

/// A band with the states of one end.
fn states(svg: &mut Svg, ladder: &Ladder, times: &Times, side: Side, y: f64) {
    let name = &ladder.ends[index(side)];
    svg.text((LEFT - 14.0, y + BAND / 2.0 + 4.0), Anchor::End, "state", name);
    let mut spans: Vec<(f64, Known<State>)> = vec![(LEFT, ladder.start[index(side)])];
    for (at, event) in ladder.events.iter().enumerate() {
        let now = event.states[index(side)];
        if spans.last().is_none_or(|(_, before)| *before != now) {
            spans.push((times.at(at), now));
        }
    }
    for (at, (x, known)) in spans.iter().enumerate() {
        let end = spans.get(at + 1).map_or(END, |(next, _)| *next);
        let class = known.state().map_or("none", |state| Half::of(state).class());
        if end - x < 1.0 {
            continue;
        }
        let words = known.words();
        svg.open_group("", &words);
        svg.rect((*x + 0.8, y), ((end - x - 1.6).max(0.5), BAND), 4.0, &format!("node {class}"));
        if breadth(&words, 7.6) < end - x {
            let middle = f64::midpoint(*x, end);
            let look = format!("small state {class}");
            svg.text((middle, y + BAND / 2.0 + 4.0), Anchor::Middle, &look, &words);
        }
        svg.close_group();
    }
}

/// What one side sends, and what the other acknowledges of it.
fn stream(svg: &mut Svg, ladder: &Ladder, times: &Times, side: Side, top: f64) {
    let levels = levels(ladder, side);
    let y = |number: u32| {
        let at = levels.iter().position(|level| *level >= number).unwrap_or(levels.len());
        let steps = so_many(levels.len().saturating_sub(1).max(1), 1.0);
        top + PANEL - 16.0 - so_many(at, PANEL - 48.0) / steps
    };
    svg.rect((LEFT, top), (END - LEFT, PANEL), 4.0, "node none faint");
    let caption = format!("{} sends", ladder.ends[index(side)]);
    svg.text((LEFT - 14.0, top + 11.0), Anchor::End, "small", &caption);
    for level in &levels {
        svg.text((LEFT - 14.0, y(*level) + 4.0), Anchor::End, "aside small", &level.to_string());
    }
    acknowledged(svg, ladder, times, side, &y);
    for (at, event) in ladder.events.iter().enumerate() {
        if let What::Sent(flight) = &event.what
            && flight.from == side
            && flight.make != Make::Doubled
        {
            let is_lost = matches!(ladder.fate(at, flight), super::Fate::Lost);
            let spot = (times.at(at), y(flight.segment.seq.0));
            let end = y(flight.segment.seq.0.saturating_add(flight.segment.sequence_length()));
            sent(svg, flight, spot, end, is_lost);
        }
    }
}

/// Sequence numbers worth a level, in their order.
fn levels(ladder: &Ladder, side: Side) -> Vec<u32> {
    let mut levels = Vec::new();
    for event in &ladder.events {
        if let What::Sent(flight) | What::Arrived(flight) = &event.what {
            let segment = &flight.segment;
            if flight.from == side {
                levels.extend([
                    segment.seq.0,
                    segment.seq.0.saturating_add(segment.sequence_length()),
                ]);
            } else {
                levels.extend(segment.ack.map(|ack| ack.0));
            }
        }
    }
    levels.sort_unstable();
    levels.dedup();
    levels
}

fn sent(svg: &mut Svg, flight: &Flight, (x, y): (f64, f64), end: f64, is_lost: bool) {
    let segment = &flight.segment;
    let (class, word) = if segment.has(Control::RST) {
        ("reset", "RST")
    } else if segment.has(Control::FIN) {
        ("active", "FIN")
    } else if segment.has(Control::SYN) {
        ("passive", "SYN")
    } else {
        ("open", "")
    };
    svg.open_group("", &flight.words(super::Incarnations::Hidden));
    if segment.sequence_length() > 0 {
        svg.line((x, y), (x, end), &format!("{class} bar"));
    } else if word.is_empty() {
        svg.circle((x, y), 2.6, "head open");
    } else {
        svg.cross((x, y), 5.0, class);
    }
    if is_lost {
        svg.cross((x, f64::midpoint(y, end)), 6.0, "reset");
    }
    if !word.is_empty() {
        let again = if flight.make == Make::Repeated { " again" } else { "" };
        let lost = if is_lost { " lost" } else { "" };
        let text = format!("{word}{again}{lost}");
        svg.text((x, end.min(y) - 5.0), Anchor::Middle, &format!("small halo {class}"), &text);
    }
    svg.close_group();
}

/// The stairs of what was acknowledged, as it arrives.
fn acknowledged(
    svg: &mut Svg,
    ladder: &Ladder,
    times: &Times,
    side: Side,
    y: &impl Fn(u32) -> f64,
) {
    let is_open = ladder.start[index(side)] == Known::Observed(State::Established);
    let first = levels(ladder, side).first().copied().filter(|_| is_open);
    let mut before: Option<(f64, f64)> = first.map(|level| (LEFT, y(level)));
    for (at, event) in ladder.events.iter().enumerate() {
        let What::Arrived(flight) = &event.what else { continue };
        let Some(ack) = flight.segment.ack.filter(|_| flight.from != side) else { continue };
        let spot = (times.at(at), y(ack.0));
        if let Some((x, level)) = before {
            svg.line((x, level), (spot.0, level), "none");
            svg.line((spot.0, level), spot, "none");
        }
        before = Some(spot);
    }
}

/// Where `TIME_WAIT` begins, begins anew and ends.
fn waits(svg: &mut Svg, ladder: &Ladder, times: &Times, (top, bottom): (f64, f64)) {
    for (at, event) in ladder.events.iter().enumerate() {
        let Event { what: What::Wait(side, mark), .. } = event else { continue };
        let x = times.at(at);
        svg.line((x, top + BAND), (x, bottom), "active dashed faint");
        let word = match mark {
            WaitMark::Starts => "TIME_WAIT starts",
            WaitMark::Restarts => "starts anew",
            WaitMark::Ends => "ends",
        };
        let y = match side {
            Side::A => top + BAND + 15.0,
            Side::B => bottom - 7.0,
        };
        // The last mark has no room to its right.
        let (x, anchor) =
            if *mark == WaitMark::Ends { (x - 5.0, Anchor::End) } else { (x + 5.0, Anchor::Start) };
        svg.text((x, y), anchor, "small active halo", word);
    }
}

const SCALES: &str = "Gaps of time by the logarithm of their length; sequence numbers by their order. The line: what the other has acknowledged.";
const WIDTH: f64 = 900.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 92.0;
/// Room for the states before the first event, and after the last.
const LEAD: f64 = 96.0;
const END: f64 = WIDTH - 24.0;
const BAND: f64 = 26.0;
const PANEL: f64 = 132.0;
