//! How many requests of a UTC day a system may be sent, and how many it was.
//!
//! Owns: the count of the day, and the decision whether one more may go. The
//! count lasts in a [`Book`] that somebody hands in: it is written ahead, in
//! steps, so that a crash counts too many and never too few. Must not know
//! what a request is for, beyond its class.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::failure::{Failure, Outcome, System};
use crate::clock::Clock;
use crate::telemetry::{BudgetAvailable, BudgetExhausted};

/// Seconds of a UTC day.
const DAY: i64 = 86_400;

/// Counts are written ahead by a hundredth of the budget, within this, in
/// requests.
const STEP: (u64, u64) = (1, 500);

/// Most requests of a UTC day, and how many of them only urgent ones may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayLimit {
    /// All of them.
    pub(crate) per_day: u64,
    /// What is kept for urgent ones; at most `per_day`.
    pub(crate) kept: u64,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Leaves what is kept alone.
    Ordinary,
    /// May use the whole budget.
    Urgent,
}

/// What of a day's budget is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closed {
    /// Nothing.
    #[default]
    Nothing,
    /// Ordinary requests wait for the next day; urgent ones go on.
    Ordinary,
    /// All wait.
    All,
}

impl Closed {
    /// The word in outputs and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Ordinary => "ordinary",
            Self::All => "all",
        }
    }

    /// Whether requests of this class wait.
    pub(crate) fn stops(self, class: Class) -> bool {
        match class {
            Class::Ordinary => self >= Self::Ordinary,
            Class::Urgent => self == Self::All,
        }
    }
}

impl DayLimit {
    fn cap(self, class: Class) -> u64 {
        match class {
            Class::Ordinary => self.per_day.saturating_sub(self.kept),
            Class::Urgent => self.per_day,
        }
    }

    fn step(self) -> u64 {
        (self.per_day / 100).clamp(STEP.0, STEP.1)
    }
}

/// What is closed after so many requests.
pub(crate) fn closed_at(limit: DayLimit, used: u64) -> Closed {
    if used >= limit.cap(Class::Urgent) {
        Closed::All
    } else if used >= limit.cap(Class::Ordinary) {
        Closed::Ordinary
    } else {
        Closed::Nothing
    }
}

/// What a [`Book`] is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// What was counted of this day.
    Read(i64),
    /// So many count for this day from now on.
    Write(i64, u64),
}

/// Where counts of a system last: gives what counts after the entry. An error
/// is in words.
pub(crate) type Book =
    Arc<dyn Fn(System, Entry) -> BoxFuture<'static, Result<u64, String>> + Send + Sync>;

/// The requests of a system, day by day.
pub(crate) struct Meter {
    system: System,
    clock: Clock,
    book: Mutex<Option<Book>>,
    /// Held by whoever writes into the book.
    turn: tokio::sync::Mutex<()>,
    count: Mutex<Count>,
}

/// The present day.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Days since 1970-01-01.
    day: i64,
    /// Whether what the book knows of the day is in `used`.
    read: bool,
    used: u64,
    /// What the book says; never less than `used` where there is a limit.
    booked: u64,
    closed: Closed,
    /// By which limit it was closed.
    by: Option<DayLimit>,
}

/// What was counted of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    /// Days since 1970-01-01 UTC.
    pub(crate) day: i64,
    /// Requests, those of a batch one by one.
    pub(crate) requests: u64,
    /// What is closed for the rest of it.
    pub(crate) closed: Closed,
}

enum Taken {
    Yes,
    No(Closed),
    /// The book must be read first.
    Read(i64),
    /// The book must say so many first.
    Write(i64, u64),
}

/// When a day is over.
pub(crate) fn end_of(day: i64) -> Timestamp {
    Timestamp::from_second(day.saturating_add(1).saturating_mul(DAY)).unwrap_or(Timestamp::MAX)
}

/// The day of a time, in days since 1970-01-01 UTC.
pub(crate) fn day_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(DAY)
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("system", &self.system).finish_non_exhaustive()
    }
}

impl Meter {
    /// A count that begins at zero, and lasts once it has a book.
    pub(crate) fn new(system: System, clock: Clock) -> Self {
        Self {
            system,
            clock,
            book: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
            count: Mutex::default(),
        }
    }

    /// Lets the count last, from now on in this book.
    pub(crate) fn keep_in(&self, book: Book) {
        *self.book.lock().unwrap_or_else(PoisonError::into_inner) = Some(book);
    }

    fn book(&self) -> Option<Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was counted of this day.
    pub(crate) fn used(&self) -> Used {
        let count = self.today();
        Used { day: count.day, requests: count.used, closed: count.closed }
    }

    /// The same; tells if what was closed is open again by now. The budget in
    /// force is `limit`.
    pub(crate) fn look(&self, limit: Option<DayLimit>) -> Used {
        self.open_where(&mut self.today(), limit);
        self.used()
    }

    /// How many more requests of this class may go out today; none: as many as
    /// there are.
    pub(crate) fn left(&self, limit: Option<DayLimit>, class: Class) -> Option<u64> {
        let limit = limit?;
        let used = self.look(Some(limit));
        let is_open = !used.closed.stops(class);
        Some(limit.cap(class).saturating_sub(used.requests))
            .map(|left| if is_open { left } else { 0 })
    }

    /// Counts a request that is about to go out.
    ///
    /// # Errors
    /// [`Outcome::Spent`], where the budget of its class is used up, or where
    /// the count cannot be made to last.
    pub(super) async fn take(
        &self,
        limit: Option<DayLimit>,
        class: Class,
        weight: u64,
    ) -> Result<(), Failure> {
        loop {
            match self.try_take(limit, class, weight) {
                Taken::Yes => return Ok(()),
                Taken::No(closed) => return Err(self.spent(limit, closed)),
                Taken::Read(day) => self.read(day).await.map_err(|why| self.unbooked(&why))?,
                Taken::Write(day, mark) => {
                    self.write(day, mark).await.map_err(|why| self.unbooked(&why))?;
                }
            }
        }
    }

    fn try_take(&self, limit: Option<DayLimit>, class: Class, weight: u64) -> Taken {
        let mut count = self.today();
        if !count.read && self.book().is_some() {
            return Taken::Read(count.day);
        }
        let after = count.used.saturating_add(weight);
        let Some(limit) = limit else {
            self.open_where(&mut count, None);
            count.used = after;
            return Taken::Yes;
        };
        self.open_where(&mut count, Some(limit));
        // What was refused once waits for the day: a smaller request that would
        // still fit must not open and close it again and again.
        if count.closed.stops(class) {
            return Taken::No(count.closed);
        }
        if after > limit.cap(class) {
            let closed = match class {
                Class::Ordinary if limit.kept > 0 => Closed::Ordinary,
                Class::Ordinary | Class::Urgent => Closed::All,
            };
            // A batch for which others have left too little: a smaller one may fit.
            if weight > 1 && count.used < limit.cap(class) {
                return Taken::No(closed);
            }
            (count.closed, count.by) = (closed, Some(limit));
            let until = end_of(count.day).to_string();
            let used = count.used;
            drop(count);
            BudgetExhausted {
                system: self.system.as_str(),
                closed: closed.as_str(),
                used,
                requests_per_day: limit.per_day,
                until,
            }
            .emit();
            return Taken::No(closed);
        }
        if after > count.booked && self.book().is_some() {
            return Taken::Write(count.day, (after + limit.step()).min(limit.per_day));
        }
        count.used = after;
        Taken::Yes
    }

    /// The present day; a new one begins at zero, and is told of.
    fn today(&self) -> MutexGuard<'_, Count> {
        let day = day_of(self.clock.now());
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.day != day {
            let was = std::mem::replace(&mut *count, Count { day, ..Count::default() });
            if was.closed != Closed::Nothing {
                BudgetAvailable { system: self.system.as_str() }.emit();
            }
        }
        count
    }

    /// Opens what another limit had closed.
    fn open_where(&self, count: &mut Count, limit: Option<DayLimit>) {
        if count.closed != Closed::Nothing && count.by != limit {
            (count.closed, count.by) = (Closed::Nothing, None);
            BudgetAvailable { system: self.system.as_str() }.emit();
        }
    }

    async fn read(&self, day: i64) -> Result<(), String> {
        let Some(book) = self.book() else { return Ok(()) };
        let _turn = self.turn.lock().await;
        let booked = book(self.system, Entry::Read(day)).await?;
        let mut count = self.today();
        if count.day == day && !count.read {
            count.used = count.used.saturating_add(booked);
            (count.read, count.booked) = (true, booked);
        }
        Ok(())
    }

    async fn write(&self, day: i64, mark: u64) -> Result<(), String> {
        let Some(book) = self.book() else { return Ok(()) };
        let _turn = self.turn.lock().await;
        if self.today().booked >= mark {
            return Ok(());
        }
        book(self.system, Entry::Write(day, mark)).await?;
        let mut count = self.today();
        if count.day == day {
            count.booked = mark;
        }
        Ok(())
    }

    /// Makes the book say what was counted, no more.
    ///
    /// # Errors
    /// In the words of the book.
    pub(crate) async fn settle(&self) -> Result<(), String> {
        let Some(book) = self.book() else { return Ok(()) };
        if !self.today().read {
            let day = self.today().day;
            self.read(day).await?;
        }
        let _turn = self.turn.lock().await;
        let (day, used) = {
            let mut count = self.today();
            if !count.read || count.booked == count.used {
                return Ok(());
            }
            // From here on nobody counts beyond it without his turn.
            count.booked = count.used;
            (count.day, count.used)
        };
        book(self.system, Entry::Write(day, used)).await.map(drop)
    }

    fn spent(&self, limit: Option<DayLimit>, closed: Closed) -> Failure {
        let per_day = limit.map_or(0, |limit| limit.per_day);
        let until = end_of(day_of(self.clock.now()));
        let what = match closed {
            Closed::Nothing | Closed::Ordinary => "what is not kept for opt-outs is used up",
            Closed::All => "all is used up",
        };
        let text = format!(
            "of the {per_day} requests of a day ([{}] requests_per_day) {what}; it goes on at {until}",
            self.system
        );
        Failure::ours(self.system, Outcome::Spent, text)
    }

    fn unbooked(&self, why: &str) -> Failure {
        let text = format!("the requests of the day cannot be counted: {why}");
        Failure::ours(self.system, Outcome::Spent, text)
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
