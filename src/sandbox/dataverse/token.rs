//! Skip tokens and delta tokens: opaque to clients, readable here.
//!
//! Owns: their spelling (Dynamics sheet 2.2 and 3.1).

use uuid::Uuid;

use super::error::{Refusal, query};
use crate::sandbox::moment;
use crate::sandbox::wire::{decode, encode};

/// Where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind this id, in order of ids. The number is the version at the first page.
    Id(Uuid, u64),
    /// This far into a sorted result.
    Sorted(u64, usize),
    /// Behind this version, in a delta read: its start, then its position.
    Changed(u64, u64),
    /// Behind this tombstone: its start, its end, then its position.
    Deleted(u64, u64, u64),
}

/// A place with its page's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) page: u64,
    pub(crate) place: Place,
}

impl Skip {
    /// The value of `$skiptoken`, ready for a link.
    pub(crate) fn text(&self, tracking: bool) -> String {
        let page = self.page;
        let inner = match &self.place {
            Place::Id(id, version) => format!("id last=\"{{{id}}}\" from=\"{version}\""),
            Place::Sorted(handle, offset) => format!("sorted last=\"{handle}\" from=\"{offset}\""),
            Place::Changed(since, at) => format!("changed last=\"{at}\" from=\"{since}\""),
            Place::Deleted(since, upto, at) => {
                format!("deleted last=\"{at}\" from=\"{since}\" upto=\"{upto}\"")
            }
        };
        let cookie = encode(&encode(&format!("<cookie page=\"{page}\"><{inner} /></cookie>")));
        let tracking = if tracking { "True" } else { "False" };
        let next = page + 1;
        encode(&format!(
            "<cookie pagenumber=\"{next}\" pagingcookie=\"{cookie}\" istracking=\"{tracking}\" />"
        ))
    }

    /// Reads a decoded `$skiptoken`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        Self::read(text)
            .ok_or_else(|| query("Malformed paging cookie in the $skiptoken query option."))
    }

    fn read(text: &str) -> Option<Self> {
        let page = attribute(text, "pagenumber")?.parse().ok()?;
        let cookie = decode(&decode(&attribute(text, "pagingcookie")?, false), false);
        let last = attribute(&cookie, "last")?;
        let from = attribute(&cookie, "from")?;
        let kind = cookie.split_once("><")?.1.split(' ').next()?.to_owned();
        let place = match kind.as_str() {
            "id" => {
                Place::Id(Uuid::try_parse(last.trim_matches(['{', '}'])).ok()?, from.parse().ok()?)
            }
            "sorted" => Place::Sorted(last.parse().ok()?, from.parse().ok()?),
            "changed" => Place::Changed(from.parse().ok()?, last.parse().ok()?),
            "deleted" => Place::Deleted(
                from.parse().ok()?,
                attribute(&cookie, "upto")?.parse().ok()?,
                last.parse().ok()?,
            ),
            _ => return None,
        };
        Some(Self { page, place })
    }
}

fn attribute(text: &str, name: &str) -> Option<String> {
    let start = text.find(&format!("{name}=\""))? + name.len() + 2;
    let rest = text.get(start..)?;
    rest.get(..rest.find('"')?).map(str::to_owned)
}

/// A delta token's value, escaped the way the service does it.
pub(crate) fn delta_text(version: u64, now: i64) -> String {
    format!("{version}!{}", moment::token_text(now))
        .replace('!', "%21")
        .replace('/', "%2f")
        .replace(' ', "%20")
        .replace(':', "%3a")
}

/// Reads a decoded delta token: its version and its time.
pub(crate) fn parse_delta(text: &str) -> Result<(u64, i64), Refusal> {
    let read = || {
        let (version, time) = text.split_once('!')?;
        Some((version.parse().ok()?, moment::parse_token(time)?))
    };
    read().ok_or_else(|| query("The $deltatoken query option is malformed."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_token_survives_the_round_trip_through_a_link() {
        for place in [
            Place::Id(Uuid::from_u128(77), 9),
            Place::Sorted(3, 5000),
            Place::Changed(5, 9),
            Place::Deleted(5, 12, 9),
        ] {
            let skip = Skip { page: 3, place };
            let read = Skip::parse(&decode(&skip.text(true), true)).unwrap();
            assert_eq!((read.page, read.place), (4, skip.place));
        }
    }
}
