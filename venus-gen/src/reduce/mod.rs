//! Reduces an upstream `vk.xml` to what code needs.
//!
//! The Khronos registry is several megabytes, most of it prose, synchronisation tables and format layouts that no
//! serialiser looks at. [`reduce`] keeps the elements and attributes that the generator reads and nothing else, so
//! that moving to a newer registry is a difference a person can review. What is left still follows the upstream
//! schema, in upstream order: the order in which types are declared decides the order of `pNext` child lists.
//!
//! The result is a function of the input alone: the same input gives the same bytes, and reducing a reduced registry
//! gives it back. It knows nothing of Venus: which commands are selected is decided later, from `venus.xml`.
//!
//! ```text
//! text -> tree (elements with their lines) -> prune by schema -> write
//! ```
//!
//! The tree is `crate::xml`'s, which stops at the first well-formedness error: nothing behind it can be trusted.
//!
//! * `schema`: which elements and attributes exist, and which of them are kept. Start here when a newer registry
//!   brings something new.
//! * `prune`: applies the schema and reports everything that does not fit it, all in one run.
//! * `declaration`: the C text that stands inside types, members and parameters.
//! * `outline`: names and version of a registry, to say what an import changed.

mod declaration;
mod outline;
mod prune;
mod schema;
mod write;

use crate::diag::{Diagnostics, XmlPos};
use crate::xml;

pub use self::outline::{HeaderVersion, Outline, outline};

/// The oldest registry that declares everything `venus.xml` names.
pub const OLDEST_HEADER: HeaderVersion = HeaderVersion { major: 1, minor: 4, patch: 307 };

/// Reduces the registry `xml`. `file_name` is only used to say where a problem is.
///
/// # Errors
///
/// All problems at once: elements, attributes or text that the registry schema does not have at their place, and
/// declarations without the parts that the generator relies on. Broken XML is reported alone, at the first place
/// where it breaks.
pub fn reduce(file_name: &str, xml: &str) -> Result<String, Diagnostics> {
    let root = xml::read(file_name, xml)?;
    let mut diagnostics = Diagnostics::new();

    match outline::header_version(&root) {
        Some(version) if version < OLDEST_HEADER => diagnostics.push(
            &XmlPos { file: file_name.to_owned(), line: 0 },
            "types/type VK_HEADER_VERSION",
            format!("the registry is version {version}, older than {OLDEST_HEADER}"),
            format!("import a vk.xml of version {OLDEST_HEADER} or newer"),
        ),
        Some(_) => {}
        None => diagnostics.push(
            &XmlPos { file: file_name.to_owned(), line: 0 },
            "types/type VK_HEADER_VERSION",
            "the registry does not state its version",
            "it needs the defines VK_HEADER_VERSION and VK_HEADER_VERSION_COMPLETE, as every upstream vk.xml has them",
        ),
    }

    let kept = prune::prune(file_name, &root, &mut diagnostics);
    diagnostics.into_result(())?;
    Ok(write::write(&kept))
}
