//! The drawings against the table they are made from, and against a reader's eyes.

use super::layout::{self, HALF_BOX, NODES, ROUTES, SHEET};
use super::pairs::{Pairs, Takes};
use super::*;
use crate::draw::canvas::Strokes;
use crate::draw::svg::well_formed::assert_well_formed;

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items
}

fn busy() -> Marks {
    let counts = [3, 1, 12, 412, 1, 2, 31, 1, 99_999, 300_000, 3];
    Marks::counts(&State::ALL.into_iter().zip(counts).collect())
}

#[test]
fn every_drawn_arc_has_a_way_of_its_own_and_every_state_a_place() {
    let rows = sorted(drawn().map(|row| (row.from, row.event)));
    assert_eq!(sorted(ROUTES.map(|route| (route.from, route.event))), rows);
    assert_eq!(NODES.map(|node| node.state), State::ALL, "looked up by position");
}

#[test]
fn every_way_leads_from_the_border_of_its_state_to_the_border_of_the_next() {
    let is_on_border = |state, (column, row): (usize, usize)| {
        let (x, y) = layout::node(state).middle;
        let (dx, dy) = (column.abs_diff(x), row.abs_diff(y));
        (dx == HALF_BOX.0 && dy == 0) || (dx < HALF_BOX.0 && dy == HALF_BOX.1)
    };
    for row in drawn() {
        let route = layout::route(row.from, row.event).expect("a way");
        let (first, last) = (route.corners[0], route.corners[route.corners.len() - 1]);
        assert!(is_on_border(row.from, first) && is_on_border(row.to, last), "{row:?}");
    }
}

fn middle(node: &layout::Node) -> (i32, i32) {
    let number = |at: usize| i32::try_from(at).expect("a small sheet");
    (number(node.middle.0), number(node.middle.1))
}

/// Where a line goes on from a character.
fn ways(letter: char) -> &'static [(i32, i32)] {
    match letter {
        '│' => &[(0, -1), (0, 1)],
        '─' => &[(-1, 0), (1, 0)],
        '└' => &[(0, -1), (1, 0)],
        '┌' => &[(0, 1), (1, 0)],
        '┘' => &[(0, -1), (-1, 0)],
        '┐' => &[(0, 1), (-1, 0)],
        _ => &[],
    }
}

/// Every place on a box's border at which a line can leave, and the way it then takes.
fn exits((x, y): (i32, i32)) -> Vec<((i32, i32), (i32, i32))> {
    let edges = (-7..=7).flat_map(|dx| [((x + dx, y - 1), (0, -1)), ((x + dx, y + 1), (0, 1))]);
    edges.chain([((x - 8, y), (-1, 0)), ((x + 8, y), (1, 0))]).collect()
}

/// Follows the lines of a figure from box to box, as a reader does who has nothing else.
fn arcs_seen_in(text: &str) -> Vec<(State, State)> {
    let sheet: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    let at = |(x, y): (i32, i32)| {
        let row = usize::try_from(y).ok().and_then(|y| sheet.get(y));
        let cell = row.and_then(|row| usize::try_from(x).ok().and_then(|x| row.get(x)));
        cell.copied().unwrap_or(' ')
    };
    let mut arcs = Vec::new();
    for node in &NODES {
        for (border, way) in exits(middle(node)) {
            let leaves = match way {
                (0, -1) => '┴',
                (0, 1) => '┬',
                (-1, 0) => '┤',
                _ => '├',
            };
            if at(border) != leaves {
                continue;
            }
            let (mut spot, mut way) = ((border.0 + way.0, border.1 + way.1), way);
            while !"▲▼◄►".contains(at(spot)) {
                let back = (-way.0, -way.1);
                let on = ways(at(spot)).iter().find(|on| **on != back);
                way = *on.unwrap_or_else(|| panic!("a line ends at {spot:?}:\n{text}"));
                spot = (spot.0 + way.0, spot.1 + way.1);
            }
            let target = (spot.0 + way.0, spot.1 + way.1);
            let hit = NODES.iter().find(|node| {
                let (x, y) = middle(node);
                (target.0 - x).abs() <= 8 && (target.1 - y).abs() <= 1
            });
            arcs.push((node.state, hit.expect("an arrow that points at a state").state));
        }
    }
    arcs
}

#[test]
fn whoever_follows_the_lines_of_the_text_finds_every_drawn_arc_once() {
    for marks in [Marks::default(), busy()] {
        let text = text::figure(&marks).to_text(Strokes::Box);
        let rows = sorted(drawn().map(|row| (row.from, row.to)));
        assert_eq!(sorted(arcs_seen_in(&text)), rows, "{text}");
    }
}

#[test]
fn the_text_says_every_event_and_sending_as_often_as_it_is_drawn() {
    let text = text::figure(&Marks::default()).to_text(Strokes::Ascii);
    let words = sorted(drawn().flat_map(|row| [row.event.label(), row.sends.label()]));
    for word in ["passive OPEN", "active OPEN", "2MSL over", "snd FIN", "rcv FIN", "rcv RST"] {
        let drawn = words.iter().filter(|known| **known == word).count();
        assert_eq!(text.matches(word).count(), drawn, "{word}");
    }
    // Where there is little room, it stands on two lines.
    let acks = words.iter().filter(|word| **word == "rcv ACK of FIN").count();
    assert_eq!(text.matches("of FIN").count(), acks);
    let closes = words.iter().filter(|word| **word == "CLOSE").count();
    let names =
        ["CLOSE_WAIT", "CLOSED"].map(|name| text.matches(name).count()).iter().sum::<usize>();
    assert_eq!(text.matches("CLOSE").count(), closes + names);
}

#[test]
fn the_text_fits_eighty_columns_and_plain_characters_suffice() {
    let canvas = text::figure(&busy());
    let (lines, ascii) = (canvas.to_text(Strokes::Box), canvas.to_text(Strokes::Ascii));
    assert!(lines.lines().all(|line| line.chars().count() <= 80 && line.trim_end() == line));
    assert!(ascii.is_ascii());
    for count in ["412", "99999", "300000"] {
        assert_eq!(ascii.matches(count).count(), 1, "{ascii}");
    }
    assert!(SHEET.0 <= 80);
}

#[test]
fn every_arc_is_in_the_svg_exactly_once() {
    for arcs in [Arcs::Drawn, Arcs::All] {
        let svg = svg::figure(arcs, &busy());
        assert_well_formed(&svg);
        for row in &TRANSITIONS {
            let mark = format!("data-arc=\"{} {:?} {}\"", row.from, row.event, row.to);
            let expected = usize::from(arcs == Arcs::All || row.drawn == Drawn::Yes);
            assert_eq!(svg.matches(&mark).count(), expected, "{mark}");
        }
        for state in State::ALL {
            assert_eq!(svg.matches(&format!("data-state=\"{state}\"")).count(), 1);
        }
    }
}

#[test]
fn no_words_of_the_svg_lie_on_others() {
    let svg = svg::figure(Arcs::All, &busy());
    let boxes: Vec<_> = svg.lines().filter_map(bounds).collect();
    assert!(boxes.len() > 40, "{}", boxes.len());
    for (at, (one, text)) in boxes.iter().enumerate() {
        for (other, words) in &boxes[at + 1..] {
            let apart = one[0] >= other[2]
                || other[0] >= one[2]
                || one[1] >= other[3]
                || other[1] >= one[3];
            assert!(apart, "{text:?} on {words:?}");
        }
    }
}

/// About where a line of text of the SVG is: left, top, right, bottom.
fn bounds(line: &str) -> Option<([f64; 4], String)> {
    let inside = line.strip_prefix("<text ")?;
    let value = |name: &str| {
        let after = inside.split_once(&format!("{name}=\""))?.1;
        after.split_once('"')?.0.parse::<f64>().ok()
    };
    let (x, y) = (value(" x")?, value(" y")?);
    let letters: String = inside.split_once('>')?.1.split_once("</text>")?.0.into();
    let class = inside.split_once('"')?.1.split_once('"')?.0;
    let letter = if class.contains("title") { 9.0 } else { 6.4 };
    let mut width = 0.0;
    let mut is_tag = false;
    for one in letters.chars() {
        is_tag |= one == '<';
        width += if is_tag { 0.0 } else { letter };
        is_tag &= one != '>';
    }
    let left = if inside.contains("\"middle\"") {
        x - width / 2.0
    } else if inside.contains("\"end\"") {
        x - width
    } else {
        x
    };
    Some(([left, y - 10.0, left + width, y + 2.0], letters))
}

#[test]
fn every_arc_is_in_dot_and_in_mermaid_exactly_once() {
    for arcs in [Arcs::Drawn, Arcs::All] {
        let (dot, mermaid) = (graph::dot(arcs, &busy()), graph::mermaid(arcs, &busy()));
        let rows = sorted(shown(arcs).map(|row| (row.from.name(), row.to.name(), label(row))));
        let seen = sorted(dot.lines().filter(|line| line.contains(" -> ")).map(|line| {
            let mut quoted = line.split('"').skip(1).step_by(2);
            let mut next = || quoted.next().expect("a name in quotes");
            (next(), next(), next().to_owned())
        }));
        assert_eq!(seen, rows);
        let seen = sorted(mermaid.lines().filter_map(|line| {
            let (from, rest) = line.trim().split_once(" --> ")?;
            let (to, words) = rest.split_once(": ")?;
            Some((from, to, words.trim_end_matches(" (not drawn in the RFC)").to_owned()))
        }));
        assert_eq!(seen, rows);
    }
}

#[test]
fn mermaid_has_no_character_that_ends_a_statement_early() {
    let text = graph::mermaid(Arcs::All, &busy());
    assert!(text.starts_with("stateDiagram-v2\n"));
    for line in text.lines().skip(1).filter(|line| !line.contains("classDef")) {
        assert!(line.starts_with("    ") && line.matches(':').count() <= 1, "{line}");
        assert!(!line.contains(['#', ';']), "{line}");
    }
}

#[test]
fn the_matrix_is_this() {
    let text = matrix::text();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let table: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(table, MATRIX, "{text}");
    let cited = matrix::markdown().lines().filter(|line| line.ends_with("(R2), §3.10.8 |")).count();
    assert_eq!(cited, 9, "every give-up but those of FIN_WAIT_2 and TIME_WAIT");
}

/// Written by hand from RFC 9293 §3.10, section by section.
const MATRIX: [&str; 17] = [
    "                   LSTN SYNS SYNR ESTB  FW1  FW2  CLW CLSG LACK   TW CLSD",
    "passive OPEN          .  err  err  err  err  err  err  err  err  err LSTN",
    "active OPEN        SYNS  err  err  err  err  err  err  err  err  err SYNS",
    "CLOSE              CLSD CLSD  FW1  FW1  err  err LACK  err  err  err  err",
    "ABORT              CLSD CLSD CLSD CLSD CLSD CLSD CLSD CLSD CLSD CLSD  err",
    "rcv SYN            SYNR SYNR  ack  ack  ack  ack  ack  ack  ack  ack  rst",
    "rcv SYN,ACK         rst ESTB  ack  ack  ack  ack  ack  ack  ack  ack  rst",
    "rcv ACK of SYN      rst    . ESTB    .    .    .    .    .    .    .  rst",
    "rcv FIN             rst    .  CLW  CLW CLSG   TW  ack  ack  ack ack+  rst",
    "rcv ACK of FIN      rst  rst  rst  ack  FW2    .  ack   TW CLSD    .  rst",
    "rcv FIN,ACK of it   rst  rst  rst  ack   TW   TW  ack  ack  ack ack+  rst",
    "rcv RST, opened       . CLSD CLSD CLSD CLSD CLSD CLSD CLSD CLSD CLSD    .",
    "rcv RST, listened     .    - LSTN CLSD CLSD CLSD CLSD CLSD CLSD CLSD    .",
    "rcv new SYN        SYNR SYNR LSTN  ack  ack  ack  ack  ack  ack SYNR  rst",
    "2MSL over             -    -    -    -    -    -    -    -    - CLSD    -",
    "FIN_WAIT_2 over       -    -    -    -    - CLSD    -    -    -    -    -",
    "give up               - CLSD CLSD CLSD CLSD CLSD CLSD CLSD CLSD    -    -",
];

#[test]
fn who_can_be_where_is_found_by_exploring() {
    let pairs = Pairs::explored(2);
    let counts = [Takes::Closing, Takes::Aborting, Takes::Opening].map(|takes| pairs.count(takes));
    assert_eq!(counts, [29, 37, 45]);
    for (one, other) in State::ALL.into_iter().flat_map(|one| State::ALL.map(|other| (one, other)))
    {
        if pairs.takes(one, other).is_some_and(|takes| takes < Takes::Opening) {
            assert_eq!(pairs.takes(one, other), pairs.takes(other, one), "{one} {other}");
        }
    }
    assert_eq!(pairs.takes(State::TimeWait, State::TimeWait), Some(Takes::Closing));
    assert_eq!(pairs.takes(State::TimeWait, State::Established), None);
    assert_well_formed(&pairs.svg());
    assert!(pairs.text().lines().all(|line| line.chars().count() <= 80));
}
