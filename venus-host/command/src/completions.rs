//! `venus completions`: what a shell needs to complete this command line.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  venus completions bash > ~/.local/share/bash-completion/completions/venus
  venus completions fish > ~/.config/fish/completions/venus.fish
  venus completions zsh > /usr/local/share/zsh/site-functions/_venus";

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), anyhow::Error> {
    io::stdout().write_all(&script(args.shell)).context("cannot print the script")
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(), "venus", &mut script);
    script
}

/// The command line without hidden verbs: generators would offer those, too, and nobody but the server starts them.
fn shown() -> Command {
    let all = super::command();
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set());
    Command::new("venus").args(all.get_arguments()).subcommands(verbs)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_completes_every_verb_and_its_options() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for verb in shown().get_subcommands() {
                assert!(script.contains(verb.get_name()), "{shell}: no `{}`", verb.get_name());
                for option in verb.get_arguments().filter(|option| !option.is_hide_set()).filter_map(|o| o.get_long()) {
                    assert!(script.contains(option), "{shell}: `{}` without --{option}", verb.get_name());
                }
            }
        }
    }

    #[test]
    fn only_hidden_verbs_are_left_out() {
        let shown: Vec<String> = shown().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        for verb in super::super::command().get_subcommands() {
            assert_eq!(shown.iter().any(|name| name == verb.get_name()), !verb.is_hide_set(), "{}", verb.get_name());
        }
        assert!(shown.len() > 2, "{shown:?}");
    }
}
