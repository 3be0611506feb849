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
//!
//! They run for each of the [`levels`], of which the newest holds all that the others do.

mod chains;
mod commands;
mod counts;
mod families;
mod lengths;
mod levels;
mod names;
mod rules;
mod select;
mod travel;
mod types;
mod values;

pub(crate) use lengths::in_wire_order;
pub(crate) use travel::content_obstacle;

use crate::diag::Diagnostics;
use crate::model::Model;
use crate::parse::{Registry, VenusRegistry};

/// Resolves both registries together, and compares what they amount to at each level with what is declared.
pub(crate) fn resolve(vk: &Registry, venus: &VenusRegistry, diags: &mut Diagnostics) -> Model {
    let resolved = venus.levels.iter();
    let resolved = resolved.map(|level| (level.number, resolve_at(vk, &levels::at(venus, level.number), diags)));
    let mut older: Vec<(u32, Model)> = resolved.collect();
    let described = venus.levels.iter().zip(&older).map(|(level, (_, model))| levels::describe(level, model)).collect();
    let Some((newest, mut model)) = older.pop() else { return Model::default() };
    model.levels = described;
    // Whatever was reported so far explains why the counts are off.
    if diags.as_slice().is_empty() {
        venus
            .levels
            .iter()
            .zip(&model.levels)
            .for_each(|(declared, level)| counts::check(&level.counts, declared, diags));
    }
    levels::mark(&mut model, newest, &older, diags);
    levels::check_numbers(&model, &model.levels, diags);
    model
}

/// Resolves the definitions of one level.
fn resolve_at(vk: &Registry, venus: &VenusRegistry, diags: &mut Diagnostics) -> Model {
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
