//! SVG by strings: one sheet of style for all drawings, legible on light and on dark, with words for those who cannot see.
//!
//! Colours are written out twice instead of named once, since not every renderer of SVG knows custom properties.

use std::fmt::{Display, Write as _};

/// A drawing that grows.
#[derive(Clone, Debug)]
pub struct Svg {
    width: f64,
    body: String,
}

/// Where a text stands against its point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// A point, in pixels from the upper left.
pub type Point = (f64, f64);

impl Svg {
    /// An empty drawing of this width.
    pub const fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    /// The finished drawing: its height, what it is called and what it shows.
    pub fn finish(self, height: f64, title: &str, shows: &str) -> String {
        let (width, body) = (self.width, self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
             role=\"img\" aria-labelledby=\"title desc\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>\n{}</style>\n\
             <rect class=\"paper\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"10\"/>\n{body}</svg>\n",
            escaped(title),
            escaped(shows),
            style(),
            number(width - 1.0),
            number(height - 1.0),
            w = number(width),
            h = number(height),
        )
    }

    /// A text; `classes` decide how it looks.
    pub fn text(&mut self, (x, y): Point, anchor: Anchor, classes: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let _ = writeln!(
            self.body,
            "<text class=\"{classes}\" x=\"{}\" y=\"{}\"{anchor}>{}</text>",
            number(x),
            number(y),
            escaped(text)
        );
    }

    /// A text along a slope, its middle at the point.
    pub fn slanted_text(&mut self, (x, y): Point, degrees: f64, classes: &str, text: &str) {
        let _ = writeln!(
            self.body,
            "<text class=\"{classes}\" text-anchor=\"middle\" transform=\"translate({} {}) rotate({})\">{}</text>",
            number(x),
            number(y),
            number(degrees),
            escaped(text)
        );
    }

    /// Words one after the other on one line, each with what it stands for.
    pub fn row_of_words(&mut self, (x, y): Point, classes: &str, words: &[(String, String)]) {
        let _ =
            write!(self.body, "<text class=\"{classes}\" x=\"{}\" y=\"{}\">", number(x), number(y));
        for (at, (attributes, word)) in words.iter().enumerate() {
            let between = if at == 0 { "" } else { " · " };
            let _ = write!(self.body, "{between}<tspan{attributes}>{}</tspan>", escaped(word));
        }
        self.body.push_str("</text>\n");
    }

    /// A text that runs upward from the point.
    pub fn upright_text(&mut self, (x, y): Point, classes: &str, text: &str) {
        let _ = writeln!(
            self.body,
            "<text class=\"{classes}\" transform=\"translate({} {}) rotate(-90)\">{}</text>",
            number(x),
            number(y),
            escaped(text)
        );
    }

    /// A rectangle with round corners.
    pub fn rect(&mut self, (x, y): Point, (width, height): Point, radius: f64, classes: &str) {
        let _ = writeln!(
            self.body,
            "<rect class=\"{classes}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
            number(x),
            number(y),
            number(width),
            number(height),
            number(radius)
        );
    }

    /// A circle.
    pub fn circle(&mut self, (x, y): Point, radius: f64, classes: &str) {
        let _ = writeln!(
            self.body,
            "<circle class=\"{classes}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
            number(x),
            number(y),
            number(radius)
        );
    }

    /// A straight line.
    pub fn line(&mut self, from: Point, to: Point, classes: &str) {
        let _ = writeln!(
            self.body,
            "<path class=\"{classes}\" d=\"M{} {}L{} {}\"/>",
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1)
        );
    }

    /// A line along corners, which are rounded, with a head at its end.
    pub fn arrow(&mut self, corners: &[Point], classes: &str) {
        let (Some(&end), Some(&before)) =
            (corners.last(), corners.len().checked_sub(2).and_then(|at| corners.get(at)))
        else {
            return;
        };
        let base = toward(end, before, HEAD_LENGTH - 1.0);
        let mut shortened = corners.to_vec();
        if let Some(last) = shortened.last_mut() {
            *last = base;
        }
        let _ = writeln!(self.body, "<path class=\"{classes}\" d=\"{}\"/>", rounded(&shortened));
        self.head(before, end, classes);
    }

    /// A cross where something ends.
    pub fn cross(&mut self, (x, y): Point, size: f64, classes: &str) {
        self.line((x - size, y - size), (x + size, y + size), classes);
        self.line((x - size, y + size), (x + size, y - size), classes);
    }

    /// Opens a group; what it stands for is read out and shown under the pointer.
    pub fn open_group(&mut self, attributes: &str, title: &str) {
        let _ = write!(self.body, "<g{attributes}>");
        if !title.is_empty() {
            let _ = write!(self.body, "<title>{}</title>", escaped(title));
        }
        self.body.push('\n');
    }

    /// Closes the group opened last.
    pub fn close_group(&mut self) {
        self.body.push_str("</g>\n");
    }

    fn head(&mut self, from: Point, to: Point, classes: &str) {
        let base = toward(to, from, HEAD_LENGTH);
        let (across_x, across_y) = (
            (to.1 - base.1) / HEAD_LENGTH * HEAD_WIDTH,
            (to.0 - base.0) / HEAD_LENGTH * HEAD_WIDTH,
        );
        let _ = writeln!(
            self.body,
            "<path class=\"{classes} head\" d=\"M{} {}L{} {}L{} {}Z\"/>",
            number(to.0),
            number(to.1),
            number(base.0 - across_x),
            number(base.1 + across_y),
            number(base.0 + across_x),
            number(base.1 - across_y)
        );
    }
}

/// Text as XML wants it. Characters that XML 1.0 cannot hold are replaced.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// So many of something, as a length.
pub fn times(count: usize, length: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) * length
}

/// How long a text is about, whose letters are this wide.
pub fn breadth(text: &str, letter: f64) -> f64 {
    times(text.chars().count(), letter)
}

/// The point this far from one point on the way to another.
pub fn toward(from: Point, to: Point, distance: f64) -> Point {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(f64::MIN_POSITIVE);
    (from.0 + dx / length * distance, from.1 + dy / length * distance)
}

fn rounded(corners: &[Point]) -> String {
    let mut path = String::new();
    for (at, &corner) in corners.iter().enumerate() {
        let neighbours =
            at.checked_sub(1).and_then(|before| corners.get(before)).zip(corners.get(at + 1));
        let _ = match neighbours {
            Some((&before, &after)) => {
                let (into, out) = (toward(corner, before, CORNER), toward(corner, after, CORNER));
                write!(
                    path,
                    "L{} {}Q{} {} {} {}",
                    number(into.0),
                    number(into.1),
                    number(corner.0),
                    number(corner.1),
                    number(out.0),
                    number(out.1)
                )
            }
            None => write!(
                path,
                "{}{} {}",
                if at == 0 { 'M' } else { 'L' },
                number(corner.0),
                number(corner.1)
            ),
        };
    }
    path
}

/// A coordinate with one decimal at most, so that the files stay small and the same everywhere.
fn number(value: f64) -> impl Display {
    let tenths = (value * 10.0).round();
    // Minus zero would print its sign.
    (if tenths == 0.0 { 0.0 } else { tenths }) / 10.0
}

fn style() -> String {
    let mut style = String::from(SHAPES);
    let colours = |style: &mut String, choose: fn(&Colour) -> &'static str| {
        for colour in &COLOURS {
            let _ = writeln!(style, "{}{{{}:{}}}", colour.of, colour.what, choose(colour));
        }
    };
    colours(&mut style, |colour| colour.light);
    style.push_str("@media (prefers-color-scheme: dark){\n");
    colours(&mut style, |colour| colour.dark);
    style.push_str("}\n");
    style
}

struct Colour {
    of: &'static str,
    what: &'static str,
    light: &'static str,
    dark: &'static str,
}

const fn colour(
    of: &'static str,
    what: &'static str,
    light: &'static str,
    dark: &'static str,
) -> Colour {
    Colour { of, what, light, dark }
}

const COLOURS: [Colour; 26] = [
    colour(".paper", "fill", "#ffffff", "#15191f"),
    colour(".paper", "stroke", "#dfe3e8", "#2c333c"),
    colour("text", "fill", "#1f2630", "#e3e8ee"),
    colour("text.aside", "fill", "#66707c", "#98a3b0"),
    colour("text.halo", "stroke", "#ffffff", "#15191f"),
    colour(".open", "stroke", "#6b7684", "#8d99a8"),
    colour(".active", "stroke", "#1f6fc4", "#5aa5f0"),
    colour(".passive", "stroke", "#b85c00", "#f0a04b"),
    colour(".none", "stroke", "#9aa4b0", "#5d6875"),
    colour(".second", "stroke", "#8a3fb8", "#c78bf0"),
    colour(".reset", "stroke", "#c4262e", "#ff7b80"),
    colour(".head.open", "fill", "#6b7684", "#8d99a8"),
    colour(".head.active", "fill", "#1f6fc4", "#5aa5f0"),
    colour(".head.passive", "fill", "#b85c00", "#f0a04b"),
    colour(".head.none", "fill", "#9aa4b0", "#5d6875"),
    colour(".head.reset", "fill", "#c4262e", "#ff7b80"),
    colour(".head.second", "fill", "#8a3fb8", "#c78bf0"),
    colour(".node", "fill", "#f6f8fa", "#1e242c"),
    colour(".node.active", "fill", "#eaf3fd", "#142a42"),
    colour(".node.passive", "fill", "#fdf1e2", "#3a2710"),
    colour(".field.active", "fill", "#f5f9fe", "#171f2a"),
    colour(".field.passive", "fill", "#fef9f2", "#211d18"),
    colour("text.active", "fill", "#1558a0", "#84bdf7"),
    colour("text.passive", "fill", "#8f4700", "#f7bb7c"),
    colour("text.second", "fill", "#6f2b99", "#d7a8f7"),
    colour("text.reset", "fill", "#b01e26", "#ff9a9e"),
];

/// What does not depend on light or dark.
const SHAPES: &str = "\
text{font:13px ui-sans-serif,system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"DejaVu Sans\",sans-serif;stroke:none}\n\
text.title{font-size:17px;font-weight:600}\n\
text.state{font-weight:600;letter-spacing:.2px}\n\
text.small{font-size:11.5px}\n\
text.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;font-size:12px}\n\
text.halo{stroke-width:5px;stroke-linejoin:round;paint-order:stroke}\n\
path{fill:none;stroke-width:1.6}\n\
path.head{stroke-width:1;stroke-linejoin:round}\n\
rect.node{stroke-width:1.6}\n\
rect.lit{stroke-width:3.4}\n\
rect.field{stroke-width:1;stroke-dasharray:4 5}\n\
.dashed{stroke-dasharray:6 5}\n\
path.head.dashed{stroke-dasharray:none}\n\
path.life{stroke-width:5;stroke-linecap:round}\n\
path.life.none{stroke-width:1.6;stroke-dasharray:2 5}\n\
path.bar{stroke-width:4}\n\
.faint{stroke-width:1}\n\
rect.nodepath.bar{stroke-width:4}\n\
.faint{stroke-width:1}\n\
text:not(.halo){stroke:none}\n\
circle.ring{fill:none;stroke-width:2.4}\n";

const HEAD_LENGTH: f64 = 9.0;
const HEAD_WIDTH: f64 = 4.2;
const CORNER: f64 = 9.0;

#[cfg(test)]
pub(crate) mod well_formed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped_or_replaced() {
        assert_eq!(escaped("a<b & \"c\"\n\u{1}"), "a&lt;b &amp; &quot;c&quot; \u{fffd}");
    }

    #[test]
    fn coordinates_are_short_and_without_a_minus_zero() {
        assert_eq!(number(1.0 / 3.0).to_string(), "0.3");
        assert_eq!(number(-0.01).to_string(), "0");
        assert_eq!(number(12.0).to_string(), "12");
    }
}
