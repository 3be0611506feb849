//! Freshness: generated files as they are against generated files as they should be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use similar::TextDiff;

/// Longest part of a diff that is printed per file, in lines.
const MAX_DIFF_LINES: usize = 60;

/// What should be there.
pub(crate) struct Expected {
    /// Texts by path below the root, with `/`.
    pub(crate) files: BTreeMap<String, String>,
    /// Folders that hold none but these files.
    pub(crate) folders: Vec<String>,
}

/// A file that is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// Somebody edited it, or the generator changed.
    Edited { path: String, old: String, new: String },
    /// It does not exist.
    Missing { path: String, new: String },
    /// Nothing generates it.
    Orphan { path: String },
}

/// Every file below `root` that differs from what is expected, by path.
pub(crate) fn compare(root: &Path, expected: &Expected) -> anyhow::Result<Vec<Stale>> {
    let mut stale = Vec::new();
    for (path, new) in &expected.files {
        let full = root.join(path);
        let (path, new) = (path.clone(), new.clone());
        match fs::read(&full) {
            Ok(old) if old == new.as_bytes() => {}
            Ok(old) => stale.push(Stale::Edited { path, old: String::from_utf8_lossy(&old).into_owned(), new }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => stale.push(Stale::Missing { path, new }),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", full.display())),
        }
    }
    for folder in &expected.folders {
        let mut found = Vec::new();
        list(root, folder, &mut found)?;
        let orphans = found.into_iter().filter(|path| !expected.files.contains_key(path));
        stale.extend(orphans.map(|path| Stale::Orphan { path }));
    }
    stale.sort_by(|left, right| left.path().cmp(right.path()));
    Ok(stale)
}

/// Says what is stale, and fails if something is; `verb` is what to run then.
#[expect(clippy::print_stdout, reason = "the difference is what the command is asked for")]
pub(crate) fn check(stale: &[Stale], verb: &str) -> anyhow::Result<()> {
    for entry in stale {
        print!("{}", entry.describe());
    }
    match stale.len() {
        0 => Ok(()),
        n => bail!("{n} generated file(s) are stale; run `{verb}`"),
    }
}

/// Makes fresh what is stale.
#[expect(clippy::print_stdout, reason = "says which files changed")]
pub(crate) fn write(root: &Path, stale: &[Stale]) -> anyhow::Result<()> {
    for entry in stale {
        println!("{}", entry.repair(root)?);
    }
    Ok(())
}

/// Lists every file below `folder`, by path below `root`.
fn list(root: &Path, folder: &str, found: &mut Vec<String>) -> anyhow::Result<()> {
    let full = root.join(folder);
    if !full.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(&full).with_context(|| format!("cannot list {}", full.display()))? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(root, &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

impl Stale {
    fn path(&self) -> &str {
        match self {
            Self::Edited { path, .. } | Self::Missing { path, .. } | Self::Orphan { path } => path,
        }
    }

    /// What is wrong, for a person; ends with a newline.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Orphan { path } => format!("orphan: nothing generates {path}\n"),
            Self::Missing { path, .. } => format!("missing: {path}\n"),
            Self::Edited { path, old, new } => {
                let diff = TextDiff::from_lines(old.as_str(), new.as_str());
                let diff = diff.unified_diff().header("checked in", "generated").to_string();
                let lines: Vec<&str> = diff.lines().collect();
                let shown = lines.get(..MAX_DIFF_LINES).unwrap_or(&lines);
                let more = match lines.len() - shown.len() {
                    0 => String::new(),
                    n => format!("... and {n} more lines\n"),
                };
                format!("edited: {path}\n{}\n{more}", shown.join("\n"))
            }
        }
    }

    /// Makes the file what it should be, and says what was done.
    pub(crate) fn repair(&self, root: &Path) -> anyhow::Result<String> {
        let full = root.join(self.path());
        match self {
            Self::Orphan { path } => {
                fs::remove_file(&full).with_context(|| format!("cannot remove {path}"))?;
                Ok(format!("removed {path}"))
            }
            Self::Missing { path, new } | Self::Edited { path, new, .. } => {
                if let Some(parent) = full.parent() {
                    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
                }
                fs::write(&full, new).with_context(|| format!("cannot write {}", full.display()))?;
                Ok(format!("wrote {path}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Expected, MAX_DIFF_LINES, Stale, compare};

    fn expected() -> Expected {
        let files = [("gen/a.rs", "a\n"), ("gen/deep/b.rs", "b\n"), ("docs/page.md", "page\n")];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Expected { files: files.into(), folders: vec!["gen".to_owned()] }
    }

    /// A folder in which every expected file is fresh.
    fn fresh() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for stale in compare(folder.path(), &expected()).expect("compares") {
            stale.repair(folder.path()).expect("writes");
        }
        folder
    }

    fn problems(folder: &tempfile::TempDir) -> Vec<String> {
        let stale = compare(folder.path(), &expected()).expect("compares");
        stale.iter().map(Stale::describe).collect()
    }

    #[test]
    fn fresh_files_are_fresh() {
        assert_eq!(problems(&fresh()), [""; 0]);
    }

    #[test]
    fn an_empty_folder_misses_everything() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(problems(&folder), ["missing: docs/page.md\n", "missing: gen/a.rs\n", "missing: gen/deep/b.rs\n"]);
    }

    #[test]
    fn edits_are_shown_as_a_difference() {
        let folder = fresh();
        fs::write(folder.path().join("gen/a.rs"), "mine\n").expect("writes");
        let expected = "edited: gen/a.rs\n--- checked in\n+++ generated\n@@ -1 +1 @@\n-mine\n+a\n";
        assert_eq!(problems(&folder), [expected]);
    }

    #[test]
    fn long_differences_are_cut() {
        let folder = fresh();
        fs::write(folder.path().join("gen/a.rs"), "mine\n".repeat(200)).expect("writes");
        let text = problems(&folder).concat();
        assert_eq!(text.lines().count(), MAX_DIFF_LINES + 2, "{text}");
        assert!(text.ends_with(" more lines\n"), "{text}");
    }

    #[test]
    fn orphans_are_found_in_owned_folders_only() {
        let folder = fresh();
        fs::write(folder.path().join("gen/deep/old.rs"), "").expect("writes");
        fs::write(folder.path().join("docs/other.md"), "").expect("writes");
        assert_eq!(problems(&folder), ["orphan: nothing generates gen/deep/old.rs\n"]);
    }

    #[test]
    fn repairs_leave_nothing_stale() {
        let folder = fresh();
        fs::write(folder.path().join("gen/a.rs"), "mine\n").expect("writes");
        fs::write(folder.path().join("gen/orphan.rs"), "").expect("writes");
        fs::remove_file(folder.path().join("gen/deep/b.rs")).expect("removes");
        let stale = compare(folder.path(), &expected()).expect("compares");
        let done: Vec<String> = stale.iter().map(|stale| stale.repair(folder.path()).expect("repairs")).collect();
        assert_eq!(done, ["wrote gen/a.rs", "wrote gen/deep/b.rs", "removed gen/orphan.rs"]);
        assert_eq!(problems(&folder), [""; 0]);
    }
}
