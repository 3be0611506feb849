//! Log lines about connections and workers, which whoever may connect can cause in any number.

use std::time::{Duration, Instant};

use crate::limits;

/// How long the lines of a moment are counted together.
const MOMENT: Duration = Duration::from_secs(10);

/// Logs the first lines of each moment, and counts the others.
#[derive(Debug, Default)]
pub(super) struct LogLimiter {
    begun: Option<Instant>,
    in_moment: u64,
}

impl LogLimiter {
    /// Logs a line, if there were not too many lately.
    pub(super) fn warn(&mut self, line: &str) {
        if let Some(line) = self.admit(line, Instant::now()) {
            tracing::warn!("{line}");
        }
    }

    /// The same for something worse.
    pub(super) fn error(&mut self, line: &str) {
        if let Some(line) = self.admit(line, Instant::now()) {
            tracing::error!("{line}");
        }
    }

    /// What to log, if anything.
    fn admit(&mut self, line: &str, now: Instant) -> Option<String> {
        let is_over = self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= MOMENT);
        let untold = self.in_moment.saturating_sub(limits::LOGGED_REFUSALS);
        if is_over {
            (self.begun, self.in_moment) = (Some(now), 0);
        }
        self.in_moment = self.in_moment.saturating_add(1);
        match self.in_moment {
            1 if untold > 0 => Some(format!("{line} (and {untold} like it were not logged before)")),
            n if n < limits::LOGGED_REFUSALS => Some(line.to_owned()),
            limits::LOGGED_REFUSALS => Some(format!("{line}; for some seconds, more like it are only counted")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let mut limiter = LogLimiter::default();
        let start = Instant::now();
        let flood: Vec<String> = (0..1000).filter_map(|_| limiter.admit("refused", start)).collect();
        assert_eq!(u64::try_from(flood.len()).unwrap(), limits::LOGGED_REFUSALS);
        assert_eq!(flood[0], "refused");
        assert!(flood.last().unwrap().contains("only counted"));
        let later = limiter.admit("refused", start + MOMENT).unwrap();
        assert!(later.contains(&format!("(and {} like it", 1000 - limits::LOGGED_REFUSALS)), "{later}");
        assert_eq!(limiter.admit("refused", start + 2 * MOMENT).as_deref(), Some("refused"));
    }
}
