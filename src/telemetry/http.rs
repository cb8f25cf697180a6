//! Events of talking to the remote systems.

use crate::telemetry::event::events;

events! { HTTP_EVENTS;
    /// A remote asked us to slow down. All workers of that system wait.
    DeliveryThrottled = "delivery.throttled" WARN, "Nothing: work resumes by itself. If it happens all day, lower the upper bounds in the configuration or ask for a larger quota." {
        /// `dynamics` or `campaign`.
        system: &'static str,
        /// HTTP status of the answer.
        status: u16,
        /// Until the next request goes out.
        wait_ms: u64,
    }
}
