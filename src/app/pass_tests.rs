//! What a pass comes to, from all that stood in its way.

use super::{Ending, PassEnd, judge};
use crate::http::{Failure, Outcome, System};
use crate::store::Counts;

fn met(outcome: Outcome) -> Failure {
    Failure::ours(System::Dynamics, outcome, "a reason".to_owned())
}

#[test]
fn a_pass_in_which_nothing_could_be_done_fails_whichever_flow_it_is_of() {
    let none = Ending::default();
    let cases: [(&str, Ending, u64, bool); 9] = [
        ("nothing", none.clone(), 0, false),
        ("a dead letter", none.clone(), 1, false),
        ("one of several", Ending { failed: true, ..none.clone() }, 0, false),
        ("held", Ending { held: true, ..none.clone() }, 0, false),
        ("asked to end", Ending { stopped: true, all_failed: true, ..none.clone() }, 0, false),
        ("all of them", Ending { failed: true, all_failed: true, ..none.clone() }, 0, true),
        (
            "another host",
            Ending { stopped_by: Some(met(Outcome::Foreign)), ..none.clone() },
            0,
            true,
        ),
        (
            "a server",
            Ending { kept_refusing: Some(met(Outcome::ServerError)), ..none.clone() },
            0,
            true,
        ),
        ("no budget", Ending { stopped_by: Some(met(Outcome::Spent)), ..none }, 0, false),
    ];
    for (name, ending, dead_lettered, fails) in cases {
        let counts = Counts { dead_lettered, ..Counts::default() };
        assert_eq!(judge(ending, &counts).failure().is_some(), fails, "{name}");
    }
    let refused =
        Ending { refused: Some(met(Outcome::Refused)), all_failed: true, ..Ending::default() };
    assert!(matches!(judge(refused, &Counts::default()), PassEnd::Refused(_)));
    let garbled = Ending { stopped_by: Some(met(Outcome::Garbled)), ..Ending::default() };
    assert!(matches!(judge(garbled, &Counts::default()), PassEnd::KeptRefusing(_)));
}
