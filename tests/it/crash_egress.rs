//! A crash at every commit and at every request of egress: after a restart on
//! the same file each event has one activity.

use std::process::Command;

use crate::egress_world::Post;
use crate::support::Run;

const EVENTS: usize = 6;

const SYNC: &[&str] = &["sync", "egress", "--patience", "60"];

/// Small pages and batches, and a second write for each activity: many points.
fn post() -> Post {
    let variants = cdsync::sandbox::Variants { journal_batch: 4, ..Default::default() };
    let post = Post::with(2, "batch = 3\ncomplete_activities = true", variants);
    post.tell(0, EVENTS, &post.world.contacts());
    post
}

/// Whether it crashed as planned.
fn crashed(mut command: Command, plan: &str) -> bool {
    let output = command.env("CDSYNC_CRASH", plan).output().unwrap();
    let ended = output.status.code();
    assert!(ended.is_none() || ended == Some(0), "{plan}: {output:?}");
    ended.is_none()
}

fn sweep(point: &str, least: usize) {
    let mut at = 0;
    loop {
        at += 1;
        let post = post();
        let plan = format!("{point}:{at}");
        if !crashed(post.world.command(SYNC), &plan) {
            break;
        }
        let run: Run = post.sync().ends(0);
        assert_eq!(run.counts().pending, 0, "{plan}");
        post.has_each_once(EVENTS);
        assert!(post.activities().values().all(|(_, row)| row["statecode"] == 1), "{plan}");
        assert!(post.world.dead_letters().is_empty(), "{plan}");
    }
    assert!(at > least, "{point} was hit {at} times at most: the plan does not work");
}

#[test]
fn a_crash_of_egress_at_any_commit_is_made_good() {
    sweep("commit", 10);
}

#[test]
fn a_crash_of_egress_after_any_commit_is_made_good() {
    sweep("committed", 10);
}

#[test]
fn a_crash_of_egress_before_any_request_is_made_good() {
    sweep("request", 10);
}

#[test]
fn a_crash_of_egress_after_any_answer_is_made_good() {
    sweep("answered", 10);
}
