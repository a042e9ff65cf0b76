//! Lengths of time as people type them.

use std::time::Duration;

/// Reads a time as in `5s`, `500ms`, `1m`; a bare number is seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "not a time (write 5s, 500ms or 1m)".to_owned())?;
    match unit {
        "ms" if number <= 3_600_000 => Ok(Duration::from_millis(number)),
        "s" | "" if number <= 3600 => Ok(Duration::from_secs(number)),
        "m" if number <= 60 => Ok(Duration::from_secs(number * 60)),
        "ms" | "s" | "" | "m" => Err("longer than an hour".into()),
        _ => Err(format!("unknown unit {unit:?} (write 5s, 500ms or 1m)")),
    }
}

/// Reads an age as in `30s`, `10m`, `2h`, `7d`; a bare number is seconds. No longer than the kernel counts.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let form = || "not a time (write 30s, 10m, 2h or 7d)".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| form())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return Err(form()),
    };
    // tcp_info counts milliseconds in 32 bits.
    let ms = number.checked_mul(unit_ms).filter(|ms| u32::try_from(*ms).is_ok());
    ms.map(Duration::from_millis)
        .ok_or_else(|| "longer than 49 days, which is as far as the kernel counts".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_hour_at_most_in_every_unit() {
        for text in ["1h", "3600001ms", "18446744073709551615ms", "3601", "3601s", "61m", "-1s"] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["3600000ms", "3600", "3600s", "60m"] {
            assert_eq!(parse(text), Ok(Duration::from_secs(3600)), "{text}");
        }
        assert_eq!(parse("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn an_age_may_be_days_and_never_more_than_the_kernel_counts() {
        assert_eq!(parse_age("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_age("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse_age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(parse_age("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_age("3"), Ok(Duration::from_secs(3)));
        for text in
            ["", "-1s", "1w", "1.5s", "50d", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }
}
