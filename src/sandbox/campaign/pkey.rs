//! `PKey`s and line marks: sealed, different on each appearance.
//!
//! Owns: their encryption (campaign sheet 3.3). A token of another instance,
//! here another seed, cannot be opened.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;

const BODY: usize = 48;
const TAG: usize = 16;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// A record: the resource's place, the row.
    Record(u64, u64),
    /// A line to go on from: a sorted result or none, and the line.
    Line(u64, u64),
}

/// Seals and opens tokens of one instance.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: [u8; 32],
    clock: Clock,
}

impl Sealer {
    /// The sealer of a seed.
    pub(crate) fn new(seed: u64, clock: Clock) -> Self {
        Self { key: blake3::derive_key("cdsync sandbox campaign pkey", &seed.to_le_bytes()), clock }
    }

    fn stream(&self, nonce: &[u8]) -> [u8; BODY] {
        let mut out = [0; BODY];
        blake3::Hasher::new_keyed(&self.key).update(nonce).finalize_xof().fill(&mut out);
        out
    }

    fn tag(&self, text: &[u8]) -> [u8; TAG] {
        let mut out = [0; TAG];
        blake3::Hasher::new_keyed(&self.key)
            .update(b"tag")
            .update(text)
            .finalize_xof()
            .fill(&mut out);
        out
    }

    /// A fresh token.
    pub(crate) fn seal(&self, what: Sealed) -> String {
        let (kind, a, b) = match what {
            Sealed::Record(resource, row) => (1, resource, row),
            Sealed::Line(sorted, line) => (2, sorted, line),
        };
        let nonce = self.clock.random().to_le_bytes();
        let mut body = self.stream(&nonce);
        let mut plain = [0; BODY];
        plain[0] = kind;
        plain[1..9].copy_from_slice(&a.to_le_bytes());
        plain[9..17].copy_from_slice(&b.to_le_bytes());
        for (byte, add) in body.iter_mut().zip(plain) {
            *byte ^= add;
        }
        let mut out = nonce.to_vec();
        out.extend_from_slice(&body);
        let tag = self.tag(&out);
        out.extend_from_slice(&tag);
        let mut text = String::from("@");
        URL_SAFE_NO_PAD.encode_string(out, &mut text);
        text
    }

    /// What a token stands for; nothing for a foreign one.
    pub(crate) fn open(&self, token: &str) -> Option<Sealed> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix('@')?).ok()?;
        let (sealed, tag) = bytes.split_at_checked(8 + BODY)?;
        if tag != self.tag(sealed) {
            return None;
        }
        let (nonce, body) = sealed.split_at_checked(8)?;
        let plain: Vec<u8> = self.stream(nonce).iter().zip(body).map(|(a, b)| a ^ b).collect();
        let number =
            |from: usize| Some(u64::from_le_bytes(plain.get(from..from + 8)?.try_into().ok()?));
        let (a, b) = (number(1)?, number(9)?);
        match plain.first()? {
            1 => Some(Sealed::Record(a, b)),
            2 => Some(Sealed::Line(a, b)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_differs_each_time_and_opens_only_at_home() {
        let home = Sealer::new(1, Clock::seeded(1));
        let (one, two) = (home.seal(Sealed::Record(2, 3)), home.seal(Sealed::Record(2, 3)));
        assert_ne!(one, two);
        assert_eq!(home.open(&one), Some(Sealed::Record(2, 3)));
        assert_eq!(home.open(&two), Some(Sealed::Record(2, 3)));
        assert_eq!(Sealer::new(2, Clock::seeded(1)).open(&one), None);
        assert!((90..=130).contains(&one.len()));
        assert_eq!(home.open("@gibberish"), None);
    }
}
