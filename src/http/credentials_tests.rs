//! The shared token, in simulated time.

use std::time::Duration;

use super::times;

#[test]
fn a_token_is_replaced_before_its_end_whatever_its_lifetime() {
    for (given, use_for, lifetime) in [
        (Some(3599), 3239, 3599),
        (Some(86_399), 77_759, 86_399),
        (Some(86_399_992), 77_760, 86_400),
        (Some(400), 320, 400),
        (Some(600), 300, 600),
        (Some(1), 48, 60),
        (None, 1500, 1800),
    ] {
        let (used, lives) = times(given.map(Duration::from_secs));
        assert_eq!((used.as_secs(), lives.as_secs()), (use_for, lifetime), "{given:?}");
    }
}
