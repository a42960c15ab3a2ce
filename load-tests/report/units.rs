//! Figures as people read them: three digits that matter, and a unit that fits.

/// A duration in seconds: `182 us`, `1.20 ms`, `32.0 s`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds <= 0.0 {
        "0".to_owned()
    } else if seconds < 0.000_999_5 {
        format!("{} us", three_digits(seconds * 1e6))
    } else if seconds < 0.999_5 {
        format!("{} ms", three_digits(seconds * 1e3))
    } else {
        format!("{} s", three_digits(seconds))
    }
}

/// Bytes: `933 B`, `1.20 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if value < 999.5 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{} {unit}", three_digits(value)) };
        }
        value /= 1024.0;
    }
    format!("{} GiB", three_digits(value))
}

/// A whole number with commas: `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many a second: `19,998`, or `0.500` when it is little.
pub(super) fn rate(rate: f64) -> String {
    if rate < 99.95 && rate.fract() != 0.0 { three_digits(rate) } else { count(rate.round() as u64) }
}

/// A share of 1: `61 %`, `0.020 %`.
pub(super) fn share(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 9.95 { format!("{percent:.0} %") } else { format!("{} %", three_digits(percent)) }
}

fn three_digits(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else if value >= 0.099_95 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_unit_that_fits() {
        for (seconds, text) in [
            (0.0, "0"),
            (0.000_000_37, "0.37 us"),
            (0.000_012_34, "12.3 us"),
            (0.000_182_4, "182 us"),
            (0.000_999_6, "1.00 ms"),
            (0.0012, "1.20 ms"),
            (0.999_6, "1.00 s"),
            (32.0, "32.0 s"),
            (120.0, "120 s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        for (number, text) in
            [(0, "0 B"), (933, "933 B"), (1024, "1.00 KiB"), (131_072_000, "125 MiB"), (1 << 34, "16.0 GiB")]
        {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, text) in [(0.0, "0"), (0.5, "0.50"), (20.0, "20"), (19_998.4, "19,998")] {
            assert_eq!(rate(number), text);
        }
    }

    #[test]
    fn shares_are_percentages() {
        for (part, text) in [(0.0, "0 %"), (0.000_2, "0.020 %"), (0.0123, "1.23 %"), (0.614, "61 %"), (1.0, "100 %")] {
            assert_eq!(share(part), text);
        }
    }
}
