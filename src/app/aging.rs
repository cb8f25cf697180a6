//! Cursors that grow old: told before their source forgets what comes after
//! them, also where their flow does not run at all.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::App;
use crate::app::report_read::{Cursor, cursors};
use crate::store::{Store, StoreError};
use crate::telemetry::CursorAging;

/// Which cursors were told of, by their names. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<BTreeSet<String>>>);

impl Told {
    /// Of these the old ones that were not told of since they were young.
    fn news(&self, cursors: Vec<Cursor>) -> Vec<Cursor> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |cursor: &Cursor| is_old(cursor.age_seconds, cursor.retention_seconds);
        let (old, young): (Vec<_>, Vec<_>) = cursors.into_iter().partition(old);
        for cursor in young {
            told.remove(&cursor.name());
        }
        old.into_iter().filter(|cursor| told.insert(cursor.name())).collect()
    }
}

/// Past half of the retention there is still time for a person to act. 0: the
/// source says that it keeps nothing, and no cursor is ever young.
fn is_old(age_seconds: u64, retention_seconds: u64) -> bool {
    retention_seconds > 0 && age_seconds.saturating_mul(2) > retention_seconds
}

impl App {
    /// Looks at the cursors of all flows that are configured. `retention_days`
    /// is what Dynamics said just now, if it did. Gives how many were told of.
    pub(crate) async fn watch_cursors(
        &self,
        store: &Store,
        retention_days: Option<u32>,
    ) -> Result<usize, StoreError> {
        let (config, now) = (self.config.clone(), self.clock.now());
        let found = store
            .call(move |work| {
                if let Some(days) = retention_days {
                    work.set_retention_days(days)?;
                }
                cursors(work, &config, now)
            })
            .await?;
        let news = self.lasting.aging.news(found);
        let told = news.len();
        for cursor in news {
            let Cursor { flow, table, age_seconds, retention_seconds } = cursor;
            CursorAging { flow, table, age_seconds, retention_seconds }.emit();
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::model::{Flow, TableName};
    use crate::store::{Checkpoint, Mode, Position};

    #[test]
    fn a_cursor_is_old_past_half_of_what_is_kept() {
        let cases =
            [(0, 0, false), (99, 0, false), (50, 100, false), (51, 100, true), (900, 100, true)];
        for (age, retention, old) in cases {
            assert_eq!(is_old(age, retention), old, "{age} of {retention}");
        }
    }

    #[test]
    fn an_old_cursor_is_told_of_once_until_it_was_young_again() {
        let told = Told::default();
        let at = |age_seconds| {
            let (flow, table) = (Flow::Ingress, Some(TableName::contact()));
            told.news(vec![Cursor { flow, table, age_seconds, retention_seconds: 100 }]).len()
        };
        assert_eq!([10, 60, 70, 80].map(at), [0, 1, 0, 0]);
        assert_eq!([0, 60, 70].map(at), [0, 1, 0]);
    }

    #[tokio::test]
    async fn the_cursor_of_a_flow_that_does_not_run_is_watched() {
        let place = tempfile::tempdir().unwrap();
        let began: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Clock::simulated(began);
        let store = Store::open(&place.path().join("s.db"), Mode::Durable, &clock).await.unwrap();
        let app = App::planned(&[(Flow::Ingress, "0 0 0 1 1 *", "UTC")], "0s", &clock);
        let token = |days: i64| {
            let obtained = began - jiff::SignedDuration::from_hours(24 * days);
            let (link, within) = ("/delta".to_owned(), false);
            let position = Position::Delta { link, obtained, within };
            let checkpoint = Checkpoint { position, generation: 1, mapping: "m".to_owned() };
            store.call(move |work| work.set_checkpoint(&TableName::contact(), &checkpoint))
        };
        token(3).await.unwrap();
        // Where Dynamics does not say, it keeps seven days.
        assert_eq!(app.watch_cursors(&store, None).await.unwrap(), 0);
        token(4).await.unwrap();
        assert_eq!(app.watch_cursors(&store, Some(30)).await.unwrap(), 0);
        assert_eq!(app.watch_cursors(&store, Some(7)).await.unwrap(), 1);
        assert_eq!(app.watch_cursors(&store, None).await.unwrap(), 0);
        store.close().await;
    }
}
