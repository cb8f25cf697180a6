//! Deleting one record: where it is, and whether it is gone.

use crate::campaign::{Address, Failure, Found, Outcome};

use super::send::{Errand, Trouble, ambiguous, nowhere};

impl Errand<'_> {
    pub(super) async fn delete(&self) -> Result<(), Trouble> {
        let (here, key) = (self.here, &self.leased.payload.key);
        let known = match here.paths.get(key) {
            Some(path) => Some(Address::Path(path)),
            None => here.writer.by_uri().then(|| Address::Key(key.clone())),
        };
        let Some(address) = self.address_to_delete(known).await? else { return Ok(()) };
        here.paths.forget(key);
        let ended = match (here.writer.delete(&address).await, &address) {
            (Err(failure), Address::Key(_)) if failure.outcome == Outcome::Missing => {
                Ok(failure.request_id)
            }
            // The path has gone stale, or the record is gone: the key tells which.
            (Err(failure), Address::Path(_)) if failure.outcome == Outcome::Missing => {
                match self.address_to_delete(None).await? {
                    None => Ok(failure.request_id),
                    Some(address) => here.writer.delete(&address).await.map_err(still_shown),
                }
            }
            (ended, Address::Key(_) | Address::Path(_)) => ended,
        };
        self.answered(ended?.as_ref());
        Ok(())
    }

    /// Where the record is that goes. None if it is not there.
    async fn address_to_delete(&self, known: Option<Address>) -> Result<Option<Address>, Trouble> {
        let (here, key) = (self.here, &self.leased.payload.key);
        let parting = here.parting.as_ref().filter(|it| it.looks_first());
        let address = match (known, parting) {
            (Some(address), None) => address,
            (known, _) => match here.writer.find(key).await? {
                Found::Nothing => return Ok(None),
                Found::One(found) => {
                    if let Some(parting) = parting {
                        let kept = parting.keep(self.leased.record, &found).await;
                        kept.map_err(|_| Trouble::Unkept)?;
                    }
                    match (found.href, known) {
                        (Some(path), _) => Address::Path(path),
                        (None, Some(known)) => known,
                        (None, None) => return Err(nowhere().into()),
                    }
                }
                Found::Several(copies) => return Err(ambiguous(copies).into()),
            },
        };
        Ok(Some(address))
    }
}

/// Campaign shows a record, and does not find it where it says that it is: a look
/// later may show it no more.
fn still_shown(failure: Failure) -> Failure {
    if failure.outcome != Outcome::Missing {
        return failure;
    }
    Failure { outcome: Outcome::ServerError, ..failure }
}
