//! The handle by which tests and demos send mail in Campaign.
//!
//! Owns: what was told by which source, and the comparison with Dynamics.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::expect::{self, EventIds, ExpectedActivity};
use super::logs::{LogForm, delivery_log, tracking_log};
use super::story::{Mailing, tell};
use super::{MailFact, MailKind, Standing, xdm};
use crate::clock::Clock;
use crate::sandbox::dataverse::control::DynamicsControl;
use crate::sandbox::journal::JournalControl;
use crate::sandbox::sftp::SftpControl;
use crate::sandbox::variants::Variants;

/// What was told so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    facts: Vec<MailFact>,
    /// What has happened, told or not.
    happened: Vec<MailFact>,
    last: u64,
}

/// Sends mail and says what must come of it; cheap to clone.
#[derive(Clone, Debug)]
pub struct MailControl {
    pub(crate) told: Arc<Mutex<Told>>,
    pub(crate) variants: Arc<Mutex<Variants>>,
    pub(crate) clock: Clock,
    pub(crate) client: String,
    pub(crate) dynamics: DynamicsControl,
    pub(crate) journal: JournalControl,
    pub(crate) sftp: SftpControl,
}

impl MailControl {
    /// Values that [`MailControl::differences`] compares of each activity.
    pub const COMPARED: u64 = 8;

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens after a mailing to the contacts that Dynamics holds now, in
    /// order of time. Nobody is told yet.
    pub fn send(&self, mailing: &Mailing) -> Vec<MailFact> {
        let contacts = self.dynamics.ids("contact");
        let mut told = self.told();
        let facts = tell(mailing, &contacts, told.last, self.clock.now().as_millisecond());
        told.happened.extend_from_slice(&facts);
        told.last = facts.iter().map(|fact| fact.log_id).max().unwrap_or(0).max(told.last);
        facts
    }

    /// Writes events into the journal, in the envelope of the variants. With
    /// `EventIds::Logs` the envelope's own id is the number of the log's row.
    pub fn publish(&self, facts: &[MailFact], ids: EventIds) {
        let envelope =
            self.variants.lock().unwrap_or_else(PoisonError::into_inner).journal_envelope;
        let log_ids = ids == EventIds::Logs;
        let events: Vec<_> =
            facts.iter().map(|fact| xdm::event(fact, envelope, log_ids, &self.client)).collect();
        self.journal.add(&events);
        self.told().facts.extend_from_slice(facts);
    }

    /// Writes `exports/delivery_log_{name}.csv` and `tracking_log_{name}.csv`,
    /// last changed an hour ago; a log without rows is not written.
    pub fn export(&self, name: &str, facts: &[MailFact], form: &LogForm) {
        let modified = self.clock.now() - jiff::SignedDuration::from_hours(1);
        let end = if form.gzip { ".csv.gz" } else { ".csv" };
        let tracked = |fact: &MailFact| matches!(fact.kind, MailKind::Open | MailKind::Click);
        if facts.iter().any(|fact| !tracked(fact)) {
            let path = format!("exports/delivery_log_{name}{end}");
            self.sftp.put_at(&path, &delivery_log(facts, form), modified);
        }
        if facts.iter().any(tracked) {
            let path = format!("exports/tracking_log_{name}{end}");
            self.sftp.put_at(&path, &tracking_log(facts, form), modified);
        }
        // Of a row that was sent and has failed only the failure is told.
        let failed: HashSet<u64> = facts
            .iter()
            .filter(|fact| fact.kind == MailKind::Bounce && fact.standing != Standing::Soft)
            .map(|fact| fact.broad_log)
            .collect();
        let shown = facts.iter().filter(|fact| match fact.standing {
            Standing::Strange | Standing::Soft => false,
            Standing::Due | Standing::Proof | Standing::Seed | Standing::Stranger => {
                fact.kind != MailKind::Send || !failed.contains(&fact.broad_log)
            }
        });
        self.told().facts.extend(shown.cloned());
    }

    /// What has happened and nobody was told of yet.
    pub fn untold(&self) -> Vec<MailFact> {
        let told = self.told();
        let known: HashSet<Uuid> = told.facts.iter().map(|fact| fact.event_id).collect();
        told.happened.iter().filter(|fact| !known.contains(&fact.event_id)).cloned().collect()
    }

    /// Everything told so far, also what was told twice.
    pub fn facts(&self) -> Vec<MailFact> {
        self.told().facts.clone()
    }

    /// The activities that must come of what was told.
    pub fn expected(&self, ids: EventIds) -> Vec<ExpectedActivity> {
        expect::activities(&self.told().facts, ids)
    }

    /// What Dynamics lacks of them, has wrongly or has beside them, for these
    /// kinds; columns as the contract names them. Empty is well.
    pub fn differences(&self, ids: EventIds, kinds: &[MailKind], prefix: &str) -> Vec<String> {
        let mut expected = self.expected(ids);
        expected.retain(|activity| kinds.contains(&activity.kind));
        expect::differences(&self.dynamics, &expected, prefix)
    }
}
