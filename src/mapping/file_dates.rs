//! Dates and times as an export writes them: one of six orders of digits with
//! any separator, or the XML form (Campaign sheet, 8.1).

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dates::{self, Moment};
use crate::model::{DateForm, DatePart};

/// The instant that a text of this form tells; a time without a zone is one of
/// `zone`, a date is its first instant there.
pub(crate) fn read_instant(text: &str, form: DateForm, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let moment = match form {
        DateForm::Xml => dates::read(text)?,
        DateForm::Numeric(order) => dates::read(&iso(text, order)?)?,
    };
    match moment {
        Moment::Instant(instant, _) => Some(instant),
        Moment::Wall(wall) => zone.to_timestamp(wall).ok(),
        Moment::Date(date) => dates::start_of(date, zone).ok(),
    }
}

/// The same in the XML form.
fn iso(text: &str, order: [DatePart; 3]) -> Option<String> {
    let (groups, rest) = groups(text, order)?;
    let (mut year, mut month, mut day) = (String::new(), "", "");
    for (part, digits) in order.into_iter().zip(groups) {
        match (part, digits.len()) {
            (DatePart::Year, 4) => digits.clone_into(&mut year),
            (DatePart::Year, 2) => year = format!("{}{digits}", century(digits)?),
            (DatePart::Month, 1 | 2) => month = digits,
            (DatePart::Day, 1 | 2) => day = digits,
            (DatePart::Year | DatePart::Month | DatePart::Day, _) => return None,
        }
    }
    let date = format!("{year}-{month:0>2}-{day:0>2}");
    if rest.is_empty() {
        return Some(date);
    }
    // A time that touches the date would be part of its digits.
    Some(format!("{date}T{}", clock(rest.trim_start_matches(['T', ' ']))?))
}

/// The three groups of digits of the date, and what follows it.
fn groups(text: &str, order: [DatePart; 3]) -> Option<([&str; 3], &str)> {
    let (first, rest) = digits(text);
    if first.len() == 8 || first.len() == 6 {
        let year = first.len() - 4;
        let width = |part| if part == DatePart::Year { year } else { 2 };
        let (a, tail) = first.split_at_checked(width(order[0]))?;
        let (b, c) = tail.split_at_checked(width(order[1]))?;
        return Some(([a, b, c], rest));
    }
    let separator = rest.chars().next()?;
    let (second, rest) = digits(rest.strip_prefix(separator)?);
    let (third, rest) = digits(rest.strip_prefix(separator)?);
    Some(([first, second, third], rest))
}

/// The digits at the start, and the rest.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn century(two_digits: &str) -> Option<&'static str> {
    Some(if two_digits.parse::<u8>().ok()? < 70 { "20" } else { "19" })
}

/// A time of day; written without colons, they are put in.
fn clock(time: &str) -> Option<String> {
    let (first, rest) = digits(time);
    match first.len() {
        1 => Some(format!("0{time}")),
        2 => Some(time.to_owned()),
        4 | 6 => {
            let (hour, rest_of) = first.split_at_checked(2)?;
            let (minute, second) = rest_of.split_at_checked(2)?;
            let second = if second.is_empty() { "00" } else { second };
            Some(format!("{hour}:{minute}:{second}{rest}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use DatePart::{Day, Month, Year};

    fn read(text: &str, form: DateForm) -> Option<String> {
        read_instant(text, form, &TimeZone::UTC).map(|instant| instant.to_string())
    }

    #[test]
    fn every_order_of_digits_is_read_with_any_separator() {
        let orders = [
            ([Year, Month, Day], "20240506", "2024/05/06", "24-05-06"),
            ([Month, Day, Year], "05062024", "05/06/2024", "05-06-24"),
            ([Day, Month, Year], "06052024", "06.05.2024", "6.5.24"),
            ([Month, Year, Day], "05202406", "05 2024 06", "05/24/06"),
            ([Day, Year, Month], "06202405", "06_2024_05", "06/24/05"),
            ([Year, Day, Month], "20240605", "2024-06-05", "240605"),
        ];
        for (order, dense, separated, short) in orders {
            for date in [dense, separated, short] {
                for (time, expected) in [
                    ("", "00:00:00Z"),
                    (" 07:08:09", "07:08:09Z"),
                    ("T07:08", "07:08:00Z"),
                    (" 070809", "07:08:09Z"),
                    (" 7:08:09", "07:08:09Z"),
                    (" 07:08:09.123", "07:08:09.123Z"),
                    (" 07:08:09.123Z", "07:08:09.123Z"),
                    ("T07:08:09+02:00", "05:08:09Z"),
                ] {
                    let text = format!("{date}{time}");
                    let found = read(&text, DateForm::Numeric(order));
                    assert_eq!(
                        found.as_deref(),
                        Some(&*format!("2024-05-06T{expected}")),
                        "{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_xml_form_is_read_with_zone_fraction_or_neither() {
        for (text, expected) in [
            ("2024-05-06T07:08:09.123Z", Some("2024-05-06T07:08:09.123Z")),
            (" 2024-05-06 07:08:09.123Z ", Some("2024-05-06T07:08:09.123Z")),
            ("2024-05-06T07:08:09+01:00", Some("2024-05-06T06:08:09Z")),
            ("2024-05-06", Some("2024-05-06T00:00:00Z")),
            ("06.05.2024", None),
            ("", None),
        ] {
            assert_eq!(read(text, DateForm::Xml).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_one_of_the_formats_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (text, expected) in [
            ("2024-05-06T07:08:09", "2024-05-06T05:08:09Z"),
            ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"),
            ("2024-05-06", "2024-05-05T22:00:00Z"),
        ] {
            let found = read_instant(text, DateForm::Xml, &berlin).unwrap();
            assert_eq!(found.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn two_digits_of_a_year_lie_between_1970_and_2069() {
        for (text, expected) in [("01.02.69", "2069-02-01"), ("01.02.70", "1970-02-01")] {
            let found = read(text, DateForm::Numeric([Day, Month, Year]));
            assert_eq!(found, Some(format!("{expected}T00:00:00Z")), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_date_of_the_form_is_not_guessed_at() {
        let form = DateForm::Numeric([Day, Month, Year]);
        for text in [
            "",
            "32.05.2024",
            "06.13.2024",
            "06.05-2024",
            "6.5",
            "060520241",
            "06.05.2024x",
            "06.05.20240708",
            "06.05.024",
            "06052024070809",
            "06.05.2024 ",
            "a",
            "06.05.2024x07:08",
            "06.05.2024T",
        ] {
            let expected = (text == "06.05.2024 ").then_some("2024-05-06T00:00:00Z");
            assert_eq!(read(text, form).as_deref(), expected, "{text:?}");
        }
    }
}
