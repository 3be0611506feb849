//! What measurements have in common: sorted numbers, and a file.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The value that half of them do not exceed.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that this share of them do not exceed; 0 of none.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index from a share between 0 and 1"
    )]
    let index = ((values.len().saturating_sub(1)) as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or_default()
}

/// Writes the figures down, if somebody wants them.
pub(crate) fn save(path: Option<&Path>, figures: &Value) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(quantile((0..101).map(f64::from).collect(), 0.99), 99.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
