//! `cargo xtask registry`: brings a newer Vulkan registry in.
//!
//! Reads and writes files; the reduction itself is [`venus_gen::reduce`]. Nothing is written unless everything went
//! well, so a refused import leaves the tree as it was.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use sha2::{Digest, Sha256};
use venus_gen::reduce::{self, Outline};

/// The reduced registry, from the workspace root.
const VK_XML: &str = "registry/vk.xml";
/// The Venus definitions, from the workspace root.
const VENUS_XML: &str = "registry/venus.xml";
/// What is known about the reduced registry, from the workspace root.
const README: &str = "registry/README.md";

/// The line after which the importer writes its facts.
const FACTS_BEGIN: &str = "<!-- facts: written by `cargo xtask registry import` -->";
/// The line before which they end.
const FACTS_END: &str = "<!-- end of facts -->";
/// How many names of a difference are printed before it is cut.
const NAMES_SHOWN: usize = 12;

/// Options of `cargo xtask registry`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Reduce an upstream vk.xml to registry/vk.xml and note where it came from in registry/README.md.
    Import(Import),
}

#[derive(clap::Args)]
struct Import {
    /// The upstream registry, for example /usr/share/vulkan/registry/vk.xml.
    path: PathBuf,
    /// Where it came from, in words: package and version, or repository and tag. Needed when the input is another
    /// one than last time.
    #[arg(long, value_name = "TEXT")]
    origin: Option<String>,
    /// Say what would change, but write nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.verb {
        Verb::Import(import) => run_import(import, &workspace_root()?),
    }
}

fn workspace_root() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace root")?;
    Ok(root.to_owned())
}

/// What an import writes, all of it checked.
struct Imported {
    vk_xml: String,
    readme: String,
    report: String,
}

#[expect(clippy::print_stdout, reason = "the report is what the command is run for")]
fn run_import(import: &Import, root: &Path) -> anyhow::Result<()> {
    let imported = prepare(import, root)?;
    print!("{}", imported.report);
    if import.dry_run {
        println!("nothing written (--dry-run)");
        return Ok(());
    }
    for (path, text) in [(VK_XML, &imported.vk_xml), (README, &imported.readme)] {
        let changed = write_if_changed(&root.join(path), text)?;
        println!("{path}: {}", if changed { "written" } else { "unchanged" });
    }
    Ok(())
}

/// Everything that can fail, before anything is written.
fn prepare(import: &Import, root: &Path) -> anyhow::Result<Imported> {
    let input = std::fs::read(&import.path).with_context(|| format!("cannot read {}", import.path.display()))?;
    let file_name = import.path.file_name().map_or_else(|| "vk.xml".to_owned(), |n| n.to_string_lossy().into_owned());
    let text = std::str::from_utf8(&input).map_err(|error| {
        let line = 1 + input.iter().take(error.valid_up_to()).filter(|&&byte| byte == b'\n').count();
        anyhow!("{file_name}:{line}: not UTF-8; import an unmodified vk.xml")
    })?;

    let vk_xml = checked(&file_name, text, &read(&root.join(VENUS_XML))?)?;

    let readme = read(&root.join(README))?;
    let facts = Facts::new(import, &input, text, &vk_xml, &readme)?;
    let before = match std::fs::read_to_string(root.join(VK_XML)) {
        Ok(before) => reduce::outline(VK_XML, &before)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outline::default(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {VK_XML}")),
    };
    let report = report(&before, &reduce::outline(VK_XML, &vk_xml)?);
    let readme = facts.put_into(&readme)?;
    Ok(Imported { vk_xml, readme, report })
}

/// Reduces a registry and checks that the generator accepts it together with the Venus definitions.
///
/// A command or alias that `venus.xml` names and the registry lacks, or the other way round, or a changed count, is
/// found here, before the tree changes. The generator reads the input, whose lines are the ones that a person can look
/// up; then the reduced registry, which must not have lost anything.
///
/// # Errors
///
/// The problems of both steps together.
fn checked(file_name: &str, text: &str, venus_xml: &str) -> anyhow::Result<String> {
    let reduced = reduce::reduce(file_name, text);
    let accepted = venus_gen::check_registry((file_name, text), (VENUS_XML, venus_xml));
    let vk_xml = match (reduced, accepted) {
        (Ok(vk_xml), Ok(())) => vk_xml,
        (Err(mut problems), Err(others)) => {
            problems.extend(others);
            return Err(problems.into_result(()).unwrap_err().into());
        }
        (Err(problems), Ok(())) | (Ok(_), Err(problems)) => return Err(problems.into()),
    };
    venus_gen::check_registry((VK_XML, &vk_xml), (VENUS_XML, venus_xml))
        .context("the reduced registry lost something; see venus-gen/src/reduce/schema.rs")?;
    Ok(vk_xml)
}

/// What the README says about the imported file. All of it is derived, except for the origin.
struct Facts {
    origin: String,
    version: String,
    copyright: String,
    sha256: String,
}

impl Facts {
    fn new(import: &Import, input: &[u8], text: &str, vk_xml: &str, readme: &str) -> anyhow::Result<Self> {
        let version = reduce::outline(VK_XML, vk_xml)?.version.context("reduce checked the version")?.to_string();
        let sha256: String = Sha256::digest(input).iter().map(|byte| format!("{byte:02x}")).collect();
        let same_input = fact(readme, "sha256").is_some_and(|before| before == format!("`{sha256}`"));
        let origin = match (&import.origin, fact(readme, "origin")) {
            (Some(origin), _) => origin.clone(),
            (None, Some(before)) if same_input => before.to_owned(),
            (None, _) => bail!(
                "this is another input than {README} describes: say where it came from, \
                 for example --origin \"Debian libvulkan-dev 1.4.309.0-1\""
            ),
        };
        let copyright = copyright(text)
            // The notice stands in a comment, which a reduced registry no longer has.
            .or_else(|| fact(readme, "copyright").filter(|_| same_input).map(str::to_owned))
            .context("the input has no copyright notice; import an unmodified vk.xml")?;
        Ok(Self { origin, version, copyright, sha256 })
    }

    /// The README with these facts between its two markers.
    fn put_into(&self, readme: &str) -> anyhow::Result<String> {
        let markers = || format!("{README} needs the lines `{FACTS_BEGIN}` and `{FACTS_END}`, in this order");
        let (head, rest) = readme.split_once(FACTS_BEGIN).with_context(markers)?;
        let (_, tail) = rest.split_once(FACTS_END).with_context(markers)?;
        let Self { origin, version, copyright, sha256 } = self;
        let rows = format!(
            "\n| fact | value |\n|---|---|\n| origin | {origin} |\n| header version | {version} |\n\
             | sha256 of the input | `{sha256}` |\n| copyright | {copyright} |\n| licence | Apache-2.0 OR MIT |\n\n"
        );
        Ok(format!("{head}{FACTS_BEGIN}\n{rows}{FACTS_END}{tail}"))
    }
}

/// The value of the row whose first cell begins with `name`.
fn fact<'a>(readme: &'a str, name: &str) -> Option<&'a str> {
    readme.lines().find_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        cells.next().filter(|cell| cell.starts_with(name))?;
        cells.next()
    })
}

/// The notice in the comment at the top of an upstream registry.
fn copyright(text: &str) -> Option<String> {
    let line = text.lines().take(20).find(|line| line.contains("Copyright"))?;
    let notice = line.get(line.find("Copyright")?..)?;
    Some(notice.trim_end_matches("</comment>").trim().to_owned())
}

/// What changed, in words.
fn report(before: &Outline, after: &Outline) -> String {
    let version = |outline: &Outline| outline.version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let mut report = format!("registry {} -> {}\n", version(before), version(after));
    for (what, before, after) in [
        ("commands", &before.commands, &after.commands),
        ("types", &before.types, &after.types),
        ("extensions", &before.extensions, &after.extensions),
    ] {
        report += &format!("  {what:<10} {}", after.len());
        for (sign, names) in [('+', after.difference(before)), ('-', before.difference(after))] {
            let names: BTreeSet<&str> = names.map(String::as_str).collect();
            // The first import adds everything; the count says it all.
            if names.is_empty() || names.len() == after.len() {
                continue;
            }
            let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).copied().collect();
            let more = if names.len() > NAMES_SHOWN { ", ..." } else { "" };
            report += &format!("; {sign}{}: {}{more}", names.len(), shown.join(", "));
        }
        report.push('\n');
    }
    report
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Replaces a file in one step, so that an interrupted import leaves no half of it. False if it was the same already.
fn write_if_changed(path: &Path, text: &str) -> anyhow::Result<bool> {
    if std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(false);
    }
    let folder = path.parent().context("files lie in folders")?;
    let mut file = tempfile::Builder::new()
        .permissions(permissions())
        .tempfile_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    file.persist(path).with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(true)
}

/// Those of a source file; a temporary file would be private.
fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use super::{FACTS_BEGIN, FACTS_END, Facts, Import, copyright, fact, prepare};

    const UPSTREAM: &str = "<registry>\n<comment>Copyright 2015-2025 Somebody</comment>\n<types>\n\
        <type category=\"define\">#define <name>VK_HEADER_VERSION</name> 309</type>\n\
        <type category=\"define\">#define <name>VK_HEADER_VERSION_COMPLETE</name> \
        <type>VK_MAKE_API_VERSION</type>(0, 1, 4, VK_HEADER_VERSION)</type>\n</types>\n</registry>\n";

    /// Definitions that ask nothing of a registry.
    const VENUS: &str = "<venus wire-format=\"1\">\n<levels>\n<level number=\"0\" xml-version=\"1.4.307\" names=\"0\" \
        ids=\"0\" aliases=\"0\" encodable=\"0\" id-only=\"0\" private=\"0\" structs=\"0\" chain-structs=\"0\" \
        plain-structs=\"0\" unions=\"0\" handles=\"0\" dispatchable=\"0\" enums=\"0\" roots=\"0\" pairs=\"0\" \
        children=\"0\" extensions=\"0\"/>\n</levels>\n</venus>\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("registry")).expect("registry/");
        std::fs::write(folder.path().join("registry/venus.xml"), VENUS).expect("venus.xml");
        let readme = format!("# Top\n{FACTS_BEGIN}\n{FACTS_END}\nbottom\n");
        std::fs::write(folder.path().join("registry/README.md"), readme).expect("README.md");
        folder
    }

    fn import(folder: &tempfile::TempDir, text: &str, origin: Option<&str>) -> Import {
        let path = folder.path().join("in.xml");
        std::fs::write(&path, text).expect("input");
        Import { path, origin: origin.map(str::to_owned), dry_run: false }
    }

    #[test]
    fn facts_are_replaced_and_the_rest_is_kept() {
        let folder = folder();
        let imported = prepare(&import(&folder, UPSTREAM, Some("a package")), folder.path()).expect("imports");
        assert!(imported.readme.starts_with("# Top\n") && imported.readme.ends_with("\nbottom\n"));
        assert_eq!(fact(&imported.readme, "origin"), Some("a package"));
        assert_eq!(fact(&imported.readme, "header version"), Some("1.4.309"));
        assert_eq!(fact(&imported.readme, "copyright"), Some("Copyright 2015-2025 Somebody"));

        // The same input again: the origin is known.
        std::fs::write(folder.path().join("registry/README.md"), &imported.readme).expect("README.md");
        let again = prepare(&import(&folder, UPSTREAM, None), folder.path()).expect("imports");
        assert_eq!((again.readme, again.vk_xml), (imported.readme, imported.vk_xml));

        // Another input: it is not.
        let error = prepare(&import(&folder, &UPSTREAM.replace("309", "310"), None), folder.path()).err();
        assert!(error.expect("refused").to_string().contains("--origin"));
    }

    #[test]
    fn a_refused_import_names_the_line() {
        let folder = folder();
        let broken = UPSTREAM.replace("<types>", "<types>\n<novelty/>");
        let error = prepare(&import(&folder, &broken, Some("x")), folder.path()).err().expect("refused");
        assert!(error.to_string().starts_with("in.xml:4: types/novelty: "), "{error}");
    }

    #[test]
    fn a_registry_that_the_generator_refuses_is_not_imported() {
        let folder = folder();
        let venus =
            VENUS.replace("</venus>", "<commands>\n<command id=\"0\" name=\"vkMissing\"/>\n</commands>\n</venus>");
        std::fs::write(folder.path().join("registry/venus.xml"), venus).expect("venus.xml");
        // Problems of both steps are reported in one run.
        let broken = UPSTREAM.replace("<types>", "<types>\n<novelty/>");
        let error = prepare(&import(&folder, &broken, Some("x")), folder.path()).err().expect("refused").to_string();
        assert!(error.contains("in.xml:4: types/novelty: "), "{error}");
        assert!(error.contains("registry/venus.xml:6: command vkMissing: no such command"), "{error}");
        assert!(error.ends_with("2 problem(s) in the registry"), "{error}");
    }

    #[test]
    fn a_readme_without_markers_is_refused() {
        let facts =
            Facts { origin: String::new(), version: String::new(), copyright: String::new(), sha256: String::new() };
        assert!(facts.put_into("no markers").is_err());
    }

    #[test]
    fn copyright_is_found_at_the_top_only() {
        assert_eq!(copyright("<!--\nCopyright 2020 A\n-->").as_deref(), Some("Copyright 2020 A"));
        assert_eq!(copyright(&format!("{}Copyright", "\n".repeat(50))), None);
    }
}
