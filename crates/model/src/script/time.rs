//! When a step happens: at a moment, some time after the step before, at any time, within a range. A call may say in
//! addition when it returns.

use super::Error;
use super::cursor::Cursor;
use crate::tcp::moment::Moment;

/// When a step happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// At the beginning: no time is given.
    Start,
    /// So long after the script began (`0.5`).
    At(Moment),
    /// So long after the step before (`+0.5`).
    After(Moment),
    /// At any time (`*`).
    Any,
    /// Between these moments (`0.5~0.7`).
    Between(Moment, Moment),
    /// So long after the step before at least, and so long at most (`+0.5~+0.7`).
    AfterBetween(Moment, Moment),
}

/// Reads the time of a step.
pub(super) fn when(cursor: &mut Cursor<'_>) -> Result<When, Error> {
    if cursor.eat("*") {
        return Ok(When::Any);
    }
    let relative = cursor.eat("+");
    let first = moment(cursor)?;
    if !follows(cursor, "~") {
        return Ok(if relative { When::After(first) } else { When::At(first) });
    }
    cursor.skip_on_line();
    let second_relative = cursor.eat("+");
    if relative != second_relative {
        return Err(cursor.error("both ends of a range are absolute, or both relative ('+')"));
    }
    let second = moment(cursor)?;
    if second < first {
        return Err(cursor.error("this range ends before it begins"));
    }
    let range = if relative { When::AfterBetween } else { When::Between };
    Ok(range(first, second))
}

/// Reads `...e`, the time at which a blocking call returns.
pub(super) fn until(cursor: &mut Cursor<'_>) -> Result<Option<Moment>, Error> {
    if !follows(cursor, "...") {
        return Ok(None);
    }
    cursor.skip_on_line();
    cursor.eat("+");
    moment(cursor).map(Some)
}

fn follows(cursor: &mut Cursor<'_>, mark: &str) -> bool {
    let mut ahead = cursor.clone();
    ahead.skip_on_line();
    let there = ahead.eat(mark);
    if there {
        *cursor = ahead;
    }
    there
}

/// Seconds with a fraction, exactly.
fn moment(cursor: &mut Cursor<'_>) -> Result<Moment, Error> {
    cursor.skip_on_line();
    let start = cursor.clone();
    let whole = cursor.take_while(|c| c.is_ascii_digit());
    let mut ahead = cursor.clone();
    let mut fraction = "";
    if ahead.eat(".") {
        fraction = ahead.take_while(|c| c.is_ascii_digit());
        if !fraction.is_empty() {
            *cursor = ahead;
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(start.expected("a time in seconds"));
    }
    let too_long = || start.error("this time is longer than can be kept");
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
    // What is finer than a microsecond is cut off.
    let micros = fraction.bytes().chain([b'0'; 6]).take(6);
    let micros = micros.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    // A century: sums of such times stay far from the end of the range.
    if whole > 100 * 366 * 86_400 {
        return Err(too_long());
    }
    Ok(Moment(whole * 1_000_000 + micros))
}
