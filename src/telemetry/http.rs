//! Events of talking to the remote systems.

use crate::telemetry::event::events;

events! { HTTP_EVENTS;
    /// A remote asked us to slow down. All workers of that system wait.
    DeliveryThrottled = "delivery.throttled" WARN, "Nothing: work resumes by itself. If it happens all day, lower the upper bounds in the configuration or ask for a larger quota." {
        /// `dynamics`, `campaign` or `journal`.
        system: &'static str,
        /// HTTP status of the answer.
        status: u16,
        /// Until the next request goes out.
        wait_ms: u64,
    }

    /// A remote does not answer: several requests in a row failed.
    RemoteUnreachable = "remote.unreachable" WARN, "Nothing at first: requests are repeated. If it lasts, look at the network, the firewall and the vendor's status page." {
        /// `dynamics`, `campaign`, `journal` or `sftp`.
        system: &'static str,
        /// What the last request met.
        problem: String,
    }

    /// A remote answers again after it did not.
    RemoteBack = "remote.back" INFO, "Nothing." {
        /// `dynamics`, `campaign` or `journal`.
        system: &'static str,
        /// How long it did not answer.
        silent_ms: u64,
    }

    /// The budget of the day of a system is used up, or what of it is not kept for opt-outs. Told once; work waits for the next UTC day and goes on by itself.
    BudgetExhausted = "budget.exhausted" WARN, "Nothing, if it is rare: nothing is lost. Otherwise raise `requests_per_day`, or find out with `flow.finished` which flow makes so many requests." {
        /// `dynamics` or `campaign`.
        system: &'static str,
        /// Whose requests wait: `ordinary` (opt-outs go on) or `all`.
        closed: &'static str,
        /// Requests of the day so far; those of a batch are counted one by one.
        used: u64,
        /// The budget.
        requests_per_day: u64,
        /// When the next day begins.
        until: String,
    }

    /// The budget of a system that was used up is open again: a new day, or a new configuration.
    BudgetAvailable = "budget.available" INFO, "Nothing." {
        /// `dynamics` or `campaign`.
        system: &'static str,
    }

    /// A new access token was obtained.
    TokenObtained = "auth.token" DEBUG, "Nothing." {
        /// `dynamics`, `campaign` or `journal`.
        system: &'static str,
        /// How long it is used before the next one is asked for.
        use_ms: u64,
    }

    /// The token endpoint or the system refuses our credentials.
    AuthRefused = "auth.refused" ERROR maybe, "Look at the code: an expired or wrong secret or certificate, a missing application user, or a wrong clock. The next try follows after a minute." {
        /// `dynamics`, `campaign` or `journal`.
        system: &'static str,
        /// The vendor's code, where one was given.
        code: Option<String>,
        /// What was refused.
        problem: String,
    }
}
