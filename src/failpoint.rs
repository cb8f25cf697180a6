//! Planned crashes for tests: `CDSYNC_CRASH=commit:3` ends the process without
//! any clean-up at the third commit. Only in debug builds; a release build has
//! no such code.

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

/// Ends the process here if the environment planned it.
#[cfg(debug_assertions)]
pub(crate) fn hit(point: Point) {
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
pub(crate) fn hit(_point: Point) {}
