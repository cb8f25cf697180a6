//! Where records are in Campaign, as far as this process has been told: saves
//! the look-up before an update or a link. Never stored: a path holds a `PKey`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Places that are kept; the oldest go first.
const LIMIT: usize = 20_000;

/// Where one record is.
#[derive(Clone, Debug, Default)]
struct Place {
    path: String,
    pkey: Option<String>,
}

/// A bounded map from key to place.
#[derive(Debug, Default)]
pub(crate) struct Paths(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    places: HashMap<String, Place>,
    order: VecDeque<String>,
}

impl Paths {
    /// The path of the record with this key.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.lock().places.get(key).map(|place| place.path.clone())
    }

    /// The `PKey` of the record with this key.
    pub(crate) fn pkey(&self, key: &str) -> Option<String> {
        self.lock().places.get(key).and_then(|place| place.pkey.clone())
    }

    /// Remembers a place.
    pub(crate) fn put(&self, key: &str, path: String, pkey: Option<String>) {
        let mut inner = self.lock();
        if inner.places.insert(key.to_owned(), Place { path, pkey }).is_none() {
            inner.order.push_back(key.to_owned());
        }
        while inner.order.len() > LIMIT {
            if let Some(oldest) = inner.order.pop_front() {
                inner.places.remove(&oldest);
            }
        }
    }

    /// Forgets a place that led nowhere.
    pub(crate) fn forget(&self, key: &str) {
        let mut inner = self.lock();
        if inner.places.remove(key).is_some() {
            inner.order.retain(|known| known != key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_path_goes_when_there_are_too_many() {
        let paths = Paths::default();
        for n in 0..=LIMIT {
            paths.put(&n.to_string(), "x".into(), None);
        }
        assert_eq!(paths.get("0"), None);
        assert!(paths.get("1").is_some());
        paths.forget("1");
        assert_eq!(paths.get("1"), None);
    }
}
