//! The options of pipeline caches.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use venus_host::driver::{CacheKey, CachePolicy, PipelineCaches};

/// What becomes of pipeline-cache data that guests bring.
#[derive(Debug, Clone, Args)]
pub(super) struct CacheArgs {
    /// What becomes of the data of pipeline caches, which guests keep in files and bring back. `checked`: it carries a tag of
    /// this host's, and what comes without is an empty cache. `trust`: the driver is given, and parses, whatever a guest
    /// brings
    #[arg(long, env = "VENUS_PIPELINE_CACHE", default_value_t, value_name = "POLICY")]
    pipeline_cache: CachePolicy,

    /// The file with the key of these tags, which is made if there is none; without it `venus/pipeline-cache.key` where the
    /// user's programs keep their state ($XDG_STATE_HOME, ~/.local/state). As long as it stays the same, so does what guests
    /// have kept; whoever has it can have the driver parse what they like
    #[arg(long, env = "VENUS_PIPELINE_CACHE_KEY", value_name = "PATH")]
    pipeline_cache_key: Option<PathBuf>,
}

impl CacheArgs {
    /// The options as the library takes them, for a server: a key that there is not is made.
    pub(super) fn made(&self) -> Result<PipelineCaches, anyhow::Error> {
        match (self.pipeline_cache, &self.pipeline_cache_key) {
            (CachePolicy::Trust, _) => Ok(PipelineCaches::Trusted),
            (CachePolicy::Checked, Some(path)) => CacheKey::load_or_create(path)
                .map(PipelineCaches::Checked)
                .with_context(|| format!("--pipeline-cache-key {}", path.display())),
            (CachePolicy::Checked, None) => Ok(kept(CacheKey::load_or_create).unwrap_or_else(|reason| {
                tracing::warn!("what guests keep of pipeline caches is of no use to their next process: {reason:#}");
                PipelineCaches::default()
            })),
        }
    }

    /// The same for who comes after a server: without a key it makes do with one of its own.
    pub(super) fn known(&self) -> Result<PipelineCaches, anyhow::Error> {
        match (self.pipeline_cache, &self.pipeline_cache_key) {
            (CachePolicy::Trust, _) => Ok(PipelineCaches::Trusted),
            (CachePolicy::Checked, Some(path)) => CacheKey::load(path)
                .map(PipelineCaches::Checked)
                .with_context(|| format!("--pipeline-cache-key {}", path.display())),
            (CachePolicy::Checked, None) => Ok(kept(CacheKey::load).unwrap_or_else(|reason| {
                tracing::debug!("pipeline caches have a key of this process's: {reason:#}");
                PipelineCaches::default()
            })),
        }
    }

    /// The environment that makes another `venus` have the same options.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, OsString)> {
        let path = self.pipeline_cache_key.clone().map(PathBuf::into_os_string);
        let policy = ("VENUS_PIPELINE_CACHE", OsString::from(self.pipeline_cache.to_string()));
        [policy].into_iter().chain(path.map(|path| ("VENUS_PIPELINE_CACHE_KEY", path)))
    }
}

/// What `load` gives of the key in the user's state folder.
fn kept(load: impl Fn(&Path) -> io::Result<CacheKey>) -> Result<PipelineCaches, anyhow::Error> {
    // The base directory specification has relative paths ignored.
    let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let root = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    let path = root.context("there is no state folder to keep a key in")?.join("venus/pipeline-cache.key");
    load(&path).map(PipelineCaches::Checked).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        caches: CacheArgs,
    }

    fn parsed(arguments: &[&str]) -> CacheArgs {
        <Cli as clap::Parser>::parse_from([&[""], arguments].concat()).caches
    }

    #[test]
    fn a_server_makes_the_key_that_its_workers_know() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let args = parsed(&["--pipeline-cache-key", path.to_str().unwrap()]);
        let error = args.known().unwrap_err();
        assert!(format!("{error:#}").contains("--pipeline-cache-key"), "{error:#}");
        let made = args.made().unwrap();
        assert_ne!(made, PipelineCaches::default());
        assert_eq!((args.known().unwrap(), args.made().unwrap()), (made.clone(), made));
        assert!(parsed(&["--pipeline-cache-key", "/dev/null/key"]).made().is_err());
    }

    #[test]
    fn whoever_trusts_guests_needs_no_key() {
        let path = "/dev/null/key";
        let args = parsed(&["--pipeline-cache", "trust", "--pipeline-cache-key", path]);
        assert_eq!((args.made().unwrap(), args.known().unwrap()), (PipelineCaches::Trusted, PipelineCaches::Trusted));
        assert!(!Path::new(path).exists());
    }

    #[test]
    fn another_process_gets_the_same() {
        let told = |arguments| parsed(arguments).environment().collect::<Vec<_>>();
        assert_eq!(told(&[]), [("VENUS_PIPELINE_CACHE", OsString::from("checked"))]);
        let expected = [("VENUS_PIPELINE_CACHE", "trust".into()), ("VENUS_PIPELINE_CACHE_KEY", "/a".into())];
        assert_eq!(told(&["--pipeline-cache", "trust", "--pipeline-cache-key", "/a"]), expected);
    }
}
