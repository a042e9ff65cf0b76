//! One name with brackets: `r[1-2]n[01-10/3]`, and the names that it stands for.
//!
//! The last bracket turns fastest. How many names it is comes from its parts, before any is written.

use super::error::{Error, Fault};

/// A name with brackets in it, or without.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Numbers(Vec<Range>),
}

/// Numbers from `first` to `last`, every `step`th, with at least `width` digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Range {
    first: u64,
    last: u64,
    step: u64,
    width: usize,
}

/// More digits than any number here needs; all of them fit into 64 bits.
pub(super) const MOST_DIGITS: usize = 18;

impl Pattern {
    /// Reads it.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |fault| Error::new(text, fault);
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('[') {
            let (inside, behind) = after.split_once(']').ok_or_else(|| wrong(Fault::Bracket))?;
            parts.push(Part::Text(before.to_owned()));
            let ranges: Result<Vec<Range>, Fault> = inside.split(',').map(Range::parse).collect();
            parts.push(Part::Numbers(ranges.map_err(wrong)?));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        let has_stray = |part: &Part| matches!(part, Part::Text(text) if text.contains(']'));
        if parts.iter().any(has_stray) {
            return Err(wrong(Fault::Bracket));
        }
        Ok(Self { parts })
    }

    /// How many names it stands for; the largest number where it is more than can be counted.
    pub(super) fn count(&self) -> u64 {
        let of = |part: &Part| match part {
            Part::Text(_) => 1,
            Part::Numbers(ranges) => ranges.iter().map(Range::count).fold(0, u64::saturating_add),
        };
        self.parts.iter().map(of).fold(1, u64::saturating_mul)
    }

    /// How long the shortest of its names is at least, in octets.
    pub(super) fn shortest(&self) -> usize {
        let of = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Numbers(_) => 1,
        };
        self.parts.iter().map(of).sum()
    }

    /// The names. Ask [`count`](Self::count) and [`shortest`](Self::shortest) first.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = vec![String::new()];
        for part in &self.parts {
            names = match part {
                Part::Text(text) => names.into_iter().map(|name| name + text).collect(),
                Part::Numbers(ranges) => names
                    .iter()
                    .flat_map(|name| ranges.iter().flat_map(move |range| range.after(name)))
                    .collect(),
            };
        }
        names
    }
}

impl Range {
    /// Reads `7`, `1-9`, or `1-9/2`.
    fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::Numbers(text.to_owned());
        let (span, step) = match text.split_once('/') {
            Some((span, step)) => (span, number(step).filter(|step| *step > 0).ok_or_else(wrong)?),
            None => (text, 1),
        };
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        let width = first.len();
        let (first, last) = (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?);
        if last < first {
            return Err(Fault::Backwards(text.to_owned()));
        }
        Ok(Self { first, last, step, width })
    }

    const fn count(&self) -> u64 {
        (self.last - self.first) / self.step + 1
    }

    /// Its numbers behind what stands before them.
    fn after<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        let width = self.width;
        (0..self.count()).map(move |at| {
            let number = self.first + at * self.step;
            format!("{name}{number:0width$}")
        })
    }
}

/// Digits and nothing else, and not too many.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number =
        (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}
