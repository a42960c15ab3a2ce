//! Which of the two texts a scraper reads.

/// A text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The format that an HTTP `Accept` header asks for; the text when it asks for neither.
    pub fn of_accept(accept: &str) -> Self {
        let quality = |media_type: &str| {
            accept
                .split(',')
                .filter(|range| {
                    range.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(media_type))
                })
                .map(quality)
                .fold(0.0, f32::max)
        };
        let open_metrics = quality("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= quality("text/plain") { Self::OpenMetrics } else { Self::Text }
    }

    /// The `Content-Type` of the answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

fn quality(range: &str) -> f32 {
    range
        .split(';')
        .skip(1)
        .find_map(|parameter| parameter.trim().strip_prefix("q=")?.parse().ok())
        .unwrap_or(1.0_f32)
        .clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_accept_prefers() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
                          q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::of_accept(prometheus), Format::OpenMetrics);
        assert_eq!(Format::of_accept("application/openmetrics-text"), Format::OpenMetrics);
        assert_eq!(Format::of_accept("text/plain, application/openmetrics-text; q=0.5"), Format::Text);
        assert_eq!(Format::of_accept("application/openmetrics-text;q=0"), Format::Text);
        assert_eq!(Format::of_accept("*/*"), Format::Text);
        assert_eq!(Format::of_accept(""), Format::Text);
    }
}
