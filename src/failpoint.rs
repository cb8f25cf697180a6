//! Planned crashes for tests: `CDSYNC_CRASH=commit:3` ends the process without
//! any clean-up at the third commit. Only in debug builds; a release build has
//! no such code. In simulation a crash is planned per thread instead, and
//! nothing of the program gets anything done after it.

/// A place where a test may let the process die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// All statements of a transaction are done, COMMIT is not.
    Commit,
    /// COMMIT is done, nobody has been told.
    Committed,
    /// A request is about to go out.
    Request,
    /// A request was answered, nobody has seen the answer.
    Answered,
}

/// Whether a simulated crash has happened: nothing may last after it.
#[cfg(not(test))]
pub(crate) fn is_dead() -> bool {
    false
}

#[cfg(test)]
pub(crate) use simulated::{is_dead, plan};

/// Ends the process here if the environment planned it.
#[cfg(debug_assertions)]
pub(crate) fn hit(point: Point) {
    #[cfg(test)]
    simulated::hit(point);
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PLAN: OnceLock<Option<(Point, u64)>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let plan = PLAN.get_or_init(|| {
        let text = std::env::var("CDSYNC_CRASH").ok()?;
        let (name, number) = text.split_once(':')?;
        let point = match name {
            "commit" => Point::Commit,
            "committed" => Point::Committed,
            "request" => Point::Request,
            "answered" => Point::Answered,
            _ => return None,
        };
        Some((point, number.parse().ok()?))
    });
    if let Some((planned, number)) = plan
        && *planned == point
        && COUNT.fetch_add(1, Ordering::Relaxed) + 1 == *number
    {
        std::process::abort();
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub(crate) fn hit(point: Point) {
    #[cfg(test)]
    simulated::hit(point);
    #[cfg(not(test))]
    let _ = point;
}

/// Crashes of a program that lives in this thread.
#[cfg(test)]
mod simulated {
    use std::cell::Cell;

    use super::Point;

    thread_local! {
        static PLAN: Cell<Option<(Point, u64)>> = const { Cell::new(None) };
        static DEAD: Cell<bool> = const { Cell::new(false) };
    }

    /// The next crash of this thread: at the `n`th passing of a point, from 1. A
    /// program that was dead lives again.
    pub(crate) fn plan(crash: Option<(Point, u64)>) {
        PLAN.set(crash);
        DEAD.set(false);
    }

    /// Whether the planned crash has happened.
    pub(crate) fn is_dead() -> bool {
        DEAD.get()
    }

    pub(super) fn hit(point: Point) {
        if let Some((planned, left)) = PLAN.get()
            && planned == point
        {
            PLAN.set((left > 1).then_some((point, left - 1)));
            DEAD.set(DEAD.get() || left <= 1);
        }
    }
}
