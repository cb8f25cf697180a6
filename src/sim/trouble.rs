//! What goes wrong in a round: the faults of a seed.

use crate::sandbox::{Fault, FaultRule, System};

use super::stream::Stream;

const FAULTS: &[fn(&Stream) -> Fault] = &[
    |it| Fault::Throttle { retry_after: 1 + it.below(20) },
    |it| Fault::Status { code: it.one_of(&[500, 502, 503, 504]), body: String::new() },
    |_| Fault::CutBefore,
    |_| Fault::CutAfter,
    |_| Fault::CutAfter,
    |_| Fault::CutIn,
    |it| Fault::Slow { ms: 100 + it.below(5_000) },
    |it| Fault::Slow { ms: 100_000 + it.below(50_000) },
    |_| Fault::Truncated,
    |_| Fault::Foreign,
    |_| Fault::WrongContent,
    |_| Fault::ExpiredToken,
    |_| Fault::ExpiredDelta,
    |_| Fault::DuplicateRows,
    |_| Fault::EmptyPage,
    |_| Fault::ForeignLink { to: ELSEWHERE.to_owned() },
    |_| Fault::Redirect { to: format!("{ELSEWHERE}/api/data/v9.2/contacts") },
];

/// What a part of a batch may meet.
const OF_PARTS: &[fn(&Stream) -> Fault] = &[
    |it| Fault::Throttle { retry_after: 1 + it.below(20) },
    |it| Fault::Status { code: it.one_of(&[500, 503]), body: String::new() },
];

/// Where nobody may be sent with a token.
const ELSEWHERE: &str = "http://evil.example";

/// Profiles are made, but their answers cannot be read, and nobody can look
/// whether they are there: they are given up.
pub(super) fn doubtful_creations(faults: &Stream) -> [FaultRule; 2] {
    let of = |method: &str, path: &str| FaultRule {
        system: Some(System::Campaign),
        method: Some(method.to_owned()),
        path: Some(path.to_owned()),
        ..FaultRule::always(Fault::Truncated)
    };
    let few = FaultRule { times: Some(1 + faults.below(3)), ..of("POST", "profile") };
    [few, of("GET", "byExternalId")]
}

/// Campaign's gateway gives up on writes that are carried out all the same, before
/// the program looks what became of them.
pub(super) fn late_writes(it: &Stream) -> FaultRule {
    let method = it.one_of(&["POST", "PATCH", "PATCH", "DELETE"]).to_owned();
    FaultRule {
        system: Some(System::Campaign),
        method: Some(method),
        every: Some(1 + it.below(3)),
        times: Some(1 + it.below(6)),
        ..FaultRule::always(Fault::Late { ms: it.below(4_800) })
    }
}

/// The faults of a round, each met by so many percent of the requests.
pub(super) fn rules(faults: &Stream, rate: u64) -> Vec<FaultRule> {
    if rate == 0 {
        return Vec::new();
    }
    if faults.chance(15) {
        return doubtful_creations(faults).into();
    }
    let count = 1 + faults.below(3);
    // Some parts of a batch fare worse than the others.
    let within = faults.chance(20).then(|| FaultRule {
        operation: true,
        every: Some(1 + faults.below(4)),
        times: Some(1 + faults.below(6)),
        ..FaultRule::always(faults.one_of(OF_PARTS)(faults))
    });
    (0..count)
        .map(|_| {
            let fault = faults.one_of(FAULTS)(faults);
            let system = faults.one_of(&[
                None,
                Some(System::Dynamics),
                Some(System::Campaign),
                Some(System::Journal),
            ]);
            #[expect(clippy::cast_precision_loss, reason = "a small percentage")]
            let probability = Some(rate as f64 / 100.0);
            let times = Some(1 + faults.below(12));
            FaultRule { system, probability, times, ..FaultRule::always(fault) }
        })
        .chain(within)
        .collect()
}
