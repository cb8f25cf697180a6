//! When a wave is too large to go unasked.

/// Which limit of a guard a wave passes, if it does.
pub(crate) fn exceeded(
    wave: u64,
    mapped: u64,
    rows: Option<u64>,
    percent: Option<f64>,
    floor: u64,
) -> Option<&'static str> {
    if rows.is_some_and(|rows| wave > rows) {
        return Some("rows");
    }
    #[expect(clippy::cast_precision_loss, reason = "a share in percent needs no exact count")]
    let share = if mapped == 0 { 0.0 } else { wave as f64 * 100.0 / mapped as f64 };
    (wave > floor && percent.is_some_and(|percent| share > percent)).then_some("percent")
}

#[cfg(test)]
mod tests {
    use super::exceeded;

    #[test]
    fn a_wave_larger_than_either_limit_is_held() {
        let cases = [
            (0, 100, Some(0), Some(0.0), 0, None),
            (5, 100, Some(5), None, 0, None),
            (6, 100, Some(5), None, 0, Some("rows")),
            (5, 100, None, Some(5.0), 0, None),
            (6, 100, None, Some(5.0), 0, Some("percent")),
            (6, 100, Some(1000), Some(5.0), 50, None),
            (50, 100, Some(1000), Some(5.0), 50, None),
            (51, 100, Some(1000), Some(5.0), 50, Some("percent")),
            (3, 0, None, Some(5.0), 0, None),
            (9, 9, None, None, 0, None),
        ];
        for (wave, mapped, rows, percent, floor, expected) in cases {
            assert_eq!(
                exceeded(wave, mapped, rows, percent, floor),
                expected,
                "{wave} of {mapped}"
            );
        }
    }
}
