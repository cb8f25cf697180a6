//! Pauses, rate and concurrency, in simulated time.

use std::sync::Arc;
use std::time::Duration;

use super::{Gate, Limits};
use crate::clock::Clock;

fn gate(max_in_flight: usize, count: u32, window: u64) -> Arc<Gate> {
    let limits = Limits { max_in_flight, window: (count, Duration::from_secs(window)) };
    Arc::new(Gate::new(Clock::seeded(3), limits))
}

#[tokio::test(start_paused = true)]
async fn no_window_ever_holds_more_requests_than_configured() {
    let clock = Clock::seeded(1);
    let gate = gate(16, 100, 10);
    let start = clock.monotonic();
    let mut sent = Vec::new();
    for _ in 0..1000 {
        let mut place = gate.enter().await;
        gate.depart(&mut place).await;
        sent.push(clock.monotonic().since(start));
        clock.sleep(Duration::from_millis(7)).await;
    }
    for (index, at) in sent.iter().enumerate().skip(100) {
        assert!(*at >= sent[index - 100] + Duration::from_secs(10), "request {index} at {at:?}");
    }
    assert!(sent[999] < Duration::from_secs(115), "the bound is used: {:?}", sent[999]);
}

#[tokio::test(start_paused = true)]
async fn concurrency_grows_by_one_and_halves_once_per_bad_moment() {
    let gate = gate(6, 1_000_000, 1);
    assert_eq!(gate.load(), (0, 4));
    for _ in 0..100 {
        let mut places = Vec::new();
        for _ in 0..gate.load().1 {
            let mut place = gate.enter().await;
            gate.depart(&mut place).await;
            places.push(place);
        }
        for _ in &places {
            gate.succeeded();
        }
    }
    assert_eq!(gate.load(), (0, 6), "never above the bound");
    let mut places = Vec::new();
    for _ in 0..6 {
        let mut place = gate.enter().await;
        gate.depart(&mut place).await;
        places.push(place);
    }
    for place in &places {
        gate.struggled(place);
    }
    assert_eq!(gate.load(), (6, 3), "six failures together halve once");
    drop(places);
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(gate.enter().await);
    }
    assert!(futures_util::FutureExt::now_or_never(gate.enter()).is_none(), "the fourth waits");
    drop(places);
    for _ in 0..10 {
        let mut place = gate.enter().await;
        gate.depart(&mut place).await;
        gate.struggled(&place);
    }
    assert_eq!(gate.load(), (0, 1), "never below one");
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_for_all_and_is_new_once() {
    let clock = Clock::seeded(1);
    let gate = gate(16, 1_000_000, 1);
    let mut first = gate.enter().await;
    gate.depart(&mut first).await;
    let mut second = gate.enter().await;
    gate.depart(&mut second).await;
    let start = clock.monotonic();
    assert_eq!(
        gate.throttled(Some(&first), Some(Duration::from_secs(30))),
        (Duration::from_secs(30), true)
    );
    assert_eq!(
        gate.throttled(Some(&second), Some(Duration::from_secs(10))),
        (Duration::from_secs(30), false)
    );
    assert_eq!(
        gate.throttled(Some(&second), Some(Duration::from_mins(1))),
        (Duration::from_mins(1), false)
    );
    drop(second);
    let mut third = gate.enter().await;
    gate.depart(&mut third).await;
    gate.depart(&mut first).await;
    assert!(clock.monotonic().since(start) >= Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn pauses_without_a_named_length_grow_and_are_bounded() {
    let gate = gate(16, 1_000_000, 1);
    let mut waits = Vec::new();
    for _ in 0..14 {
        let mut place = gate.enter().await;
        gate.depart(&mut place).await;
        waits.push(gate.throttled(Some(&place), None).0);
    }
    assert!(waits[0] <= Duration::from_secs(1) && waits[0] >= Duration::from_millis(500));
    assert!(waits[5] > Duration::from_secs(15));
    assert!(waits.iter().all(|wait| *wait <= Duration::from_mins(5)));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_leaves_no_place_taken() {
    let gate = gate(1, 1_000_000, 1);
    let held = gate.enter().await;
    assert!(futures_util::FutureExt::now_or_never(gate.enter()).is_none());
    drop(held);
    assert!(futures_util::FutureExt::now_or_never(gate.enter()).is_some());
    assert_eq!(gate.load(), (0, 1));
}
