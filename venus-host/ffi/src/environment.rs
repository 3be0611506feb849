//! What users decide by environment variables, where there is no command line to decide it by.
//!
//! | variable | values | what |
//! |---|---|---|
//! | `VENUS_ISOLATION` | `process`, `thread` | whether each context has a process of its own |
//! | `VENUS_GPU` | `all`, a position, a deviceUUID, part of a name | which GPUs guests see |
//! | `VENUS_MEMORY` | `auto`, `dmabuf`, `import`, `opaque`, `pointer` | how host-visible memory reaches guests |
//! | `VENUS_PROFILE` | `native`, `moltenvk`, `kosmickrisp` | which driver to treat the driver as |
//! | `VENUS_PROTOCOL` | `433`, `448`, `453` | the level of the protocol that guests are served at |
//! | `VENUS_MAX_MEMORY` | a number of bytes | how much memory each guest may hold |
//! | `VENUS_MAX_OBJECTS` | a number | how many Vulkan objects each guest may have |
//! | `VENUS_MAX_GPU_TIME` | seconds | how long the GPU may take to the end of what a queue of a guest's was given |
//! | `VENUS_PIPELINE_CACHE` | `checked`, `trust` | what becomes of pipeline-cache data that guests bring |
//! | `VENUS_PIPELINE_CACHE_KEY` | a path | the file with the key that such data is known by; made if there is none |
//! | `VENUS_SANDBOX` | `strict`, `on`, `off` | what a process that serves a context gives up |
//! | `VENUS_SANDBOX_READ`, `VENUS_SANDBOX_WRITE` | paths with colons between them | what it keeps beside what drivers need |
//! | `VENUS_VALIDATE` | `1`, `0` | whether the Khronos validation layer checks what guests do |
//! | `VENUS_LOG` | `off`, `error`, `warn`, `info`, `debug`, `trace` | what goes to standard error: see [`log`](crate::log) |
//!
//! All but the first and the last mean what they mean to `venus serve`. An empty variable is as good as none.

use std::{env::split_paths, num::NonZeroU64, path::Path, str::FromStr, time::Duration};

use venus_host::{
    driver::{CacheKey, CachePolicy, Config, GpuChoice, Level, MemoryChoice, PipelineCaches, Profile},
    limits::Budget,
    sandbox::{Confinement, Sandbox},
};

use crate::Error;

const PROTOCOL: &str = "VENUS_PROTOCOL";

/// Whether each context has a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// It has: a guest that makes the driver crash takes nobody along.
    Process,
    /// All are served by this process.
    Thread,
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "process" => Ok(Self::Process),
            "thread" => Ok(Self::Thread),
            _ => Err(format!("{text:?} is neither process nor thread")),
        }
    }
}

/// What the environment says about isolation, if anything.
pub fn isolation() -> Result<Option<Isolation>, Error> {
    parsed(variable, "VENUS_ISOLATION")
}

/// `config` with what the environment says about drivers.
pub fn driver(config: Config) -> Result<Config, Error> {
    driver_from(variable, config)
}

/// `config` with what the environment says about pipeline caches. A worker process hears of that from its monitor.
pub fn pipeline_caches(config: Config) -> Result<Config, Error> {
    pipeline_caches_from(variable, config)
}

/// The level of the protocol that guests are told, unless options say otherwise.
pub fn protocol() -> Result<Level, Error> {
    Ok(parsed(variable, PROTOCOL)?.unwrap_or_default())
}

/// `budget` with what the environment says about what each guest may hold.
pub fn budget(budget: Budget) -> Result<Budget, Error> {
    budget_from(variable, budget)
}

/// What the environment says about what a process gives up that serves a context.
pub fn sandbox() -> Result<Sandbox, Error> {
    sandbox_from(variable)
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn driver_from(variable: impl Fn(&str) -> Option<String>, mut config: Config) -> Result<Config, Error> {
    if let Some(gpu) = parsed::<GpuChoice>(&variable, "VENUS_GPU")? {
        config = config.gpu(gpu);
    }
    if let Some(memory) = parsed::<MemoryChoice>(&variable, "VENUS_MEMORY")? {
        config = config.memory(memory);
    }
    if let Some(profile) = parsed::<Profile>(&variable, "VENUS_PROFILE")? {
        config = config.profile(profile);
    }
    if let Some(level) = parsed(&variable, PROTOCOL)? {
        config = config.protocol(level);
    }
    if let Some(validate) = variable("VENUS_VALIDATE") {
        config = config.validate(!matches!(validate.as_str(), "0" | "n" | "no" | "f" | "false" | "off"));
    }
    Ok(config)
}

fn pipeline_caches_from(variable: impl Fn(&str) -> Option<String>, config: Config) -> Result<Config, Error> {
    const KEY: &str = "VENUS_PIPELINE_CACHE_KEY";
    if parsed::<CachePolicy>(&variable, "VENUS_PIPELINE_CACHE")? == Some(CachePolicy::Trust) {
        return Ok(config.pipeline_caches(PipelineCaches::Trusted));
    }
    let Some(path) = variable(KEY) else { return Ok(config) };
    match CacheKey::load_or_create(Path::new(&path)) {
        Ok(key) => Ok(config.pipeline_caches(PipelineCaches::Checked(key))),
        Err(error) => Err(Error::argument(format!("the environment's {KEY}: {path}: {error}"))),
    }
}

fn budget_from(variable: impl Fn(&str) -> Option<String>, mut budget: Budget) -> Result<Budget, Error> {
    if let Some(bytes) = parsed(&variable, "VENUS_MAX_MEMORY")? {
        budget = budget.memory_bytes(bytes);
    }
    if let Some(objects) = parsed(&variable, "VENUS_MAX_OBJECTS")? {
        budget = budget.objects(objects);
    }
    if let Some(seconds) = parsed::<NonZeroU64>(&variable, "VENUS_MAX_GPU_TIME")? {
        budget = budget.gpu_time(Duration::from_secs(seconds.get()));
    }
    Ok(budget)
}

fn sandbox_from(variable: impl Fn(&str) -> Option<String>) -> Result<Sandbox, Error> {
    let mut sandbox = Sandbox::new(parsed::<Confinement>(&variable, "VENUS_SANDBOX")?.unwrap_or_default());
    let paths = |name| variable(name).into_iter().flat_map(|paths| split_paths(&paths).collect::<Vec<_>>());
    sandbox.readable.extend(paths("VENUS_SANDBOX_READ"));
    sandbox.writable.extend(paths("VENUS_SANDBOX_WRITE"));
    Ok(sandbox)
}

fn parsed<T: FromStr<Err: ToString>>(
    variable: impl Fn(&str) -> Option<String>,
    name: &str,
) -> Result<Option<T>, Error> {
    let Some(value) = variable(name) else { return Ok(None) };
    match value.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error) => Err(Error::argument(format!("the environment's {name}: {}", T::Err::to_string(&error)))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn variables_override_what_is_configured() {
        let set = |name: &str| match name {
            "VENUS_MEMORY" => Some("import".to_owned()),
            "VENUS_PROTOCOL" => Some("448".to_owned()),
            "VENUS_VALIDATE" => Some("off".to_owned()),
            _ => None,
        };
        let config = driver_from(set, Config::default().validate(true).memory(MemoryChoice::Pointer)).unwrap();
        assert_eq!((config.memory, config.protocol), (MemoryChoice::Import, Level::V448));
        assert!(!config.validate);
        let config = driver_from(|_| None, Config::default().validate(true)).unwrap();
        assert!(config.validate);
        let budget = budget_from(|name| (name == "VENUS_MAX_MEMORY").then(|| "4096".to_owned()), Budget::default());
        assert_eq!(budget, Ok(Budget::default().memory_bytes(4096)));
        let with = |value: &'static str| {
            budget_from(|name| (name == "VENUS_MAX_GPU_TIME").then(|| value.to_owned()), Budget::default())
        };
        assert_eq!(with("3"), Ok(Budget::default().gpu_time(Duration::from_secs(3))));
        assert!(with("0").is_err());
    }

    #[test]
    fn pipeline_caches_are_checked_by_a_kept_key_or_trusted() {
        let folder = std::env::temp_dir().join(format!("venus-environment-{}", std::process::id()));
        let path = folder.join("key").into_os_string().into_string().unwrap();
        let with = |policy: Option<&str>, path: Option<&str>| {
            let variable = |name: &str| match name {
                "VENUS_PIPELINE_CACHE" => policy.map(str::to_owned),
                "VENUS_PIPELINE_CACHE_KEY" => path.map(str::to_owned),
                _ => None,
            };
            pipeline_caches_from(variable, Config::default()).map(|config| config.pipeline_caches)
        };
        assert_eq!(with(None, None), Ok(PipelineCaches::default()));
        assert_eq!(with(Some("trust"), Some(&path)), Ok(PipelineCaches::Trusted));
        assert!(!folder.exists());
        let kept = with(Some("checked"), Some(&path));
        assert!(kept.is_ok() && kept != with(None, None), "{kept:?}");
        assert_eq!(kept, with(None, Some(&path)));
        std::fs::remove_dir_all(&folder).unwrap();
        let error = with(None, Some("/dev/null/key")).unwrap_err().to_string();
        assert!(error.contains("VENUS_PIPELINE_CACHE_KEY") && error.contains("/dev/null/key"), "{error}");
        assert!(with(Some("sometimes"), None).unwrap_err().to_string().contains("VENUS_PIPELINE_CACHE:"));
    }

    #[test]
    fn a_sandbox_is_on_unless_somebody_says_otherwise() {
        assert_eq!(sandbox_from(|_| None).unwrap().level, Confinement::On);
        let set = |name: &str| match name {
            "VENUS_SANDBOX" => Some("strict".to_owned()),
            "VENUS_SANDBOX_WRITE" => Some("/a:/b c".to_owned()),
            _ => None,
        };
        let sandbox = sandbox_from(set).unwrap();
        assert_eq!((sandbox.level, sandbox.readable.len()), (Confinement::Strict, 0));
        assert_eq!(sandbox.writable, [Path::new("/a"), Path::new("/b c")]);
        let error = sandbox_from(|name| (name == "VENUS_SANDBOX").then(|| "tight".to_owned())).unwrap_err();
        assert!(error.to_string().contains("VENUS_SANDBOX"), "{error}");
    }

    #[test]
    fn mistakes_name_the_variable() {
        let error = driver_from(|name| (name == "VENUS_MEMORY").then(|| "sideways".to_owned()), Config::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("VENUS_MEMORY") && error.contains("sideways"), "{error}");
        let error = driver_from(|name| (name == "VENUS_PROTOCOL").then(|| "450".to_owned()), Config::default());
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "the environment's VENUS_PROTOCOL: the levels of the protocol are 433, 448, 453");
        let error = parsed::<Isolation>(|_| Some("vm".to_owned()), "VENUS_ISOLATION").unwrap_err().to_string();
        assert_eq!(error, "the environment's VENUS_ISOLATION: \"vm\" is neither process nor thread");
    }
}
