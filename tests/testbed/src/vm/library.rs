//! The library under test, built and put where QEMU's loader finds it by its name.

use super::machine::Library;
use crate::cargo::{Development, build_library};
use crate::installation::VIRGLRENDERER;
use crate::workspace;
use anyhow::{Context as _, Result};
use std::path::Path;

/// Builds ours, optimised or for `development`, in a folder of its own: QEMU must not find there what else cargo makes.
///
/// # Errors
///
/// It does not compile, or cannot be copied.
pub fn build_ours(development: Option<Development>) -> Result<Library> {
    const PACKAGE: &str = "venus-virglrenderer";
    let (built, name) = match development {
        None => (build_library(&["--release", "--package", PACKAGE, "--lib"])?, "library"),
        Some(development) => (development.library(&[PACKAGE])?, "library-dev"),
    };
    let folder = workspace().join("target/vm").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let name = Path::new(VIRGLRENDERER[0]).file_name().context("a library has a name")?;
    // A new file, so that a machine at work keeps the one that it has mapped.
    let (made, path) = (folder.join(".new"), folder.join(name));
    std::fs::copy(&built, &made).with_context(|| format!("copying {}", built.display()))?;
    std::fs::rename(&made, &path).with_context(|| format!("renaming to {}", path.display()))?;
    Ok(Library::In(folder))
}
