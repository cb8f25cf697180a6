//! What happens after a mailing, drawn from a seed.
//!
//! Owns: who opens, clicks and bounces, and the odd ones: proofs, seeds,
//! recipients that Dynamics does not know, events that no rule knows.

use jiff::Timestamp;
use uuid::Uuid;

use super::{MailFact, MailKind, Standing};
use crate::sandbox::random::Stream;

/// A minute in milliseconds.
const MINUTE: i64 = 60_000;

/// A mailing.
#[derive(Clone, Debug)]
pub struct Mailing {
    /// Seed of all that happens.
    pub seed: u64,
    /// E-mails to each contact.
    pub deliveries: u32,
    /// Most contacts that get them.
    pub contacts: usize,
    /// Whether there are proofs, seeds, soft bounces, strangers and strange
    /// events too.
    pub odd_ones: bool,
    /// When it begins; three days ago where nothing is said.
    pub start: Option<Timestamp>,
}

impl Default for Mailing {
    fn default() -> Self {
        Self { seed: 1, deliveries: 1, contacts: usize::MAX, odd_ones: true, start: None }
    }
}

/// Writes facts down.
struct Story {
    stream: Stream,
    facts: Vec<MailFact>,
    next: u64,
    start: i64,
    campaign: String,
    delivery: String,
}

impl Story {
    /// One e-mail to somebody; returns the fact of its sending, which is not
    /// written down yet.
    fn mail(&mut self, contact: &str, standing: Standing) -> MailFact {
        self.next += 1;
        let second = i64::try_from(self.stream.below(600)).unwrap_or(0) * 1000;
        MailFact {
            kind: MailKind::Send,
            standing,
            log_id: self.next,
            broad_log: self.next,
            event_id: self.stream.guid(),
            contact: contact.to_owned(),
            at: self.start + second,
            campaign: self.campaign.clone(),
            delivery: self.delivery.clone(),
            reason: None,
            url: None,
            mirror_page: format!(
                "https://t.contoso.campaign.adobe.com/nl/jsp/m.jsp?c=%40{:x}",
                self.stream.below(1 << 48)
            ),
            late: false,
        }
    }

    /// Something that follows the sending, so many minutes later.
    fn follows(&mut self, sent: &MailFact, kind: MailKind, minutes: u64) -> MailFact {
        let minutes = i64::try_from(minutes).unwrap_or(0);
        MailFact {
            kind,
            event_id: self.stream.guid(),
            at: sent.at + minutes * MINUTE,
            ..sent.clone()
        }
    }

    /// An open or a click: a row of the tracking log.
    fn tracked(&mut self, sent: &MailFact, kind: MailKind) {
        let minutes = 1 + self.stream.below(24 * 60);
        let mut fact = self.follows(sent, kind, minutes);
        self.next += 1;
        fact.log_id = self.next;
        if kind == MailKind::Click {
            let page = self.stream.pick(&["offers", "news?utm=a&b=c", "r%C3%A4der", "zoë"]);
            fact.url = Some(format!("https://www.contoso.example/{page}"));
        }
        self.facts.push(fact);
    }

    /// A bounce: the row of the delivery log becomes another.
    fn bounces(&mut self, sent: &MailFact, reason: &'static str, minutes: u64) -> MailFact {
        let mut fact = self.follows(sent, MailKind::Bounce, minutes);
        fact.reason = Some(reason);
        fact
    }

    fn recipient(&mut self, contact: &str) {
        let sent = self.mail(contact, Standing::Due);
        let fate = self.stream.below(100);
        if fate < 4 {
            let reason = self.stream.pick(&["User unknown", "Address on denylist"]);
            let bounce = self.bounces(&sent, reason, 0);
            self.facts.push(bounce);
            return;
        }
        self.facts.push(sent.clone());
        if fate < 8 {
            let mut bounce = self.bounces(&sent, "User unknown", 26 * 60);
            bounce.late = true;
            self.facts.push(bounce);
            return;
        }
        if fate < 50 {
            for _ in 0..=self.stream.below(3) {
                self.tracked(&sent, MailKind::Open);
            }
        }
        if (40..65).contains(&fate) {
            for _ in 0..=self.stream.below(2) {
                self.tracked(&sent, MailKind::Click);
            }
        }
    }

    /// What a reader must leave out, keep waiting or put aside. The proofs and
    /// the seeds go to real contacts, so that a reader who takes them is seen.
    fn odd_ones(&mut self, contacts: &[Uuid]) {
        for standing in [Standing::Proof, Standing::Seed] {
            let Some(contact) = self.stream.one_of(contacts) else { continue };
            let sent = self.mail(&contact.to_string(), standing);
            self.facts.push(sent.clone());
            self.tracked(&sent, MailKind::Open);
        }
        if let Some(contact) = self.stream.one_of(contacts) {
            let sent = self.mail(&contact.to_string(), Standing::Due);
            self.facts.push(sent.clone());
            let mut soft = self.bounces(&sent, "Mailbox full", 5);
            soft.standing = Standing::Soft;
            self.facts.push(soft);
        }
        let stranger = self.stream.guid().to_string();
        let sent = self.mail(&stranger, Standing::Stranger);
        self.facts.push(sent.clone());
        self.tracked(&sent, MailKind::Click);
        if let Some(contact) = self.stream.one_of(contacts) {
            let strange = self.mail(&contact.to_string(), Standing::Strange);
            self.facts.push(strange);
        }
    }
}

/// All that happens, in order of time. Rows of the logs get numbers behind
/// `last`.
pub(super) fn tell(mailing: &Mailing, contacts: &[Uuid], last: u64, now: i64) -> Vec<MailFact> {
    let start = mailing.start.map_or(now - 3 * 24 * 60 * MINUTE, Timestamp::as_millisecond);
    let mut story = Story {
        stream: Stream::new(mailing.seed ^ 0xE4A1_0000_0000_0011),
        facts: Vec::new(),
        next: last,
        start: start - start.rem_euclid(1000),
        campaign: String::new(),
        delivery: String::new(),
    };
    let contacts = contacts.get(..mailing.contacts.min(contacts.len())).unwrap_or_default();
    for number in 0..u64::from(mailing.deliveries) {
        story.campaign = format!("CMP{}", 10 + number / 2);
        story.delivery = format!("DM{}", 190 + number);
        for contact in contacts {
            story.recipient(&contact.to_string());
        }
        if mailing.odd_ones {
            story.odd_ones(contacts);
        }
        story.start += 20 * MINUTE;
    }
    let mut facts = story.facts;
    facts.sort_by_key(|fact| (fact.at, fact.log_id));
    facts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn contacts(number: u128) -> Vec<Uuid> {
        (1..=number).map(Uuid::from_u128).collect()
    }

    #[test]
    fn a_seed_repeats_its_story_and_every_kind_and_standing_occurs() {
        let mailing = Mailing { deliveries: 2, ..Mailing::default() };
        let told = tell(&mailing, &contacts(200), 0, 1_800_000_000_000);
        assert_eq!(told, tell(&mailing, &contacts(200), 0, 1_800_000_000_000));
        let other = Mailing { seed: 2, ..mailing };
        assert_ne!(told, tell(&other, &contacts(200), 0, 1_800_000_000_000));
        for kind in MailKind::ALL {
            assert!(told.iter().any(|fact| fact.kind == kind), "{kind:?}");
        }
        for standing in [
            Standing::Due,
            Standing::Proof,
            Standing::Seed,
            Standing::Soft,
            Standing::Stranger,
            Standing::Strange,
        ] {
            assert!(told.iter().any(|fact| fact.standing == standing), "{standing:?}");
        }
        assert!(told.iter().any(|fact| fact.late));
        assert!(told.iter().all(|fact| fact.at < 1_800_000_000_000 && fact.at % 1000 == 0));
    }

    #[test]
    fn ids_are_unique_within_a_kind() {
        let told = tell(&Mailing::default(), &contacts(300), 70, 1_800_000_000_000);
        let events: BTreeSet<Uuid> = told.iter().map(|fact| fact.event_id).collect();
        assert_eq!(events.len(), told.len());
        let due = told.iter().filter(|fact| fact.standing == Standing::Due);
        let due: Vec<_> = due.map(|fact| (fact.kind, fact.log_id)).collect();
        assert_eq!(due.iter().collect::<BTreeSet<_>>().len(), due.len());
        assert!(told.iter().all(|fact| fact.log_id > 70));
    }
}
