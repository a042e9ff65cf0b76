//! Lengths of time as people type them.

use std::time::Duration;

/// Reads a time as in `5s`, `500ms`, `1m`; a bare number is seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "not a time (write 5s, 500ms or 1m)".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" | "" if number <= 3600 => Ok(Duration::from_secs(number)),
        "m" if number <= 60 => Ok(Duration::from_secs(number * 60)),
        "s" | "" | "m" => Err("longer than an hour".into()),
        _ => Err(format!("unknown unit {unit:?} (write 5s, 500ms or 1m)")),
    }
}
