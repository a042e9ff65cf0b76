//! From names back to the shortest way to type them that is the same for the same set: `n3,n1,n2` is `n[1-3]`.
//!
//! Names of one shape (the same text around their numbers) are folded one bracket at a time, the last first. That is not
//! always the shortest form there is, but always the same one.

use super::pattern::{MOST_DIGITS, number};
use std::collections::{BTreeMap, BTreeSet};

/// A number in a name: its value and how many digits it has there.
type Number = (u64, usize);

/// The names as a list, sorted and each once; [`expand`](super::expand) makes them of it again.
pub fn fold<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut shapes: BTreeMap<Vec<String>, BTreeSet<Vec<Number>>> = BTreeMap::new();
    for name in names {
        let (texts, numbers) = taken_apart(name);
        shapes.entry(texts).or_default().insert(numbers);
    }
    let lists: Vec<String> = shapes.iter().map(|(texts, all)| shape(texts, all)).collect();
    lists.join(",")
}

/// `r2n10` is the texts `r`, `n` and nothing, around 2 and 10.
fn taken_apart(name: &str) -> (Vec<String>, Vec<Number>) {
    let (mut texts, mut numbers) = (vec![String::new()], Vec::new());
    let mut rest = name;
    while !rest.is_empty() {
        let is_digit = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        match number(piece) {
            Some(value) if is_digit => {
                numbers.push((value, piece.len()));
                texts.push(String::new());
            }
            // More digits than a number has are text.
            _ => texts.last_mut().expect("one at least").push_str(piece),
        }
        rest = behind;
    }
    debug_assert!(numbers.iter().all(|(_, digits)| *digits <= MOST_DIGITS));
    (texts, numbers)
}

/// Names that are not told apart yet: the numbers before a place, and what became of those from there on.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Row {
    before: Vec<Number>,
    after: Vec<String>,
}

/// Rows that are alike in all but one number become one row; in the end they stand in the order of their first names.
fn shape(texts: &[String], all: &BTreeSet<Vec<Number>>) -> String {
    let mut rows: BTreeMap<Row, Vec<Number>> = BTreeMap::new();
    for numbers in all {
        rows.insert(Row { before: numbers.clone(), after: Vec::new() }, numbers.clone());
    }
    for at in (0..texts.len() - 1).rev() {
        let mut alike: BTreeMap<Row, (BTreeSet<Number>, Vec<Number>)> = BTreeMap::new();
        for (mut row, first) in rows {
            let number = row.before.remove(at);
            let (numbers, least) =
                alike.entry(row).or_insert_with(|| (BTreeSet::new(), first.clone()));
            numbers.insert(number);
            *least = first.min(std::mem::take(least));
        }
        let folded = alike.into_iter().map(|(mut row, (numbers, first))| {
            row.after.insert(0, ranges(numbers));
            (row, first)
        });
        rows = folded.collect();
    }
    let mut rows: Vec<(Vec<Number>, Row)> =
        rows.into_iter().map(|(row, first)| (first, row)).collect();
    rows.sort();
    let written = rows.iter().map(|(_, row)| {
        let pairs = texts.iter().zip(row.after.iter().map(String::as_str).chain([""]));
        pairs.fold(String::new(), |name, (text, bracket)| name + text + bracket)
    });
    written.collect::<Vec<_>>().join(",")
}

/// `1`, or `[1-3,7]`. A range goes on as long as the next name is what the first one's padding makes of the next number.
fn ranges(mut numbers: BTreeSet<Number>) -> String {
    let mut parts = Vec::new();
    while let Some((first, width)) = numbers.pop_first() {
        let mut last = first;
        while let Some(next) = last.checked_add(1) {
            let digits = next.checked_ilog10().map_or(1, |log| log as usize + 1).max(width);
            if !numbers.remove(&(next, digits)) {
                break;
            }
            last = next;
        }
        parts.push(if last == first {
            format!("{first:0width$}")
        } else {
            format!("{first:0width$}-{last:0width$}")
        });
    }
    match &parts[..] {
        [only] if !only.contains('-') => only.clone(),
        _ => format!("[{}]", parts.join(",")),
    }
}
