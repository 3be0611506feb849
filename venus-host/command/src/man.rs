//! `venus man`: the manual pages of this command line.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  venus man /usr/local/share/man/man1    then: man venus-serve
  venus man /tmp/man                     then: man -l /tmp/man/venus-serve.1";

/// Write the manual pages: one of the program, one of each verb
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManArgs {
    /// Folder for the pages; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(args: &ManArgs) -> Result<(), anyhow::Error> {
    let folder = &args.folder;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(super::command(), folder)
        .with_context(|| format!("cannot write manual pages to {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_with_examples_and_exit_status() {
        let folder = tempfile::tempdir().unwrap();
        run(&ManArgs { folder: folder.path().join("new") }).unwrap();
        let page = |name: &str| {
            let page = fs::read_to_string(folder.path().join("new").join(format!("{name}.1")));
            page.unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let program = page("venus");
        for verb in super::super::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_name();
            assert!(program.contains(name), "venus.1 does not mention {name}");
            let page = page(&format!("venus-{name}"));
            for heading in ["Examples:", "Exit status:"] {
                assert!(page.contains(heading), "venus-{name}.1 has no `{heading}`");
            }
            for option in verb.get_arguments().filter(|option| !option.is_hide_set()).filter_map(|o| o.get_long()) {
                assert!(page.contains(&option.replace('-', "\\-")), "venus-{name}.1 does not mention --{option}");
            }
        }
        assert!(page("venus-serve").contains("VTEST_SOCKET_NAME"), "venus-serve.1 does not name its environment");
        assert!(!folder.path().join("new/venus-worker.1").exists(), "a hidden verb has a page");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = run(&ManArgs { folder: file.path().join("man") }).unwrap_err();
        assert!(error.to_string().contains("/man"), "{error:#}");
    }
}
