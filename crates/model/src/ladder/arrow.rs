//! The arrows of a ladder in SVG, and where their words stand: along the arrow, where they hide least of anything else.

use super::{Flight, Incarnations, Ladder, Make};
use crate::draw::svg::{Anchor, Point, Svg, breadth, toward};
use crate::tcp::segment::Control;

/// An arrow.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    from: Point,
    /// Where it leads, whether or not it comes so far.
    to: Point,
    end: End,
    classes: String,
    words: String,
}

/// How an arrow ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// It arrives.
    Head,
    /// It is lost.
    Cross,
    /// Nobody saw.
    Unknown,
}

impl Arrow {
    pub(super) fn new(
        ladder: &Ladder,
        flight: &Flight,
        (from, to): (Point, Point),
        end: End,
    ) -> Self {
        Self {
            from: toward(from, to, GAP),
            to: toward(to, from, GAP),
            end,
            classes: classes(flight),
            words: flight.words(Incarnations::of(ladder)),
        }
    }

    /// Where its line stops.
    fn stop(&self) -> Point {
        match self.end {
            End::Head => self.to,
            End::Cross | End::Unknown => toward(self.from, self.to, self.length() * CUT),
        }
    }

    fn length(&self) -> f64 {
        (self.to.0 - self.from.0).hypot(self.to.1 - self.from.1)
    }

    /// The middle of its words if they stand at this share of the way.
    fn spot(&self, share: f64) -> Point {
        let (x, y) = toward(self.from, self.to, self.length() * share);
        let (across, down) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        // Off the line at a right angle, always upward.
        let off = LIFTED / self.length() * across.signum();
        (x + down * off, y - across * off)
    }

    fn draw(&self, svg: &mut Svg) {
        let stop = self.stop();
        match self.end {
            End::Head => svg.arrow(&[self.from, stop], &self.classes),
            End::Cross => {
                svg.line(self.from, stop, &self.classes);
                svg.cross(stop, 5.5, "reset");
            }
            End::Unknown => {
                svg.line(self.from, stop, &self.classes);
                svg.text((stop.0, stop.1 + 4.0), Anchor::Middle, "halo small", "?");
            }
        }
    }

    /// True where the sign of a segment that does not arrive stands.
    fn ends_short_near(&self, spot: Point) -> bool {
        self.end != End::Head && near(spot, self.stop(), TALL)
    }

    /// Points along the middle of its words.
    fn samples(&self, share: f64) -> Vec<Point> {
        let half = breadth(&self.words, LETTER) / 2.0;
        let (x, y) = self.spot(share);
        let (ahead_x, ahead_y) =
            ((self.to.0 - self.from.0) / self.length(), (self.to.1 - self.from.1) / self.length());
        let points = 12;
        (0..=points)
            .map(|at| {
                let along = half * (f64::from(at) / f64::from(points) * 2.0 - 1.0);
                (x + ahead_x * along, y - LIFTED / 2.0 + ahead_y * along)
            })
            .collect()
    }
}

/// Draws all lines, then all words.
pub(super) fn draw(svg: &mut Svg, arrows: &[Arrow]) {
    for arrow in arrows {
        arrow.draw(svg);
    }
    let mut taken: Vec<Point> = Vec::new();
    for (at, arrow) in arrows.iter().enumerate() {
        let cost = |share: &f64| {
            let samples = arrow.samples(*share);
            let others = arrows.iter().enumerate().filter(|(other, _)| *other != at);
            let lines = others.map(|(_, other)| crossed(&samples, other)).sum::<usize>();
            let words =
                samples.iter().filter(|one| taken.iter().any(|two| near(**one, *two, TALL)));
            let own = samples.iter().filter(|one| arrow.ends_short_near(**one)).count();
            10 * (words.count() + own) + 4 * lines
        };
        let share = SHARES.iter().copied().min_by_key(cost).unwrap_or(SHARES[0]);
        taken.extend(arrow.samples(share));
        let slope = ((arrow.to.1 - arrow.from.1) / (arrow.to.0 - arrow.from.0)).atan().to_degrees();
        let colour = ["reset", "second"].into_iter().find(|name| arrow.classes.contains(name));
        let look = format!("code halo {}", colour.unwrap_or("plain"));
        svg.slanted_text(arrow.spot(share), slope, &look, &arrow.words);
    }
}

/// How many of the points lie on another arrow.
fn crossed(samples: &[Point], other: &Arrow) -> usize {
    samples.iter().filter(|point| distance(**point, other.from, other.stop()) < ON_IT).count()
}

fn distance(point: Point, from: Point, to: Point) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let square = dx.mul_add(dx, dy * dy).max(f64::MIN_POSITIVE);
    let share = ((point.0 - from.0) * dx + (point.1 - from.1) * dy) / square;
    let share = share.clamp(0.0, 1.0);
    (point.0 - from.0 - share * dx).hypot(point.1 - from.1 - share * dy)
}

fn near(one: Point, other: Point, limit: f64) -> bool {
    (one.0 - other.0).abs() < limit && (one.1 - other.1).abs() < limit
}

fn classes(flight: &Flight) -> String {
    let colour = if flight.segment.has(Control::RST) {
        "reset"
    } else if flight.incarnation.is_some_and(|number| number > 1) {
        "second"
    } else {
        "open"
    };
    let dashes = if flight.make == Make::Doubled { " dashed" } else { "" };
    format!("{colour}{dashes}")
}

/// Shares of the way at which words may stand, the best first: nearer to the sender than to the middle.
const SHARES: [f64; 11] = [0.36, 0.42, 0.3, 0.48, 0.54, 0.26, 0.6, 0.66, 0.72, 0.22, 0.78];
/// How much of a lost segment's way is drawn.
const CUT: f64 = 0.72;
/// How far arrows keep from life-lines, and words from arrows.
const GAP: f64 = 5.0;
const LIFTED: f64 = 6.0;
/// A letter's width, a word's height, and how near to a line is on it.
const LETTER: f64 = 7.3;
const TALL: f64 = 15.0;
const ON_IT: f64 = 7.0;
