//! In simulation a store's connection outlives the program that used it: to open
//! the file and to prepare all statements anew took a fifth of a life. What a
//! dead program had not committed is rolled back, as it would be at the next start.
//!
//! Owns: the connection of this thread that nobody uses now.

use std::cell::{Cell, RefCell};
use std::path::Path;

use crate::clock::Clock;
use crate::store::connection::Writer;

thread_local! {
    static KEEPS: Cell<bool> = const { Cell::new(false) };
    static KEPT: RefCell<Option<Writer>> = const { RefCell::new(None) };
}

/// Whether connections of this thread are kept from now on. One that is kept is
/// closed.
pub(crate) fn keep_connections(keep: bool) {
    KEEPS.set(keep);
    drop(KEPT.take());
}

/// Makes the kept store one in which nothing was ever written, for another life;
/// false where none is kept.
pub(crate) fn begin_anew(path: &Path) -> bool {
    KEPT.with_borrow_mut(|kept| kept.as_mut().is_some_and(|it| it.begin_anew(path).is_ok()))
}

/// Takes a connection that its program has done with.
pub(super) fn keep(writer: Writer) {
    if KEEPS.get() {
        drop(KEPT.replace(Some(writer)));
    }
}

/// The connection to this file, for another program.
pub(super) fn take(path: &Path, clock: &Clock) -> Option<Writer> {
    KEPT.take()?.for_another(path, clock)
}
