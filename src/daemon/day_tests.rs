//! A day of the loop in simulated time: the real loop and its timers, with
//! passes that only take their time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use crate::app::{App, PassEnd, PassReport};
use crate::clock::Clock;
use crate::daemon::Reload;
use crate::daemon::desk::{Event, Shared};
use crate::daemon::notify::Notify;
use crate::daemon::passes::{Acts, Board};
use crate::daemon::vitals::Vitals;
use crate::daemon::work::{Timers, Worker};
use crate::model::Flow;
use crate::store::Counts;

/// When a pass began, in whole seconds.
type Runs = Vec<(Flow, Timestamp)>;

/// Noon before the night in which Berlin has no half past two.
const NOON: &str = "2026-03-28T12:00:00Z";

/// `ingress` every ten minutes, `egress` at half past two in Berlin, `optout`
/// each hour.
const SCHEDULES: [(Flow, &str, &str); 3] = [
    (Flow::Ingress, "0 */10 * * * *", "UTC"),
    (Flow::Egress, "0 30 2 * * *", "Europe/Berlin"),
    (Flow::Optout, "0 0 * * * *", "UTC"),
];

/// How long a pass takes; the one of eight in the evening misses two of its
/// times.
fn takes(flow: Flow, began: Timestamp) -> Duration {
    let long = flow == Flow::Ingress && began >= at("20:00:00") && began < at("20:10:00");
    Duration::from_secs(if long { 25 * 60 } else { 30 })
}

/// A time of day: before noon, of the second day.
fn at(time: &str) -> Timestamp {
    let day = if time < "12:00:00" { "2026-03-29" } else { "2026-03-28" };
    format!("{day}T{time}Z").parse().unwrap()
}

fn second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap()
}

/// Someone who has the systems all day, and works in steps: he gives way between
/// two of them, and asks for the next turn at once.
async fn guest(clock: &Clock, events: &mpsc::Sender<Event>) {
    loop {
        let (reply, turn) = tokio::sync::oneshot::channel();
        if events.send(Event::Turn(reply)).await.is_err() {
            return;
        }
        let Ok(turn) = turn.await else { return };
        while !turn.is_wanted() {
            clock.sleep(STEP).await;
        }
    }
}

/// How long each of his steps takes.
const STEP: Duration = Duration::from_secs(7);

/// The day as it went.
async fn day(jitter: &str) -> Runs {
    day_with(jitter, false).await
}

async fn day_with(jitter: &str, guest_stays: bool) -> Runs {
    let clock = Clock::simulated(NOON.parse().unwrap());
    let app = App::planned(&SCHEDULES, jitter, &clock);
    let runs: Arc<Mutex<Runs>> = Arc::default();
    let paused = Arc::new(AtomicBool::new(false));
    let (noted, is_paused) = (runs.clone(), paused.clone());
    let acts = Acts {
        run: Box::new(move |app, flow, _, _| {
            let (clock, began) = (app.clock.clone(), app.clock.now());
            noted.lock().unwrap().push((flow, began));
            Box::pin(async move {
                clock.sleep(takes(flow, began)).await;
                Ok(PassReport::test(PassEnd::Done, Counts::default()))
            })
        }),
        paused: Box::new(move |flow| {
            let paused = flow == Flow::Optout && is_paused.load(Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(paused)))
        }),
        watch: Box::new(|_| Box::pin(std::future::ready(Ok(())))),
        lives: Box::new(|| Box::pin(std::future::ready(Ok(())))),
        steps: Box::new(|| 0),
    };
    let (worker, events) = worker(app, acts);
    let person = async {
        let until = async |time: &str| {
            let wait = at(time).duration_since(clock.now());
            clock.sleep(Duration::try_from(wait).unwrap()).await;
        };
        until("15:30:00").await;
        paused.store(true, Ordering::SeqCst);
        until("18:33:00").await;
        paused.store(false, Ordering::SeqCst);
        events.send(Event::Wake).await.unwrap();
        until("11:59:59").await;
        events.send(Event::Terminate("SIGTERM")).await.unwrap();
    };
    let stays = async {
        if guest_stays {
            guest(&clock, &events).await;
        }
    };
    let working = async {
        tokio::select! {
            settled = worker.run() => settled,
            () = async { stays.await; std::future::pending().await } => Ok(false),
        }
    };
    let (settled, ()) = tokio::join!(working, person);
    assert!(settled.unwrap(), "all passes are settled");
    runs.lock().unwrap().clone()
}

/// The loop with these acts, and where it hears of events.
pub(super) fn worker(app: App, acts: Acts) -> (Worker, mpsc::Sender<Event>) {
    let (events, queue) = mpsc::channel(8);
    let shared = Shared {
        app: RwLock::new(app.clone()),
        running: Mutex::default(),
        rehearsing: tokio::sync::Mutex::default(),
    };
    let timers = Timers::of(&app, None).unwrap();
    let reload = (std::path::PathBuf::new(), never());
    let board = Board::new(Notify::none(), Vitals::new(&app.clock));
    (Worker::new(app, acts, (Arc::new(shared), queue), timers, board, reload), events)
}

fn never() -> Reload {
    Box::new(|_| Err("nobody reloads".to_owned()))
}

fn of(flow: Flow, runs: &Runs) -> Vec<Timestamp> {
    runs.iter().filter(|(other, _)| *other == flow).map(|(_, began)| second(*began)).collect()
}

/// Every so often from noon to noon.
fn every(minutes: i64) -> Vec<Timestamp> {
    let noon: Timestamp = NOON.parse().unwrap();
    let times = (0..24 * 60 / minutes).map(|n| noon + SignedDuration::from_mins(n * minutes));
    times.collect()
}

#[tokio::test(start_paused = true)]
async fn a_day_of_three_flows_runs_as_their_schedules_say() {
    let runs = day("0s").await;

    let mut ingress = every(10);
    // One pass went on over two of them: they are one run, after the opt-outs
    // that had waited for longer.
    ingress.retain(|time| *time != at("20:10:00") && *time != at("20:20:00"));
    ingress.extend([at("18:33:00"), at("20:25:30")]);
    ingress.sort();
    assert_eq!(of(Flow::Ingress, &runs), ingress);

    // At the start, when all are woken, and once in the night: at three, when
    // the clocks have gone from two to three.
    assert_eq!(of(Flow::Egress, &runs), [at("12:00:00"), at("18:33:00"), at("01:00:00")]);

    // It takes turns with ingress, which is first where both are due.
    let half_a_minute = SignedDuration::from_secs(30);
    let mut optout: Vec<Timestamp> =
        every(60).into_iter().map(|hour| hour + half_a_minute).collect();
    optout.retain(|time| !(at("15:30:00")..at("18:33:00")).contains(time));
    let late = optout.iter_mut().find(|time| **time == at("20:00:30")).unwrap();
    *late = at("20:25:00");
    optout.push(at("18:33:30"));
    optout.sort();
    assert_eq!(of(Flow::Optout, &runs), optout);
}

#[tokio::test(start_paused = true)]
async fn a_day_with_a_spread_has_as_many_runs() {
    let runs = day("5s").await;
    for (flow, count) in [(Flow::Ingress, 144), (Flow::Egress, 3), (Flow::Optout, 22)] {
        assert_eq!(of(flow, &runs).len(), count, "{flow}");
    }
    let off = |(_, began): &(Flow, Timestamp)| began.as_second().rem_euclid(10) != 0;
    assert!(runs.iter().filter(|run| off(run)).count() > 50, "nothing was spread");
}

#[tokio::test(start_paused = true)]
async fn who_has_the_systems_all_day_in_steps_holds_no_flow_up_for_longer_than_a_step() {
    let alone = day("0s").await;
    let beside = day_with("0s", true).await;
    // A run that is late misses the next time at most, by the pass of another flow.
    let latest = STEP + Duration::from_mins(1);
    for flow in [Flow::Ingress, Flow::Egress, Flow::Optout] {
        let (alone, beside) = (of(flow, &alone), of(flow, &beside));
        assert_eq!(alone.len(), beside.len(), "{flow}");
        for (due, began) in alone.iter().zip(&beside) {
            let late = Duration::try_from(began.duration_since(*due)).unwrap_or_default();
            assert!(late <= latest, "{flow}: {due} began at {began}");
        }
    }
}
