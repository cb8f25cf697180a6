//! `$batch` as it is sent: several writes in one request (Dynamics sheet, 5.1).
//! Pure; what comes back is read by `batch_reply`.

use std::ops::Range;

use uuid::Uuid;

use crate::model::RecordId;

/// Most bytes of the parts of one batch.
pub(crate) const MOST_BYTES: usize = 2 << 20;

/// Bytes around a part's body: its own head, and the heads of its delimiter.
const OVERHEAD: usize = 320;

/// The name space of boundaries.
const BOUNDARIES: Uuid = Uuid::from_u128(0x50a1_6be2_0d5c_4f39_9d5e_7f1e_93aa_4c08);

/// When a write may be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Only where there is no such row: it is made.
    Absent,
    /// Only where there is one: it is changed.
    Present,
}

/// One write of a batch: PATCH of a row.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The name of the table in data URLs; has passed the pattern of names.
    pub(crate) entity_set: String,
    /// The row.
    pub(crate) row: RecordId,
    /// When.
    pub(crate) condition: Condition,
    /// The columns, as a JSON object on one line.
    pub(crate) json: String,
}

impl Part {
    /// Its bytes in a batch, at most.
    pub(crate) fn bytes(&self) -> usize {
        self.json.len() + self.entity_set.len() + OVERHEAD
    }
}

/// A batch on the wire.
pub(super) struct Encoded {
    pub(super) boundary: String,
    pub(super) body: Vec<u8>,
}

/// Writes a batch; `root` is the path of the API, as in
/// `/api/data/v9.2`.
pub(super) fn encode(root: &str, parts: &[Part]) -> Encoded {
    let boundary = boundary(parts);
    let mut body = Vec::with_capacity(parts.iter().map(Part::bytes).sum::<usize>() + 80);
    for part in parts {
        let condition = match part.condition {
            Condition::Absent => "If-None-Match",
            Condition::Present => "If-Match",
        };
        let Part { entity_set, row, json, .. } = part;
        let length = json.len();
        let lines = [
            &format!("--{boundary}"),
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            &format!("PATCH {root}/{entity_set}({row}) HTTP/1.1"),
            &format!("{condition}: *"),
            "Content-Type: application/json; type=entry",
            &format!("Content-Length: {length}"),
            "",
            json,
        ];
        for line in lines {
            body.extend_from_slice(line.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Encoded { boundary, body }
}

/// A boundary that no part contains. Made of the parts, not of chance: a
/// simulation sends the same bytes again.
fn boundary(parts: &[Part]) -> String {
    let first = parts.first().map(|part| *part.row.as_bytes()).unwrap_or_default();
    let mut number = 0_u64;
    loop {
        let seed = [&first[..], &number.to_le_bytes()].concat();
        let boundary = format!("batch_{}", Uuid::new_v5(&BOUNDARIES, &seed));
        if !parts.iter().any(|part| part.json.contains(&boundary)) {
            return boundary;
        }
        number += 1;
    }
}

/// Cuts parts of these sizes into batches in order: none with more than
/// `most_parts`, and none with more than `most_bytes` except where a single
/// part has more.
pub(crate) fn split(sizes: &[usize], most_parts: usize, most_bytes: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0_usize);
    for (index, size) in sizes.iter().enumerate() {
        let full = index - start >= most_parts.max(1) || bytes.saturating_add(*size) > most_bytes;
        if full && index > start {
            ranges.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes = bytes.saturating_add(*size);
    }
    if start < sizes.len() {
        ranges.push(start..sizes.len());
    }
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(number: u8, condition: Condition, json: &str) -> Part {
        Part {
            entity_set: "new_campaignemailsends".into(),
            row: RecordId::from_bytes([number; 16]),
            condition,
            json: json.into(),
        }
    }

    #[test]
    fn a_batch_looks_as_the_sheet_says() {
        let parts = [
            part(1, Condition::Absent, r#"{"subject":"Grüße"}"#),
            part(2, Condition::Present, r#"{"statecode":1,"statuscode":2}"#),
        ];
        let encoded = encode("/api/data/v9.2", &parts);
        let expected = format!(
            "--{b}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             PATCH /api/data/v9.2/new_campaignemailsends(01010101-0101-0101-0101-010101010101) HTTP/1.1\r\n\
             If-None-Match: *\r\nContent-Type: application/json; type=entry\r\nContent-Length: 21\r\n\r\n\
             {{\"subject\":\"Grüße\"}}\r\n\
             --{b}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             PATCH /api/data/v9.2/new_campaignemailsends(02020202-0202-0202-0202-020202020202) HTTP/1.1\r\n\
             If-Match: *\r\nContent-Type: application/json; type=entry\r\nContent-Length: 30\r\n\r\n\
             {{\"statecode\":1,\"statuscode\":2}}\r\n\
             --{b}--\r\n",
            b = encoded.boundary
        );
        assert_eq!(String::from_utf8(encoded.body).unwrap(), expected);
        let sizes = parts.iter().map(Part::bytes).sum::<usize>();
        assert!(expected.len() <= sizes + 80, "a part is not larger than it says");
    }

    #[test]
    fn no_part_contains_the_boundary() {
        let first = boundary(&[part(1, Condition::Absent, "{}")]);
        let hostile = part(1, Condition::Absent, &format!("{{\"a\":\"--{first}--\"}}"));
        let other = encode("/api", &[hostile]);
        assert_ne!(other.boundary, first);
    }

    proptest! {
        #[test]
        fn a_split_loses_nothing_and_keeps_to_both_limits(
            sizes in prop::collection::vec(0_usize..500, 0..400),
            most_parts in 0_usize..50,
            most_bytes in 0_usize..2000,
        ) {
            let ranges = split(&sizes, most_parts, most_bytes);
            let mut next = 0;
            for range in ranges {
                prop_assert_eq!(range.start, next);
                prop_assert!(range.end > range.start);
                next = range.end;
                let bytes: usize = sizes[range.clone()].iter().sum();
                prop_assert!(range.len() <= most_parts.max(1));
                prop_assert!(bytes <= most_bytes || range.len() == 1);
            }
            prop_assert_eq!(next, sizes.len());
        }
    }
}
