//! What rows of measurements have in common: ways to the driver, turns on each, ratios of the same turn.

use serde_json::{Value, json};

use crate::report::{median, quantile};

/// The ways to the driver, in the order of tables' columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Native,
    Ours,
    Peer,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Native, Self::Ours, Self::Peer];
}

/// What one turn said, in its row's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    /// Nothing where the turn is one number.
    pub(crate) p99: Option<f64>,
    /// How often the processors went from one thread to another for each thing that was timed.
    pub(crate) switches: Option<f64>,
}

impl From<f64> for Times {
    fn from(p50: f64) -> Self {
        Self { p50, p99: None, switches: None }
    }
}

/// What became of one row on one way: its turns, or why there are none.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) turns: Vec<Times>,
    pub(crate) failed: Option<String>,
}

impl Outcome {
    /// The median of the turns' medians.
    pub(crate) fn p50(&self) -> Option<f64> {
        some_median(self.turns.iter().map(|times| times.p50).collect())
    }

    /// The median of the turns' slowest per cent.
    pub(crate) fn p99(&self) -> Option<f64> {
        some_median(self.turns.iter().filter_map(|times| times.p99).collect())
    }

    /// The median of the turns' switches.
    pub(crate) fn switches(&self) -> Option<f64> {
        some_median(self.turns.iter().filter_map(|times| times.switches).collect())
    }
}

fn some_median(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| median(values))
}

/// One row, in the order of [`Way::ALL`].
#[derive(Debug, Default)]
pub(crate) struct Row(pub(crate) [Outcome; 3]);

impl Row {
    pub(crate) fn of(&self, way: Way) -> &Outcome {
        &self.0[way as usize]
    }

    pub(crate) fn of_mut(&mut self, way: Way) -> &mut Outcome {
        &mut self.0[way as usize]
    }

    /// Ratio of ours to another way, turn by turn: the median, and the least and the greatest.
    pub(crate) fn ratio(&self, to: Way) -> Option<[f64; 3]> {
        self.ratio_of(to, |times| Some(times.p50))
    }

    /// The same of the slowest per cent.
    fn ratio_of_p99(&self, to: Way) -> Option<[f64; 3]> {
        self.ratio_of(to, |times| times.p99)
    }

    fn ratio_of(&self, to: Way, figure: impl Fn(&Times) -> Option<f64>) -> Option<[f64; 3]> {
        // Behind a turn that failed, turns of the two are no pairs.
        if self.of(Way::Ours).failed.is_some() || self.of(to).failed.is_some() {
            return None;
        }
        let pairs = self.of(Way::Ours).turns.iter().zip(&self.of(to).turns);
        let ratios = pairs.filter_map(|(ours, other)| Some(figure(ours)? / figure(other)?));
        let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        (!ratios.is_empty()).then(|| [0.5, 0.0, 1.0].map(|share| quantile(ratios.clone(), share)))
    }

    /// For programs, and for the page.
    pub(crate) fn json(&self, case: &str, title: &str) -> Value {
        let figures = |way| {
            let outcome = self.of(way);
            json!({
                "p50": outcome.p50(), "p99": outcome.p99(), "switches": outcome.switches(),
                "turns": outcome.turns.len(), "failed": outcome.failed,
            })
        };
        json!({
            "case": case, "what": title,
            "native": figures(Way::Native), "ours": figures(Way::Ours), "peer": figures(Way::Peer),
            "ours_to_native": self.ratio(Way::Native), "ours_to_peer": self.ratio(Way::Peer),
            "p99_to_peer": self.ratio_of_p99(Way::Peer),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_turn() {
        let times = |p50: f64| Times { p50, p99: Some(2.0 * p50), switches: Some(p50) };
        let turns = [vec![times(1.0), times(10.0), times(1.0)], vec![times(2.0), times(10.0), times(4.0)], Vec::new()];
        let row = Row(turns.map(|turns| Outcome { turns, failed: None }));
        assert_eq!(row.ratio(Way::Native), Some([2.0, 1.0, 4.0]));
        assert_eq!(row.ratio_of_p99(Way::Native), Some([2.0, 1.0, 4.0]));
        assert_eq!(row.ratio(Way::Peer), None);
        assert_eq!((row.of(Way::Peer).p50(), row.of(Way::Ours).p99()), (None, Some(8.0)));
        assert_eq!((row.of(Way::Peer).switches(), row.of(Way::Ours).switches()), (None, Some(4.0)));
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let row = Row([[].as_slice(), &[0.0, 3.0], &[0.0, 6.0]]
            .map(|turns| Outcome { turns: turns.iter().copied().map(Times::from).collect(), failed: None }));
        assert_eq!(row.ratio(Way::Peer), Some([0.5, 0.5, 0.5]));
        assert_eq!(row.ratio_of_p99(Way::Peer), None);
    }
}
