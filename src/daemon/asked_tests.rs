//! How soon the loop does what it is asked for, and how long it waits for what is
//! under way, in simulated time: the real loop, whose schedule is far away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::app::{App, PassEnd, PassReport};
use crate::clock::Clock;
use crate::daemon::day_tests::worker;
use crate::daemon::desk::Event;
use crate::daemon::passes::Acts;
use crate::daemon::work::Worker;
use crate::model::Flow;
use crate::store::Counts;

/// Once a year: nothing of what is seen here is the schedule's work.
const YEARLY: [(Flow, &str, &str); 1] = [(Flow::Ingress, "0 0 0 1 1 *", "UTC")];

/// Seconds after the start at which passes began.
type Begun = Arc<Mutex<Vec<u64>>>;

fn since(clock: &Clock, start: crate::clock::Monotonic) -> u64 {
    clock.monotonic().since(start).as_secs()
}

/// A loop whose first pass takes no time. A later one ends so long after it was
/// asked to stop, or at once where nobody asks; `None`: it never ends.
fn idle(stops_after: Option<Duration>) -> (Worker, mpsc::Sender<Event>, Begun, Clock) {
    let clock = Clock::simulated("2026-06-01T12:00:00Z".parse().unwrap());
    let app = App::planned(&YEARLY, "0s", &clock);
    let (begun, start): (Begun, _) = (Arc::default(), clock.monotonic());
    let noted = begun.clone();
    let acts = Acts {
        run: Box::new(move |app, _, options, _| {
            let clock = app.clock.clone();
            let is_first = {
                let mut noted = noted.lock().unwrap();
                noted.push(since(&clock, start));
                noted.len() == 1
            };
            Box::pin(async move {
                if !is_first {
                    while !options.stop.is_requested() {
                        clock.sleep(Duration::from_millis(100)).await;
                    }
                    match stops_after {
                        Some(time) => clock.sleep(time).await,
                        None => std::future::pending().await,
                    }
                }
                Ok(PassReport::test(PassEnd::Done, Counts::default()))
            })
        }),
        paused: Box::new(|_| Box::pin(std::future::ready(Ok(false)))),
        watch: Box::new(|_| Box::pin(std::future::ready(Ok(())))),
        lives: Box::new(|| Box::pin(std::future::ready(Ok(())))),
        steps: Box::new(|| 0),
    };
    let (worker, events) = worker(app, acts);
    (worker, events, begun, clock)
}

/// Runs the loop, and asks after 1000 s; when passes began.
async fn asked(event: Event) -> Vec<u64> {
    let (worker, events, begun, clock) = idle(Some(Duration::ZERO));
    let person = async {
        clock.sleep(Duration::from_secs(1000)).await;
        events.send(event).await.unwrap();
        clock.sleep(Duration::from_secs(1000)).await;
        events.send(Event::Terminate("SIGTERM")).await.unwrap();
    };
    let (settled, ()) = tokio::join!(worker.run(), person);
    assert!(settled.unwrap());
    begun.lock().unwrap().clone()
}

/// What `resync`, `dead-letters retry`, `approve-deletes`, `approve-optouts` and
/// `resume` send, and `sync --via-daemon`: `cli/desk.rs`.
#[tokio::test(start_paused = true)]
async fn who_asks_is_heard_within_the_same_second_however_far_the_schedule_is() {
    assert_eq!(asked(Event::Wake).await, [0, 1000]);
    let (reply, _ended) = oneshot::channel();
    let pass = Event::Pass(Flow::Ingress, Duration::from_mins(2), reply);
    assert_eq!(asked(pass).await, [0, 1000]);
    // Nothing but the question begins one.
    assert_eq!(asked(Event::Paused(Flow::Egress)).await, [0]);
}

/// Stops the loop in the middle of a pass, and once more after `again`; whether
/// all was settled, and after how many seconds.
async fn stopped(stops_after: Option<Duration>, again: Option<Duration>) -> (bool, u64) {
    let (worker, events, begun, clock) = idle(stops_after);
    let clock_of_person = clock.clone();
    let stopped = async move {
        clock_of_person.sleep(Duration::from_secs(1000)).await;
        events.send(Event::Wake).await.unwrap();
        clock_of_person.sleep(Duration::from_secs(10)).await;
        events.send(Event::Terminate("SIGTERM")).await.unwrap();
        if let Some(wait) = again {
            clock_of_person.sleep(wait).await;
            events.send(Event::Terminate("SIGTERM")).await.unwrap();
        }
        // The loop is not told that nobody is left.
        std::future::pending::<()>().await;
    };
    let start = clock.monotonic();
    let settled = tokio::select! {
        settled = worker.run() => settled.unwrap(),
        () = stopped => false,
    };
    assert_eq!(*begun.lock().unwrap(), [0, 1000]);
    (settled, since(&clock, start) - 1010)
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_has_45_seconds_to_settle_and_after_a_second_signal_none() {
    let seconds = |number| Some(Duration::from_secs(number));
    assert_eq!(stopped(seconds(44), None).await, (true, 44));
    assert_eq!(stopped(None, None).await, (false, 45));
    assert_eq!(stopped(seconds(60), None).await, (false, 45));
    assert_eq!(stopped(None, seconds(5)).await, (false, 5));
}
