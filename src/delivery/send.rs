//! One record: which calls it takes to make Campaign hold what was decided.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;

use crate::campaign::{Address, Failure, Found, Listed, Outcome, Writer};
use crate::http::System;
use crate::mapping::canonical;
use crate::model::{FieldName, FieldType, TableName, TargetValue};
use crate::store::{
    Action, Fingerprint, Leased, Mirror, MirrorState, PayloadField, Place, SealKey, UNKNOWN,
};

use super::parents::{Call, Turns};
use super::parting::{Parting, without_twins};
use super::paths::Paths;

/// Where the records of one table go.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) writer: Writer,
    pub(crate) paths: Arc<Paths>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) key: SealKey,
    /// Of profiles, where their opt-outs are carried.
    pub(crate) parting: Option<Parting>,
}

/// Where the records of all tables go: a link leads to another one's. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub(crate) struct Routes(pub(crate) Arc<HashMap<TableName, Destination>>);

/// What Campaign holds now.
#[derive(Clone, Debug)]
pub(crate) enum Delivered {
    /// The record, as the mirror shall remember it.
    Holds(Mirror),
    /// All that the decision says, in a record that was made for it.
    Made,
    /// The same, and no call was needed: an earlier decision had said it all.
    AsItWas(Mirror),
    /// Nothing: deleted, or not there.
    Gone,
}

/// Why a decision was not carried out.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// A call failed.
    Failed(Failure),
    /// Campaign does not hold these parents of the record.
    Orphaned(Vec<Place>),
    /// The table of a parent cannot be asked in this pass.
    Unreachable,
    /// What Campaign said could not be kept in the store, which is closed by that.
    Unkept,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Trouble {
    fn is(&self, outcome: Outcome) -> bool {
        matches!(self, Self::Failed(failure) if failure.outcome == outcome)
    }
}

impl Routes {
    /// Whether records of this table go anywhere.
    pub(crate) fn lead_from(&self, table: &TableName) -> bool {
        self.0.contains_key(table)
    }

    /// Carries out a decision.
    ///
    /// Boxed with one named lifetime: the compiler cannot see through the
    /// borrows of the inner calls that their future may move between threads.
    pub(crate) fn deliver<'a>(
        &'a self,
        leased: &'a Leased,
    ) -> Pin<Box<dyn Future<Output = Answered> + Send + 'a>> {
        Box::pin(async move {
            let Some(here) = self.0.get(&leased.table) else {
                return (Err(Trouble::Unreachable), Learned::default());
            };
            let errand = Errand { here, routes: self, leased, learned: Mutex::default() };
            let result = match leased.action {
                Action::Write => match said_already(leased) {
                    Some(mirror) => Ok(Delivered::AsItWas(mirror)),
                    None => errand.write().await,
                },
                Action::Delete => errand.delete().await.map(|()| Delivered::Gone),
            };
            (result, errand.learned.into_inner().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

/// How a decision ended, and what was learned on the way.
pub(crate) type Answered = (Result<Delivered, Trouble>, Learned);

/// What an errand learned beside how it ended.
#[derive(Default)]
pub(crate) struct Learned {
    /// The vendor's id of the last write that was answered.
    pub(crate) request_id: Option<String>,
    /// Flags that Dynamics has, and that the profile was made or found with.
    pub(crate) opted_out: Vec<FieldName>,
    /// Flags that the profile has, and Dynamics no more.
    pub(crate) outdated: Vec<FieldName>,
}

/// One decision on its way.
pub(super) struct Errand<'a> {
    pub(super) here: &'a Destination,
    pub(super) routes: &'a Routes,
    pub(super) leased: &'a Leased,
    learned: Mutex<Learned>,
}

impl Errand<'_> {
    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answered(&self, request_id: Option<&String>) {
        self.learned().request_id = request_id.cloned();
    }

    /// The profile has those of these flags that Dynamics has.
    fn agrees_on(&self, has: impl Fn(&str) -> bool) {
        let Some(parting) = &self.here.parting else { return };
        let said = self.said_in_dynamics();
        let both = said.iter().map(|name| &**name).filter(|name| has(name));
        let flags = parting.flags_of(both).collect();
        self.learned().opted_out = flags;
    }

    /// The flags that Dynamics has: as the record was read, and as the opt-out flow
    /// has heard.
    fn said_in_dynamics(&self) -> Vec<Arc<str>> {
        let heard = self.here.parting.iter().flat_map(|it| it.of_dynamics(self.leased));
        without_twins(self.leased.payload.opt_outs.iter().cloned().chain(heard))
    }

    /// The profile that an attempt of ours may have made has these flags: those
    /// that Dynamics has cleared since nobody would look at, where nobody looks at
    /// what is said in Campaign.
    fn differs_on(&self, has: impl Fn(&str) -> bool) {
        let Some(parting) = self.here.parting.as_ref().filter(|it| !it.looks_first()) else {
            return;
        };
        let said = &self.leased.payload.opt_outs;
        let cleared = |name: &str| has(name) && !said.iter().any(|it| **it == *name);
        self.learned().outdated = parting.flags_that(cleared);
    }

    async fn write(&self) -> Result<Delivered, Trouble> {
        let (here, leased) = (self.here, self.leased);
        if leased.uncertain {
            return self.look_then_write().await;
        }
        let Some(mirror) = &leased.mirror else { return self.create_or_adopt().await };
        let changed: Vec<&PayloadField> = leased.payload.changed(&mirror.fields).collect();
        let known_key = mirror.key.as_deref().unwrap_or(&leased.payload.key);
        let moved = known_key != leased.payload.key;
        let address = match here.paths.get(known_key) {
            Some(path) => Address::Path(path),
            None if here.writer.by_uri() && !moved => Address::Key(known_key.to_owned()),
            None => return self.look_then_write().await,
        };
        let told = match self.update(&address, &changed).await {
            Err(trouble) if trouble.is(Outcome::Missing) => {
                // Deleted in Campaign, or the path has gone stale.
                here.paths.forget(known_key);
                return match address {
                    Address::Path(_) => self.look_then_write().await,
                    Address::Key(_) => self.create_or_adopt().await,
                };
            }
            told => told,
        };
        told.map(|()| Delivered::Holds(remember(leased, &mirror.fields)))
    }

    /// A record that nobody knows yet: one call. If its key is taken after
    /// all, the record that has it becomes ours.
    async fn create_or_adopt(&self) -> Result<Delivered, Trouble> {
        match self.create().await {
            Err(trouble) if trouble.is(Outcome::DuplicateKey) => {
                match self.here.writer.find(&self.leased.payload.key).await? {
                    Found::One(found) => self.adjust(*found).await,
                    // By an attempt of ours, as it seems, which a read does not show yet.
                    Found::Nothing if self.leased.uncertain => Err(unseen().into()),
                    // Another unique field is taken: nothing we could mend.
                    Found::Nothing => Err(trouble),
                    Found::Several(copies) => Err(ambiguous(copies).into()),
                }
            }
            delivered => delivered,
        }
    }

    /// Looks the key up first, because an earlier attempt may have been
    /// applied, or because only Campaign knows where the record is.
    async fn look_then_write(&self) -> Result<Delivered, Trouble> {
        let (writer, leased) = (&self.here.writer, self.leased);
        let old_key = leased.mirror.as_ref().and_then(|mirror| mirror.key.as_deref());
        let mut found = writer.find(&leased.payload.key).await?;
        if let (Found::Nothing, Some(old_key)) = (&found, old_key)
            && old_key != leased.payload.key
        {
            found = writer.find(old_key).await?;
        }
        match found {
            Found::Nothing => self.create_or_adopt().await,
            Found::One(found) => self.adjust(*found).await,
            Found::Several(copies) => Err(ambiguous(copies).into()),
        }
    }

    /// Updates what differs from what was found; no call if nothing does.
    async fn adjust(&self, found: Listed) -> Result<Delivered, Trouble> {
        let (here, leased) = (self.here, self.leased);
        if leased.mirror.is_none() {
            let shown = |name: &str| found.fields.get(name) == Some(&TargetValue::Bool(true));
            self.agrees_on(shown);
            if leased.uncertain {
                self.differs_on(shown);
            }
        }
        let holds = self.fingerprints(&found);
        let changed: Vec<&PayloadField> = leased.payload.changed(&holds).collect();
        let address = match &found.href {
            Some(path) => {
                here.paths.put(&leased.payload.key, path.clone(), found.pkey.clone());
                Address::Path(path.clone())
            }
            None if here.writer.by_uri() => Address::Key(leased.payload.key.clone()),
            None => return Err(nowhere().into()),
        };
        if !changed.is_empty() {
            self.update(&address, &changed).await?;
        }
        Ok(Delivered::Holds(remember(leased, &holds)))
    }

    fn fingerprints(&self, found: &Listed) -> BTreeMap<String, Fingerprint> {
        let fields = &self.here.writer.schema().fields;
        let shown = found.fields.iter().filter_map(|(name, value)| {
            let kind = &fields.get(name)?.kind;
            Some((name.to_string(), self.here.key.fingerprint(&canonical(value, kind))))
        });
        let mut holds: BTreeMap<String, Fingerprint> = shown.collect();
        // Where a set link leads, an answer does not show; what Campaign was
        // last told holds, unless an attempt since then had no answer.
        if let Some(mirror) = self.leased.mirror.as_ref().filter(|_| !self.leased.uncertain) {
            for (name, told) in &mirror.fields {
                let kind = fields.get(name.as_str()).map(|field| &field.kind);
                if matches!(kind, Some(FieldType::Link { .. })) {
                    holds.entry(name.clone()).or_insert(*told);
                }
            }
        }
        holds
    }

    async fn create(&self) -> Result<Delivered, Trouble> {
        let payload = &self.leased.payload;
        let names = self.opt_outs_of_new();
        let opt_outs: Vec<PayloadField> = names.iter().map(opted_out).collect();
        let all: Vec<&PayloadField> = payload.fields.iter().chain(&opt_outs).collect();
        if let Some(created) = self.send(Call::Create, &all).await?
            && let Some(path) = created.path
        {
            self.here.paths.put(&self.leased.payload.key, path, created.pkey);
        }
        self.agrees_on(|_| true);
        Ok(Delivered::Made)
    }

    async fn update(&self, address: &Address, changed: &[&PayloadField]) -> Result<(), Trouble> {
        // Through its own key in the URI a record's key cannot be changed, and
        // need not be: it was found by it.
        let key = self.here.writer.key().as_str();
        let by_key = matches!(address, Address::Key(_));
        let fields: Vec<&PayloadField> =
            changed.iter().copied().filter(|field| !by_key || *field.name != *key).collect();
        if fields.is_empty() {
            return Ok(());
        }
        self.send(Call::Update(address), &fields).await.map(drop).inspect_err(|trouble| {
            if matches!(trouble, Trouble::Failed(_)) && !trouble.is(Outcome::BadRecord) {
                self.here.paths.forget(&self.leased.payload.key);
            }
        })
    }

    /// The flags with which a profile is made: Dynamics' and those that are kept.
    fn opt_outs_of_new(&self) -> Vec<Arc<str>> {
        let kept = self.here.parting.iter().flat_map(|it| it.of_new(self.leased));
        without_twins(self.said_in_dynamics().into_iter().chain(kept))
    }
}

/// A flag that is set when a record is made, and in no other call.
fn opted_out(name: &Arc<str>) -> PayloadField {
    PayloadField {
        name: name.clone(),
        json: RawValue::TRUE.to_owned(),
        fingerprint: UNKNOWN,
        updates: false,
    }
}

pub(super) fn nowhere() -> Failure {
    Failure::garbled(System::Campaign, "a record came without PKey and link", None)
}

/// What Campaign holds, if it was told all of this already.
fn said_already(leased: &Leased) -> Option<Mirror> {
    let mirror = leased.mirror.as_ref().filter(|_| !leased.uncertain)?;
    let nothing_new = leased.payload.changed(&mirror.fields).next().is_none();
    nothing_new.then(|| remember(leased, &mirror.fields))
}

fn unseen() -> Failure {
    let said = "Campaign says that a record has this record's key already, and shows none";
    Failure::new(System::Campaign, Outcome::ServerError, said)
}

pub(super) fn ambiguous(copies: usize) -> Failure {
    Failure::new(
        System::Campaign,
        Outcome::BadRecord,
        &format!("{copies} records of Campaign have this record's key; remove all but one"),
    )
}

/// What the mirror shall remember after a successful write over `before`.
fn remember(leased: &Leased, before: &BTreeMap<String, Fingerprint>) -> Mirror {
    let mut fields = before.clone();
    for field in &leased.payload.fields {
        let kept = before.contains_key(&*field.name) && !field.updates && !leased.payload.initial;
        if !kept {
            fields.insert(field.name.to_string(), field.fingerprint);
        }
    }
    Mirror {
        key: leased.own_key().map(str::to_owned),
        state: MirrorState::Present,
        fields,
        version: leased.version,
        seen: leased.seen,
    }
}
