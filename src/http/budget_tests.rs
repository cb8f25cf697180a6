//! The budget of a day: what it lets through, what it keeps, and that its book
//! never says too little.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::{Book, Class, Closed, DayLimit, Entry, Meter, closed_at, day_of, end_of};
use crate::clock::{Clock, Shift};
use crate::http::failure::{Outcome, System};

const LIMIT: Option<DayLimit> = Some(DayLimit { per_day: 10, kept: 3 });

/// What a book was told, and what it says.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(u64, Vec<Entry>)>>);

impl Told {
    fn book(&self) -> Book {
        let told = self.0.clone();
        Arc::new(move |_, entry| {
            let mut told = told.lock().unwrap();
            told.1.push(entry);
            if let Entry::Write(_, count) = entry {
                told.0 = count;
            }
            let says = told.0;
            Box::pin(std::future::ready(Ok(says)))
        })
    }

    fn says(&self) -> u64 {
        self.0.lock().unwrap().0
    }
}

/// A meter whose wall clock can be set.
fn meter() -> (Meter, Shift) {
    let shift = Shift::default();
    (Meter::new(System::Campaign, Clock::seeded(1).shifted(&shift)), shift)
}

async fn takes(meter: &Meter, limit: Option<DayLimit>, class: Class, count: u64) -> u64 {
    let mut taken = 0;
    for _ in 0..count {
        match meter.take(limit, class, 1).await {
            Ok(()) => taken += 1,
            Err(failure) => assert_eq!(failure.outcome, Outcome::Spent),
        }
    }
    taken
}

#[tokio::test]
async fn ordinary_requests_leave_what_is_kept_to_urgent_ones() {
    let (meter, _shift) = meter();
    assert_eq!(takes(&meter, LIMIT, Class::Ordinary, 20).await, 7);
    assert_eq!(meter.used().closed, Closed::Ordinary);
    assert_eq!(takes(&meter, LIMIT, Class::Urgent, 20).await, 3);
    assert_eq!((meter.used().closed, meter.used().requests), (Closed::All, 10));
}

#[tokio::test]
async fn urgent_requests_use_what_is_there_and_close_it_for_all() {
    let (meter, _shift) = meter();
    assert_eq!(takes(&meter, LIMIT, Class::Urgent, 20).await, 10);
    assert_eq!(takes(&meter, LIMIT, Class::Ordinary, 1).await, 0);
}

#[tokio::test]
async fn a_batch_counts_one_by_one_and_one_that_is_too_large_closes_nothing() {
    let (meter, _shift) = meter();
    meter.take(LIMIT, Class::Ordinary, 5).await.unwrap();
    meter.take(LIMIT, Class::Ordinary, 3).await.unwrap_err();
    assert_eq!(meter.used().closed, Closed::Nothing);
    meter.take(LIMIT, Class::Ordinary, 2).await.unwrap();
    // With nothing left, a batch closes as any other.
    meter.take(LIMIT, Class::Ordinary, 2).await.unwrap_err();
    assert_eq!((meter.used().requests, meter.used().closed), (7, Closed::Ordinary));
}

#[tokio::test]
async fn the_next_day_begins_at_zero() {
    let (meter, shift) = meter();
    takes(&meter, LIMIT, Class::Urgent, 20).await;
    shift.set_ms(86_400_000);
    assert_eq!(meter.look(LIMIT).closed, Closed::Nothing);
    assert_eq!(takes(&meter, LIMIT, Class::Ordinary, 20).await, 7);
    let failure = meter.take(LIMIT, Class::Ordinary, 1).await.unwrap_err();
    let tomorrow = end_of(meter.used().day);
    assert!(failure.to_string().contains(&tomorrow.to_string()), "{failure}");
}

#[tokio::test]
async fn another_limit_opens_what_was_closed() {
    let (meter, _shift) = meter();
    takes(&meter, LIMIT, Class::Urgent, 20).await;
    let more = Some(DayLimit { per_day: 12, kept: 0 });
    assert_eq!(meter.look(more).closed, Closed::Nothing);
    assert_eq!(takes(&meter, more, Class::Ordinary, 20).await, 2);
    assert_eq!(takes(&meter, None, Class::Ordinary, 20).await, 20);
    assert_eq!(meter.used().requests, 32);
}

#[tokio::test]
async fn the_book_is_ahead_of_what_was_sent_and_exact_when_settled() {
    let limit = Some(DayLimit { per_day: 1000, kept: 100 });
    let (meter, _shift) = meter();
    let told = Told::default();
    told.0.lock().unwrap().0 = 100;
    meter.keep_in(told.book());
    for sent in 1..=35 {
        meter.take(limit, Class::Ordinary, 1).await.unwrap();
        assert!(told.says() >= 100 + sent, "after {sent}");
        assert_eq!(meter.used().requests, 100 + sent);
    }
    let writes = told.0.lock().unwrap().1.len() - 1;
    assert!(writes <= 4, "{writes} writes for 35 requests");
    meter.settle().await.unwrap();
    assert_eq!(told.says(), 135);
    // What comes after is written ahead again.
    meter.take(limit, Class::Ordinary, 1).await.unwrap();
    assert!(told.says() > 135);
}

#[tokio::test]
async fn a_crash_counts_too_many_and_never_too_few() {
    let told = Told::default();
    let mut sent = 0;
    for _ in 0..6 {
        // Each dies without settling.
        let (meter, _shift) = meter();
        meter.keep_in(told.book());
        sent += takes(&meter, LIMIT, Class::Urgent, 2).await;
    }
    assert!(sent <= 10, "{sent} requests of a budget of 10");
    assert!(told.says() >= sent);
}

#[tokio::test]
async fn together_they_never_send_more_than_the_budget() {
    let (meter, _shift) = meter();
    meter.keep_in(Told::default().book());
    let all = (0..8).map(|_| takes(&meter, LIMIT, Class::Ordinary, 3));
    let taken: u64 = futures_util::future::join_all(all).await.into_iter().sum();
    assert_eq!(taken, 7);
}

#[tokio::test]
async fn a_book_that_fails_lets_nothing_through() {
    let (meter, _shift) = meter();
    meter.keep_in(Arc::new(|_, _| Box::pin(std::future::ready(Err("disk full".to_owned())))));
    let failure = meter.take(LIMIT, Class::Urgent, 1).await.unwrap_err();
    assert!(failure.to_string().contains("disk full"), "{failure}");
}

#[test]
fn what_is_closed_follows_from_the_count() {
    let limit = DayLimit { per_day: 10, kept: 3 };
    let cases = [
        (0, Closed::Nothing),
        (6, Closed::Nothing),
        (7, Closed::Ordinary),
        (9, Closed::Ordinary),
        (10, Closed::All),
        (99, Closed::All),
    ];
    for (used, closed) in cases {
        assert_eq!(closed_at(limit, used), closed, "{used}");
    }
}

#[test]
fn a_day_is_one_of_utc() {
    let time: Timestamp = "2026-11-21T23:59:59.9Z".parse().unwrap();
    assert_eq!(end_of(day_of(time)).to_string(), "2026-11-22T00:00:00Z");
    let first: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    assert_eq!(day_of(first), day_of(time) + 1);
}

#[tokio::test]
async fn what_is_left_of_a_day_is_known_by_class() {
    let (meter, shift) = meter();
    assert_eq!(meter.left(None, Class::Ordinary), None);
    meter.take(LIMIT, Class::Ordinary, 5).await.unwrap();
    let left = || [Class::Ordinary, Class::Urgent].map(|class| meter.left(LIMIT, class));
    assert_eq!(left(), [Some(2), Some(5)]);
    meter.take(LIMIT, Class::Ordinary, 2).await.unwrap();
    meter.take(LIMIT, Class::Ordinary, 1).await.unwrap_err();
    assert_eq!(left(), [Some(0), Some(3)]);
    shift.set_ms(86_400_000);
    assert_eq!(left(), [Some(7), Some(10)]);
}
