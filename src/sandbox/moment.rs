//! Dates and times as numbers, and their two vendors' spellings.
//!
//! Owns: the calendar arithmetic (years 1 to 9999, beyond the range of the
//! time library at the far end) and strict parsing. Knows no table, no column.

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Days since 1970-01-01 of a proleptic Gregorian date.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a number of days since 1970-01-01, as year, month, day.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let rest = days.rem_euclid(146_097);
    let year_of_era = (rest - rest / 1460 + rest / 36_524 - rest / 146_096) / 365;
    let day_of_year = rest - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A date written exactly `YYYY-MM-DD`, as days since 1970-01-01.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    if text.len() != 10 || !text.is_ascii() || &text[4..5] != "-" || &text[7..8] != "-" {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..])?);
    let valid =
        year >= 1 && (1..=12).contains(&month) && day >= 1 && day <= month_length(year, month);
    valid.then(|| days_from_civil(year, month, day))
}

/// An ISO 8601 point in time, `T` or a space between date and time, an offset
/// or none (then UTC), as milliseconds since 1970. A bare date is its midnight.
pub(crate) fn parse_moment(text: &str) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let date = parse_date(text.get(..10)?)?;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(date * DAY_MS);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset) = split_offset(rest)?;
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let (second, milli) = match parts.next() {
        None => (0, 0),
        Some(text) => seconds(text)?,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = ((hour * 60 + minute) * 60 + second) * 1000 + milli;
    Some(date * DAY_MS + of_day - offset * 60_000)
}

/// Seconds with an optional fraction, as seconds and milliseconds.
fn seconds(text: &str) -> Option<(i64, i64)> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return Some((digits(text)?, 0));
    };
    digits(fraction)?;
    let mut padded = fraction.to_owned();
    padded.push_str("000");
    Some((digits(whole)?, digits(padded.get(..3)?)?))
}

/// Splits a time of day from its offset, which is returned in minutes.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, 0));
    };
    let (clock, offset) = text.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = match offset[1..].split_once(':') {
        Some((hours, minutes)) => (digits(hours)?, digits(minutes)?),
        None if offset.len() == 5 => (digits(&offset[1..3])?, digits(&offset[3..])?),
        None => (digits(&offset[1..])?, 0),
    };
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 60 + minutes)))
}

/// `YYYY-MM-DD`.
pub(crate) fn date_text(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

fn parts(millis: i64) -> (String, i64, i64, i64, i64) {
    let of_day = millis.rem_euclid(DAY_MS);
    let seconds = of_day / 1000;
    let date = date_text(millis.div_euclid(DAY_MS));
    (date, seconds / 3600, seconds / 60 % 60, seconds % 60, of_day % 1000)
}

/// Dataverse's spelling: `2023-04-07T21:59:01Z`, whole seconds.
pub(crate) fn dataverse_text(millis: i64) -> String {
    let (date, hour, minute, second, _) = parts(millis);
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Campaign's spelling: `2019-04-03 08:17:19.100Z`.
pub(crate) fn campaign_text(millis: i64) -> String {
    let (date, hour, minute, second, milli) = parts(millis);
    format!("{date} {hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// The form inside a delta token: `08/22/2017 08:10:44`.
pub(crate) fn token_text(millis: i64) -> String {
    let (year, month, day) = civil_from_days(millis.div_euclid(DAY_MS));
    let (_, hour, minute, second, _) = parts(millis);
    format!("{month:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}")
}

/// Reads the form inside a delta token.
pub(crate) fn parse_token(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(' ')?;
    let mut fields = date.splitn(3, '/');
    let (month, day, year) = (fields.next()?, fields.next()?, fields.next()?);
    parse_moment(&format!("{year}-{month}-{day}T{clock}Z"))
}

/// A person's display form, `4/7/2023 2:59 PM` (format of an English user).
pub(crate) fn display_text(millis: i64) -> String {
    let (_, hour, minute, _, _) = parts(millis);
    let half = if hour < 12 { "AM" } else { "PM" };
    let shown = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!("{} {shown}:{minute:02} {half}", display_date(millis.div_euclid(DAY_MS)))
}

/// A date as an English user sees it, `4/7/2023`.
pub(crate) fn display_date(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{month}/{day}/{year}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_supported_years_comes_back() {
        let (first, last) = (days_from_civil(1, 1, 1), days_from_civil(9999, 12, 31));
        for days in (first..=last).step_by(7) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert_eq!(parse_date(&date_text(days)), Some(days));
        }
    }

    #[test]
    fn moments_are_read_in_every_documented_spelling() {
        let expected = Some(1_554_279_439_100);
        for text in
            ["2019-04-03 08:17:19.100Z", "2019-04-03T08:17:19.1Z", "2019-04-03T10:17:19.100+02:00"]
        {
            assert_eq!(parse_moment(text), expected, "{text}");
        }
        assert_eq!(parse_moment("2019-04-03"), Some(1_554_249_600_000));
        for text in ["2019-02-29", "2019-13-01", "2019-04-03T25:00:00Z", "yesterday", ""] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
        assert_eq!(campaign_text(1_554_279_439_100), "2019-04-03 08:17:19.100Z");
        assert_eq!(parse_token(&token_text(1_554_279_439_000)), Some(1_554_279_439_000));
    }
}
