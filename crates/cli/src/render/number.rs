//! Numbers as people read them.

/// `1,023,874`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3.189`; `-` where there is nothing to measure.
pub(crate) fn rate(bpsp: f64) -> String {
    if bpsp.is_finite() { format!("{bpsp:.3}") } else { "-".to_owned() }
}

/// `61.0 %`, with more places where it is small.
pub(crate) fn percent(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "-".to_owned()
    } else if value < 0.0 && size < 0.005 {
        "0.00 %".to_owned()
    } else if size >= 10.0 || size == 0.0 {
        format!("{value:.1} %")
    } else if size < 0.005 {
        "< 0.01 %".to_owned()
    } else {
        format!("{value:.2} %")
    }
}

/// `part` of `whole` in per cent.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { percent(100.0 * part as f64 / whole as f64) }
}

/// `1.2 M`, `850 k`: three figures are enough while something runs.
pub(crate) fn short(number: f64) -> String {
    match number {
        n if !n.is_finite() => "-".to_owned(),
        n if n >= 999.5e6 => format!("{:.1} G", n / 1e9),
        n if n >= 999.5e3 => format!("{:.1} M", n / 1e6),
        n if n >= 999.5 => format!("{:.0} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// A time that has passed: `0.42 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`.
pub(crate) fn span(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        _ if whole < 3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A time yet to come: `1:05`, `1:02:03`; `-` if unknown.
pub(crate) fn clock(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    let whole = seconds.ceil() as u64;
    if whole < 3600 { format!("{}:{:02}", whole / 60, whole % 60) } else { format!("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(["0", "999", "1,000", "1,023,874"].map(str::to_owned), [0, 999, 1000, 1_023_874].map(grouped));
        assert_eq!(rate(3.1888), "3.189");
        assert_eq!(rate(f64::NAN), "-");
        assert_eq!(percent(61.04), "61.0 %");
        assert_eq!(percent(0.107), "0.11 %");
        assert_eq!(percent(0.001), "< 0.01 %");
        assert_eq!(share(1, 0), "-");
        assert_eq!(short(1_234_567.0), "1.2 M");
        assert_eq!(short(999_600.0), "1.0 M");
        assert_eq!(short(12_345.0), "12 k");
    }

    #[test]
    fn times() {
        assert_eq!(span(0.421), "0.42 s");
        assert_eq!(span(9.996), "10.0 s");
        assert_eq!(span(59.96), "1 min 00 s");
        assert_eq!(span(125.0), "2 min 05 s");
        assert_eq!(span(3723.0), "1 h 02 min");
        assert_eq!(clock(64.2), "1:05");
        assert_eq!(clock(3723.0), "1:02:03");
        assert_eq!(clock(f64::INFINITY), "-");
    }
}
