#![forbid(unsafe_code)]
//! Generates the Venus protocol crate from the Vulkan registry: XML text in, Rust text out.
//!
//! ```text
//! vk.xml, venus.xml -> parse -> records -> resolve -> model -> lower -> wire plan -> emit -> files
//! ash's source      ---------------------------------------------------------------^
//! ```
//!
//! * `parse` reads the registry's schema and keeps positions.
//! * `resolve` selects what the protocol is made of at each of its levels and links it together; see its list of passes.
//! * `lower` decides what exactly travels. Every rule of the protocol is in these two rooms.
//! * `emit` spells the plan out as Rust, over the types that ash declares.
//!
//! The crate is pure: it reads no file, no environment, no clock. The same inputs give the same bytes. `xtask` feeds
//! it and writes what it returns.

pub mod diag;
mod emit;
mod lower;
mod model;
mod parse;
pub mod reduce;
mod resolve;
mod xml;

use diag::Diagnostics;
pub use emit::OutputFile;

/// Everything the generator looks at.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The Vulkan registry: file name for diagnostics, and text.
    pub vk_xml: (String, String),
    /// The Venus definitions: file name for diagnostics, and text.
    pub venus_xml: (String, String),
    /// ash's `src/vk/*.rs`, as names and texts.
    pub ash: Vec<(String, String)>,
}

/// What the generator makes.
#[derive(Clone, Debug)]
pub struct Output {
    /// The generated tree, sorted by path.
    pub files: Vec<OutputFile>,
    /// Entry points of a driver that executes nothing and notes its calls, for the host's tests.
    pub mock: Vec<OutputFile>,
    /// What the registry amounts to at each level, oldest first.
    pub levels: Vec<LevelCounts>,
}

/// What the protocol amounts to at one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelCounts {
    /// The level.
    pub number: u32,
    /// Name of the count and value, in the order of the attributes of `venus.xml`'s `<level>`.
    pub counts: Vec<(&'static str, usize)>,
}

/// Runs the whole pipeline.
///
/// # Errors
///
/// Every problem of both registries, of their counts, and of ash's declarations against the registry's.
pub fn generate(inputs: &Inputs) -> Result<Output, Diagnostics> {
    let mut diags = Diagnostics::new();
    let (model, plan) = plan(&inputs.vk_xml, &inputs.venus_xml, &mut diags);
    let index = emit::ash::AshIndex::new(&inputs.ash, &mut diags);
    emit::check(&model, &plan, &index, &mut diags);
    diags.into_result(())?;
    let levels = model.levels.iter().map(|level| LevelCounts {
        number: level.number,
        counts: level.counts.iter().map(|count| (count.name, count.value)).collect(),
    });
    let levels = levels.collect();
    let mock = emit::emit_mock(&model, &plan, &index);
    Ok(Output { files: emit::emit(&model, &plan, &index), mock, levels })
}

/// Checks that a registry still gives the protocol that `venus.xml` declares, without emitting anything.
///
/// # Errors
///
/// Every problem of both registries and of their counts.
pub fn check_registry(vk_xml: (&str, &str), venus_xml: (&str, &str)) -> Result<(), Diagnostics> {
    let mut diags = Diagnostics::new();
    let own = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    plan(&own(vk_xml), &own(venus_xml), &mut diags);
    diags.into_result(())
}

/// The resolved model and its wire plan as stable text, for review.
///
/// # Errors
///
/// As for [`check_registry`].
pub fn describe(vk_xml: (&str, &str), venus_xml: (&str, &str)) -> Result<String, Diagnostics> {
    let mut diags = Diagnostics::new();
    let own = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    let (model, plan) = plan(&own(vk_xml), &own(venus_xml), &mut diags);
    diags.into_result(lower::print(&model, &plan))
}

fn plan(
    (vk_file, vk_xml): &(String, String),
    (venus_file, venus_xml): &(String, String),
    diags: &mut Diagnostics,
) -> (model::Model, lower::WirePlan) {
    let registry = parse::parse_registry(vk_file, vk_xml, diags);
    let venus = parse::parse_venus(venus_file, venus_xml, diags);
    // Without one of the documents everything in the other would be a problem.
    let (Some(registry), Some(venus)) = (registry, venus) else { return Default::default() };
    let model = resolve::resolve(&registry, &venus, diags);
    let plan = lower::lower(&model);
    (model, plan)
}
