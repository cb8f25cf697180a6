//! Links on the wire: a link is written as the parent's `PKey`, which only
//! Campaign knows and which is kept for this process's life only.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::value::RawValue;
use tokio::sync::{Mutex, MutexGuard};

use crate::campaign::{Address, Failure, Found, Outcome};
use crate::http::System;
use crate::store::{Parent, PayloadField};

use super::send::{Destination, Errand, Trouble, nowhere};

/// One look-up of a parent at a time: children of one parent share it.
#[derive(Debug)]
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        /// Enough that few different parents wait for each other.
        const TURNS: usize = 64;
        Self((0..TURNS).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    async fn of(&self, key: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % self.0.len().max(1) as u64).unwrap_or(0);
        match self.0.get(turn) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

/// A call that changes Campaign.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call<'a> {
    /// Makes the record.
    Create,
    /// Changes the one that is there.
    Update(&'a Address),
}

/// A request's body, and whose `PKey`s in it were known before.
struct Body<'a> {
    json: Vec<u8>,
    cached: Vec<(&'a Destination, &'a str)>,
}

impl Errand<'_> {
    /// Sends these fields. A refusal may rest on a `PKey` that is no longer
    /// understood: those that were known are looked up again, once.
    pub(super) async fn send(
        &self,
        call: Call<'_>,
        fields: &[&PayloadField],
    ) -> Result<Option<crate::campaign::Created>, Trouble> {
        let body = self.body(fields).await?;
        let cached = body.cached;
        match self.once(call, body.json).await {
            Err(failure) if !cached.is_empty() && refused(&failure) => {
                for (destination, key) in cached {
                    destination.paths.forget(key);
                }
                let body = self.body(fields).await?;
                Ok(self.once(call, body.json).await?)
            }
            sent => Ok(sent?),
        }
    }

    async fn once(
        &self,
        call: Call<'_>,
        body: Vec<u8>,
    ) -> Result<Option<crate::campaign::Created>, Failure> {
        match call {
            Call::Create => {
                let created = self.here.writer.create(body).await?;
                self.answered(created.request_id.as_ref());
                Ok(Some(created))
            }
            Call::Update(address) => {
                let id = self.here.writer.update(address, body).await?;
                self.answered(id.as_ref());
                Ok(None)
            }
        }
    }

    /// The JSON object of these fields.
    async fn body(&self, fields: &[&PayloadField]) -> Result<Body<'_>, Trouble> {
        let mut body = Body { json: Vec::with_capacity(fields.len() * 40 + 2), cached: Vec::new() };
        body.json.push(b'{');
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                body.json.push(b',');
            }
            // Writing text into memory cannot fail.
            let _ = serde_json::to_writer(&mut body.json, &*field.name);
            body.json.push(b':');
            let parent = self.leased.parents.iter().find(|it| *it.link.field == *field.name);
            match parent {
                None => body.json.extend_from_slice(field.json.get().as_bytes()),
                Some(parent) => {
                    let value = self.link(parent, &mut body.cached).await?;
                    body.json.extend_from_slice(value.get().as_bytes());
                }
            }
        }
        body.json.push(b'}');
        Ok(body)
    }

    /// What the field of a link holds.
    async fn link<'e>(
        &'e self,
        parent: &'e Parent,
        cached: &mut Vec<(&'e Destination, &'e str)>,
    ) -> Result<Box<RawValue>, Trouble> {
        let place = (parent.link.table.clone(), parent.link.record);
        let Some(key) = &parent.key else { return Err(Trouble::Orphaned(vec![place])) };
        if parent.link.by_key {
            return Ok(raw(&serde_json::Value::from(key.as_str())));
        }
        let Some(there) = self.routes.0.get(&parent.link.table) else {
            return Err(Trouble::Unreachable);
        };
        if let Some(pkey) = there.paths.pkey(key) {
            cached.push((there, key));
            return Ok(link(&pkey));
        }
        let _turn = there.turns.of(key).await;
        if let Some(pkey) = there.paths.pkey(key) {
            return Ok(link(&pkey));
        }
        match there.writer.find(key).await? {
            Found::Nothing => Err(Trouble::Orphaned(vec![place])),
            Found::Several(copies) => Err(several(copies, parent).into()),
            Found::One(found) => {
                let pkey = found.pkey.ok_or_else(nowhere)?;
                if let Some(path) = found.href {
                    there.paths.put(key, path, Some(pkey.clone()));
                }
                Ok(link(&pkey))
            }
        }
    }
}

/// A link is made by `PKey` only (Campaign sheet 3.7): attributes of the linked
/// record would be ignored without a word.
fn link(pkey: &str) -> Box<RawValue> {
    raw(&serde_json::json!({ "PKey": pkey }))
}

fn raw(value: &serde_json::Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Whether Campaign refused what was sent, and did nothing.
fn refused(failure: &Failure) -> bool {
    matches!(failure.outcome, Outcome::BadRecord | Outcome::Setup | Outcome::Missing)
}

fn several(copies: usize, parent: &Parent) -> Failure {
    Failure::new(
        System::Campaign,
        Outcome::BadRecord,
        &format!(
            "{copies} records of Campaign have the key of the parent that `{}` points to ({} {}); remove all but one",
            parent.link.field, parent.link.table, parent.link.record
        ),
    )
}
