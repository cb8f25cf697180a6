//! Planned crashes for tests: `CDSYNC_CRASH=commit:3` ends the process without
//! any clean-up at the third commit, `commit:3:hang` lets that thread stand
//! still for ever, `commit:3:panic` is a bug there. Only in debug builds; a
//! release build has no such code. In simulation a crash is planned per thread,
//! and nothing of the program gets anything done after it.

/// A place where a test may let the process die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Point {
    /// All statements of a transaction are done, COMMIT is not.
    Commit,
    /// COMMIT is done, nobody has been told.
    Committed,
    /// A request is about to go out.
    Request,
    /// A request was answered, nobody has seen the answer.
    Answered,
    /// A pass is about to be written down.
    Run,
    /// One statement of a migration is done, the others or COMMIT are not.
    Migrating,
}

/// What is planned, and at which passage of which place.
#[cfg(debug_assertions)]
struct Plan {
    point: Point,
    number: u64,
    how: How,
}

#[cfg(debug_assertions)]
enum How {
    Crash,
    Hang,
    Panic,
}

#[cfg(debug_assertions)]
impl Plan {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let point = match parts.next()? {
            "commit" => Point::Commit,
            "committed" => Point::Committed,
            "request" => Point::Request,
            "answered" => Point::Answered,
            "run" => Point::Run,
            "migrating" => Point::Migrating,
            _ => return None,
        };
        let number = parts.next()?.parse().ok()?;
        let how = match parts.next() {
            None => How::Crash,
            Some("hang") => How::Hang,
            Some("panic") => How::Panic,
            Some(_) => return None,
        };
        Some(Self { point, number, how })
    }

    #[expect(clippy::panic, reason = "planned by a test")]
    fn carry_out(&self) {
        match self.how {
            How::Crash => std::process::abort(),
            How::Hang => loop {
                std::thread::park();
            },
            How::Panic => panic!("planned"),
        }
    }
}

/// Ends the process here if the environment planned it.
#[cfg(debug_assertions)]
pub(crate) fn hit(point: Point) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);

    #[cfg(test)]
    simulated::hit(point);
    let plan = PLAN.get_or_init(|| Plan::parse(&std::env::var("CDSYNC_CRASH").ok()?));
    if let Some(plan) = plan
        && plan.point == point
        && COUNT.fetch_add(1, Ordering::Relaxed) + 1 == plan.number
    {
        plan.carry_out();
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

/// Whether a simulated crash has happened: nothing may last after it.
#[cfg(not(test))]
pub(crate) fn is_dead() -> bool {
    false
}

#[cfg(test)]
pub(crate) use simulated::{die, is_dead, plan};

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

    /// The program dies here and now.
    pub(crate) fn die() {
        DEAD.set(true);
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
