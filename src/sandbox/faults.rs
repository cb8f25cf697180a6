//! Faults by a seeded plan.
//!
//! Owns: the plan as written, and the decision which request meets which
//! fault. Knows nothing of how a fault is played (`play.rs`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::log::System;

/// Which requests meet which faults; see the module documentation for a file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Seed of the rules that use `probability`.
    pub seed: u64,
    /// Looked at in order; the first that hits is played, `slow` and `headers`
    /// besides.
    #[serde(rename = "rule")]
    pub rules: Vec<FaultRule>,
}

/// One rule. All conditions given must hold.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Only this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<System>,
    /// Only this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only where path and query contain this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Every nth matching request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Only the first n matching requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Only after n matching requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// With this probability, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// At most this often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Looked at for each operation inside a `$batch` instead of for requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operation: bool,
    /// What happens.
    pub fault: Fault,
}

impl FaultRule {
    /// A rule without conditions.
    pub fn always(fault: Fault) -> Self {
        Self {
            system: None,
            method: None,
            path: None,
            every: None,
            first: None,
            after: None,
            probability: None,
            times: None,
            operation: false,
            fault,
        }
    }
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// 429 with `Retry-After`, in the vendor's own words. Not applied.
    Throttle {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// This status instead of an answer. Not applied.
    Status {
        /// HTTP status.
        code: u16,
        /// Body; empty by default.
        #[serde(default)]
        body: String,
    },
    /// The connection closes; the request was not applied.
    CutBefore,
    /// The request was applied; the connection closes without an answer.
    CutAfter,
    /// The request was applied; headers and half of the body come.
    CutIn,
    /// The answer takes this much longer.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// A gateway's 504 at once; the request is applied this much later.
    Late {
        /// Milliseconds.
        ms: u64,
    },
    /// The request was applied; the JSON ends in the middle, the HTTP does not.
    Truncated,
    /// An HTML page with status 200. Not applied.
    Foreign,
    /// The caller's token is refused once. Not applied.
    ExpiredToken,
    /// A read with a delta token is told that the token has expired.
    ExpiredDelta,
    /// A row of the page comes twice, over two pages where there are two.
    DuplicateRows,
    /// A page without rows, whose next link leads to the page asked for.
    EmptyPage,
    /// Next, delta and record links lead to another host. Applied.
    ForeignLink {
        /// The origin put in, such as `http://evil.example`.
        to: String,
    },
    /// A redirect. Not applied.
    Redirect {
        /// The target.
        to: String,
    },
    /// A JSON body of this size that never ends well. Not applied.
    HugeBody {
        /// Bytes sent.
        bytes: u64,
    },
    /// A small gzip body that unpacks to this size. Not applied.
    GzipBomb {
        /// Unpacked bytes.
        bytes: u64,
    },
    /// A JSON document of another shape with status 200. Not applied.
    WrongContent,
    /// The answer, whatever it is, has these headers, in place of its own of
    /// the same names.
    Headers {
        /// Names and values.
        set: BTreeMap<String, String>,
    },
}

impl Fault {
    /// The name in logs and plans.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::Status { .. } => "status",
            Self::CutBefore => "cut_before",
            Self::CutAfter => "cut_after",
            Self::CutIn => "cut_in",
            Self::Slow { .. } => "slow",
            Self::Late { .. } => "late",
            Self::Truncated => "truncated",
            Self::Foreign => "foreign",
            Self::ExpiredToken => "expired_token",
            Self::ExpiredDelta => "expired_delta",
            Self::DuplicateRows => "duplicate_rows",
            Self::EmptyPage => "empty_page",
            Self::ForeignLink { .. } => "foreign_link",
            Self::Redirect { .. } => "redirect",
            Self::HugeBody { .. } => "huge_body",
            Self::GzipBomb { .. } => "gzip_bomb",
            Self::WrongContent => "wrong_content",
            Self::Headers { .. } => "headers",
        }
    }

    /// Whether it fits a request: some faults belong to lists or delta reads.
    fn fits(&self, system: System, method: &str, target: &str) -> bool {
        match self {
            Self::ExpiredDelta => system == System::Dynamics && target.contains("deltatoken"),
            Self::DuplicateRows | Self::EmptyPage => method == "GET",
            Self::ExpiredToken => {
                matches!(system, System::Dynamics | System::Campaign | System::Journal)
            }
            Self::Throttle { .. }
            | Self::Status { .. }
            | Self::CutBefore
            | Self::CutAfter
            | Self::CutIn
            | Self::Slow { .. }
            | Self::Late { .. }
            | Self::Truncated
            | Self::Foreign
            | Self::ForeignLink { .. }
            | Self::Redirect { .. }
            | Self::HugeBody { .. }
            | Self::GzipBomb { .. }
            | Self::WrongContent
            | Self::Headers { .. } => true,
        }
    }
}

impl Fault {
    fn fits_operation(&self) -> bool {
        matches!(
            self,
            Self::Throttle { .. } | Self::Status { .. } | Self::CutBefore | Self::CutAfter
        )
    }
}

/// What one request meets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Milliseconds of delay.
    pub(crate) slow_ms: u64,
    /// The fault to play.
    pub(crate) fault: Option<Fault>,
    /// Headers of the answer.
    pub(crate) headers: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Counters {
    seen: u64,
    hits: u64,
}

#[derive(Debug, Default)]
struct State {
    plan: FaultPlan,
    counters: Vec<Counters>,
    random: u64,
}

/// The plan at work.
#[derive(Debug, Default)]
pub(crate) struct FaultEngine(Mutex<State>);

fn next_random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let top = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0);
    f64::from(top) / f64::from(u32::MAX)
}

impl FaultEngine {
    /// Replaces the plan and starts all counters anew.
    pub(crate) fn set(&self, plan: FaultPlan) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.random = plan.seed;
        state.counters = plan.rules.iter().map(|_| Counters::default()).collect();
        state.plan = plan;
    }

    /// The plan in force; for each rule how many requests fitted it and how
    /// often it was played.
    pub(crate) fn standing(&self) -> (FaultPlan, Vec<(u64, u64)>) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = state.counters.iter().map(|counter| (counter.seen, counter.hits)).collect();
        (state.plan.clone(), counts)
    }

    /// What one operation of a batch meets: a status of its own, or the end of
    /// the connection before or after it.
    pub(crate) fn decide_operation(&self, method: &str, target: &str) -> Option<Fault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { plan, counters, random } = &mut *state;
        let mut rules = plan.rules.iter().zip(counters.iter_mut());
        let rule = rules.find_map(|(rule, counter)| {
            let hit = rule.operation
                && rule.fault.fits_operation()
                && applies(rule, System::Dynamics, method, target)
                && due(rule, counter, random);
            hit.then_some(rule)
        });
        rule.map(|rule| rule.fault.clone())
    }

    /// What this request meets.
    pub(crate) fn decide(&self, system: System, method: &str, target: &str) -> Verdict {
        let mut verdict = Verdict::default();
        if system == System::Sandbox {
            return verdict;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { plan, counters, random } = &mut *state;
        for (rule, counter) in plan.rules.iter().zip(counters.iter_mut()) {
            let beside = matches!(rule.fault, Fault::Slow { .. } | Fault::Headers { .. });
            if verdict.fault.is_some() && !beside {
                continue;
            }
            if rule.operation
                || !applies(rule, system, method, target)
                || !due(rule, counter, random)
            {
                continue;
            }
            if let Fault::Slow { ms } = &rule.fault {
                verdict.slow_ms += ms;
            } else if let Fault::Headers { set } = &rule.fault {
                verdict.headers.extend(set.clone());
            } else {
                verdict.fault = Some(rule.fault.clone());
            }
        }
        verdict
    }
}

fn applies(rule: &FaultRule, system: System, method: &str, target: &str) -> bool {
    rule.system.is_none_or(|wanted| wanted == system)
        && rule.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
        && rule.path.as_ref().is_none_or(|wanted| target.contains(wanted.as_str()))
        && rule.fault.fits(system, method, target)
}

fn due(rule: &FaultRule, counter: &mut Counters, random: &mut u64) -> bool {
    counter.seen += 1;
    let seen = counter.seen;
    let past = rule.after.unwrap_or(0);
    let hit = rule.first.is_none_or(|first| seen <= first)
        && seen > past
        && rule.every.is_none_or(|every| every > 0 && (seen - past).is_multiple_of(every))
        && rule.probability.is_none_or(|p| next_random(random) < p)
        && rule.times.is_none_or(|times| counter.hits < times);
    counter.hits += u64::from(hit);
    hit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(plan: &str, requests: usize) -> Vec<bool> {
        let engine = FaultEngine::default();
        engine.set(toml::from_str(plan).unwrap());
        (0..requests)
            .map(|_| engine.decide(System::Campaign, "POST", "/x").fault.is_some())
            .collect()
    }

    #[test]
    fn every_after_first_and_times_count_matching_requests() {
        let every = "[[rule]]\nevery = 2\nafter = 1\ntimes = 2\nfault = { kind = \"cut_after\" }";
        assert_eq!(hits(every, 8), [false, false, true, false, true, false, false, false]);
        let first = "[[rule]]\nfirst = 2\nfault = { kind = \"throttle\", retry_after = 3 }";
        assert_eq!(hits(first, 4), [true, true, false, false]);
    }

    #[test]
    fn a_seed_repeats_its_faults() {
        let plan = |seed: u64| {
            format!("seed = {seed}\n[[rule]]\nprobability = 0.5\nfault = {{ kind = \"foreign\" }}")
        };
        assert_eq!(hits(&plan(3), 64), hits(&plan(3), 64));
        assert_ne!(hits(&plan(3), 64), hits(&plan(4), 64));
    }

    #[test]
    fn an_unknown_key_in_a_plan_is_refused() {
        assert!(
            toml::from_str::<FaultPlan>("[[rule]]\nevry = 2\nfault = { kind = \"foreign\" }")
                .is_err()
        );
    }
}
