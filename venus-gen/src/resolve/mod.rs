//! Syntax records to model: what is selected, what names mean, what can travel.
//!
//! The passes run in this order:
//!
//! 1. [`names`]: aliases. After it every thing has one canonical name.
//! 2. [`select`]: which types and commands the protocol takes from the registry.
//! 3. [`types`]: records become typed declarations, ids replace names; with [`values`] for the numbers behind names and
//!    the names behind numbers, and [`lengths`]. Then [`commands`], and [`rules`] for the rows of `venus.xml`.
//! 4. [`chains`]: which structure may follow which, and when a guest may send it.
//! 5. [`travel`]: what has an encoding, and what commands reach. Of that, [`lengths`] must be known in time.
//! 6. [`families`]: which file of generated code each thing belongs to.
//! 7. [`counts`]: the result against the declared counts.

mod chains;
mod commands;
mod counts;
mod families;
mod lengths;
mod names;
mod rules;
mod select;
mod travel;
mod types;
mod values;

pub(crate) use counts::count;
pub(crate) use travel::content_obstacle;

use crate::diag::Diagnostics;
use crate::model::Model;
use crate::parse::{Registry, VenusRegistry};

/// Resolves both registries together.
pub(crate) fn resolve(vk: &Registry, venus: &VenusRegistry, diags: &mut Diagnostics) -> Model {
    let names = names::Names::new(vk, venus, diags);
    let selection = select::select(vk, venus, &names, diags);
    let (mut model, scope) = types::build(vk, venus, &names, &selection, diags);
    model.commands = commands::join(venus, &names, &selection, &scope, diags);
    rules::apply(venus, &scope.values, &mut model, diags);
    chains::link(&mut model, vk, venus, &names, &selection, diags);
    travel::mark(&mut model, venus, diags);
    lengths::check(&model, diags);
    families::assign(&mut model);
    model
}

/// Reports every derived count that differs from the declared one.
pub(crate) fn check_counts(model: &Model, venus: &VenusRegistry, diags: &mut Diagnostics) {
    counts::check(model, venus, diags);
}
