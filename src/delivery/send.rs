//! One record: which calls it takes to make Campaign hold what was decided.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use crate::campaign::{Address, Failure, Found, Listed, Outcome, Writer};
use crate::http::System;
use crate::mapping::canonical;
use crate::store::{Action, Fingerprint, Leased, Mirror, MirrorState, PayloadField, SealKey};

use super::paths::Paths;

/// Where the records of one table go.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) writer: Writer,
    pub(crate) paths: Arc<Paths>,
    pub(crate) key: SealKey,
}

/// What Campaign holds now.
#[derive(Clone, Debug)]
pub(crate) enum Delivered {
    /// All that the decision says, in a record that was made for it.
    Created,
    /// The record, as the mirror shall remember it.
    Holds(Mirror),
    /// The same, and no call was needed: an earlier decision had said it all.
    AsItWas(Mirror),
    /// Nothing: deleted, or not there.
    Gone,
}

impl Destination {
    /// Carries out a decision.
    ///
    /// Boxed with one named lifetime: the compiler cannot see through the
    /// borrows of the inner calls that their future may move between threads.
    pub(crate) fn deliver<'a>(
        &'a self,
        leased: &'a Leased,
    ) -> Pin<Box<dyn Future<Output = Result<Delivered, Failure>> + Send + 'a>> {
        Box::pin(async move {
            match leased.action {
                Action::Write => match said_already(leased) {
                    Some(mirror) => Ok(Delivered::AsItWas(mirror)),
                    None => self.write(leased).await,
                },
                Action::Delete => self.delete(leased).await.map(|()| Delivered::Gone),
            }
        })
    }

    async fn write(&self, leased: &Leased) -> Result<Delivered, Failure> {
        if leased.uncertain {
            return self.look_then_write(leased).await;
        }
        let Some(mirror) = &leased.mirror else { return self.create_or_adopt(leased).await };
        let changed: Vec<&PayloadField> = leased.payload.changed(&mirror.fields).collect();
        let known_key = mirror.key.as_deref().unwrap_or(&leased.payload.key);
        let moved = known_key != leased.payload.key;
        let address = match self.paths.get(known_key) {
            Some(path) => Address::Path(path),
            None if self.writer.by_uri() && !moved => Address::Key(known_key.to_owned()),
            None => return self.look_then_write(leased).await,
        };
        let told = match self.update(leased, &address, &changed).await {
            Err(failure) if failure.outcome == Outcome::Missing => {
                // Deleted in Campaign, or the path has gone stale.
                self.paths.forget(known_key);
                return match address {
                    Address::Path(_) => self.look_then_write(leased).await,
                    Address::Key(_) => self.create_or_adopt(leased).await,
                };
            }
            told => told,
        };
        told.map(|()| Delivered::Holds(remember(leased, &mirror.fields)))
    }

    /// A record that nobody knows yet: one call. If its key is taken after
    /// all, the record that has it becomes ours.
    async fn create_or_adopt(&self, leased: &Leased) -> Result<Delivered, Failure> {
        match self.create(leased).await {
            Err(failure) if failure.outcome == Outcome::DuplicateKey => {
                match self.writer.find(&leased.payload.key).await? {
                    Found::One(found) => self.adjust(leased, *found).await,
                    // Another unique field is taken: nothing we could mend.
                    Found::Nothing => Err(failure),
                    Found::Several(copies) => Err(ambiguous(copies)),
                }
            }
            created => created.map(|()| Delivered::Created),
        }
    }

    /// Looks the key up first, because an earlier attempt may have been
    /// applied, or because only Campaign knows where the record is.
    async fn look_then_write(&self, leased: &Leased) -> Result<Delivered, Failure> {
        let old_key = leased.mirror.as_ref().and_then(|mirror| mirror.key.as_deref());
        let mut found = self.writer.find(&leased.payload.key).await?;
        if let (Found::Nothing, Some(old_key)) = (&found, old_key)
            && old_key != leased.payload.key
        {
            found = self.writer.find(old_key).await?;
        }
        match found {
            Found::Nothing => self.create_or_adopt(leased).await,
            Found::One(found) => self.adjust(leased, *found).await,
            Found::Several(copies) => Err(ambiguous(copies)),
        }
    }

    /// Updates what differs from what was found; no call if nothing does.
    async fn adjust(&self, leased: &Leased, found: Listed) -> Result<Delivered, Failure> {
        let holds = self.fingerprints(&found);
        let changed: Vec<&PayloadField> = leased.payload.changed(&holds).collect();
        let address = match &found.href {
            Some(path) => {
                self.paths.put(&leased.payload.key, path.clone());
                Address::Path(path.clone())
            }
            None if self.writer.by_uri() => Address::Key(leased.payload.key.clone()),
            None => {
                return Err(Failure::garbled(
                    System::Campaign,
                    "a record came without PKey and link",
                    None,
                ));
            }
        };
        if !changed.is_empty() {
            self.update(leased, &address, &changed).await?;
        }
        Ok(Delivered::Holds(remember(leased, &holds)))
    }

    fn fingerprints(&self, found: &Listed) -> BTreeMap<String, Fingerprint> {
        let fields = &self.writer.schema().fields;
        let known = found.fields.iter().filter_map(|(name, value)| {
            let kind = &fields.get(name)?.kind;
            Some((name.to_string(), self.key.fingerprint(&canonical(value, kind))))
        });
        known.collect()
    }

    async fn create(&self, leased: &Leased) -> Result<(), Failure> {
        let all: Vec<&PayloadField> = leased.payload.fields.iter().collect();
        let path = self.writer.create(body(&all)).await?;
        if let Some(path) = path {
            self.paths.put(&leased.payload.key, path);
        }
        Ok(())
    }

    async fn update(
        &self,
        leased: &Leased,
        address: &Address,
        changed: &[&PayloadField],
    ) -> Result<(), Failure> {
        // Through its own key in the URI a record's key cannot be changed, and
        // need not be: it was found by it.
        let key = self.writer.key().as_str();
        let by_key = matches!(address, Address::Key(_));
        let fields: Vec<&PayloadField> =
            changed.iter().copied().filter(|field| !by_key || *field.name != *key).collect();
        if fields.is_empty() {
            return Ok(());
        }
        self.writer.update(address, body(&fields)).await.inspect_err(|failure| {
            if failure.outcome != Outcome::BadRecord {
                self.paths.forget(&leased.payload.key);
            }
        })
    }

    async fn delete(&self, leased: &Leased) -> Result<(), Failure> {
        let key = &leased.payload.key;
        let address = match self.paths.get(key) {
            Some(path) => Address::Path(path),
            None if self.writer.by_uri() => Address::Key(key.clone()),
            None => match self.writer.find(key).await? {
                Found::Nothing => return Ok(()),
                Found::One(found) => match found.href {
                    Some(path) => Address::Path(path),
                    None => {
                        return Err(Failure::garbled(
                            System::Campaign,
                            "a record came without PKey and link",
                            None,
                        ));
                    }
                },
                Found::Several(copies) => return Err(ambiguous(copies)),
            },
        };
        self.paths.forget(key);
        self.writer.delete(&address).await
    }
}

/// What Campaign holds, if it was told all of this already.
fn said_already(leased: &Leased) -> Option<Mirror> {
    let mirror = leased.mirror.as_ref().filter(|_| !leased.uncertain)?;
    let nothing_new = leased.payload.changed(&mirror.fields).next().is_none();
    nothing_new.then(|| remember(leased, &mirror.fields))
}

fn ambiguous(copies: usize) -> Failure {
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

/// The JSON object of these fields.
fn body(fields: &[&PayloadField]) -> Vec<u8> {
    let mut json = Vec::with_capacity(fields.len() * 40 + 2);
    json.push(b'{');
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        // Writing text into memory cannot fail.
        let _ = serde_json::to_writer(&mut json, &*field.name);
        json.push(b':');
        json.extend_from_slice(field.json.get().as_bytes());
    }
    json.push(b'}');
    json
}
