//! Roots of guests, and of a Rust toolchain: made once with mmdebstrap, kept in the user's cache folder, found again by
//! what went into them.
//!
//! ```text
//! ~/.cache/venus-toolkit/guests/
//!     trixie-0123456789ab-ba9876543210/     suite, hash of the recipe, hash of the archive's InRelease file
//!     trixie-0123456789ab-ba9876543210.lock held shared by whoever uses the root
//!     trixie.lock                           held by whoever makes one
//!     .making-trixie/                       a root that is not finished; renamed when it is
//! ~/.cache/venus-toolkit/macos/
//!     toolchain-...                         likewise
//! ~/.cache/venus-toolkit/swift/
//!     swift-...                             likewise
//! ~/.cache/venus-toolkit/vm/
//!     qemu-trixie-... kernel-sid-... arm64-...
//! ```
//!
//! A fresh root (its recipe says how long that is) is used without asking the mirror. An older one is still used when
//! the archive has not changed since, or cannot be reached. Roots that a newer one replaces are removed, unless somebody
//! holds them.

use super::apt;
use super::recipe::{self, Made, Recipe, Suite, short_hash, toolchain};
use crate::process::{tail, tethered};
use crate::progress::Step;
use crate::sandbox::{Guest, check_namespaces};
use anyhow::{Context as _, Result, ensure};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// A root in use: it is not removed while this lives.
#[derive(Debug)]
pub struct GuestRoot {
    guest: Guest,
    _lock: File,
}

impl GuestRoot {
    /// The guest that lives in it.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }
}

/// Finds the root of a suite's guest in the cache, or makes it.
pub fn ensure(suite: Suite) -> Result<GuestRoot> {
    ensure_made(&suite.recipe())
}

/// Finds the root with a Rust toolchain that can build the standard library for other targets, or makes it.
pub fn ensure_toolchain() -> Result<GuestRoot> {
    ensure_made(&toolchain())
}

/// Finds the root with a suite's QEMU, or makes it.
pub fn ensure_qemu(suite: Suite) -> Result<GuestRoot> {
    ensure_made(&recipe::qemu(suite))
}

/// Finds the unpacked kernel of a suite, or makes it.
pub fn ensure_kernel(suite: Suite) -> Result<GuestRoot> {
    ensure_made(&recipe::kernel(suite))
}

/// Finds the root of the aarch64 guest with its kernel, or makes it.
pub fn ensure_arm64() -> Result<GuestRoot> {
    ensure_made(&recipe::arm64())
}

/// Finds the root with a Swift compiler, or makes it.
pub fn ensure_swift() -> Result<GuestRoot> {
    ensure_made(&recipe::swift())
}

/// The packages of this machine that making the root of a suite's guest takes; none if there is a root in the cache.
pub(super) fn packages_to_make(suite: Suite) -> Result<Vec<&'static str>> {
    let recipe = suite.recipe();
    let folder = super::cache_path(recipe.folder)?;
    let is_made = folder.is_dir() && !roots(&recipe, &folder, &recipe.key())?.is_empty();
    Ok(if is_made { Vec::new() } else { maker_packages() })
}

/// What makes a root: mmdebstrap and what it needs.
fn maker_packages() -> Vec<&'static str> {
    let mut packages = vec!["mmdebstrap", "debian-archive-keyring"];
    if !rustix::process::geteuid().is_root() {
        // newuidmap, which mmdebstrap needs to make a root without being root.
        packages.push("uidmap");
    }
    packages
}

fn ensure_made(recipe: &Recipe) -> Result<GuestRoot> {
    check_namespaces()?;
    let folder = super::cache_folder(recipe.folder)?;
    let making = lock_file(&folder.join(format!("{}.lock", recipe.name)))?;
    if making.try_lock().is_err() {
        let step = Step::start(format!("waiting for another run that makes the {}", describe(recipe)));
        making.lock().context("waiting for a lock")?;
        step.done("");
    }
    let root = locate(recipe, &folder)?;
    let lock = lock_file(&root.with_extension("lock"))?;
    lock.lock_shared().context("holding a root")?;
    prune(recipe, &folder, &root)?;
    Ok(GuestRoot { guest: Guest::at(recipe.name, root), _lock: lock })
}

/// What is made, for people: `guest root of Debian sid`.
fn describe(recipe: &Recipe) -> String {
    format!("{} of Debian {}", recipe.what, recipe.suite)
}

pub(crate) fn lock_file(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

/// The root to use: fresh, or still current, or newly made, or the last one where the mirror does not answer.
fn locate(recipe: &Recipe, folder: &Path) -> Result<PathBuf> {
    let newest = roots(recipe, folder, &recipe.key())?.into_iter().max_by_key(|(_, made)| *made);
    if let Some((root, made)) = &newest
        && made.elapsed().is_ok_and(|age| age < recipe.fresh)
    {
        return Ok(root.clone());
    }
    let mirror = apt::debian_mirror();
    let archive = mirror
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .and_then(|mirror| archive_key(recipe.suite, mirror));
    let archive = match (archive, newest) {
        (Ok(archive), _) => archive,
        (Err(error), Some((root, _))) => {
            eprintln!("using a {} that may be out of date: {error:#}", describe(recipe));
            return Ok(root);
        }
        (Err(error), None) => return Err(error),
    };
    let root = folder.join(format!("{}-{archive}", recipe.key()));
    if root.exists() {
        // The archive has not changed since: it is as good as made today.
        lock_file(&root.with_extension("lock"))?.set_modified(SystemTime::now())?;
        return Ok(root);
    }
    make(recipe, &mirror?, folder, &root)?;
    Ok(root)
}

/// The finished roots of a kind whose names begin with `prefix`, each with the time it was last known to be current.
fn roots(recipe: &Recipe, folder: &Path, prefix: &str) -> Result<Vec<(PathBuf, SystemTime)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ours = name.starts_with(prefix) && name.starts_with(&format!("{}-", recipe.name));
        if ours && path.is_dir() {
            let made = std::fs::metadata(path.with_extension("lock")).and_then(|lock| lock.modified());
            found.push((path, made.unwrap_or(SystemTime::UNIX_EPOCH)));
        }
    }
    Ok(found)
}

/// A hash of the archive's signed index: it changes whenever any package does.
fn archive_key(suite: &str, mirror: &str) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("InRelease");
    apt::download(&format!("{mirror}/dists/{suite}/InRelease"), &file)?;
    Ok(short_hash(&std::fs::read(&file)?))
}

/// Makes a root beside its final place and renames it when it is complete.
fn make(recipe: &Recipe, mirror: &str, folder: &Path, root: &Path) -> Result<()> {
    apt::install(&maker_packages(), &format!("making the {}", describe(recipe)))?;
    let making = folder.join(format!(".making-{}", recipe.name));
    remove(&making)?;
    std::fs::create_dir(&making).with_context(|| format!("making {}", making.display()))?;
    fill(recipe, mirror, &making, root).inspect_err(|_| {
        // The reason is what matters; what cannot be removed now, the next run removes.
        let _still_there = remove(&making);
    })
}

/// Installs what belongs in a root into the folder `making`, and renames it to `root`.
fn fill(recipe: &Recipe, mirror: &str, making: &Path, root: &Path) -> Result<()> {
    let is_root = rustix::process::geteuid().is_root();
    let (what, megabytes) = (describe(recipe), recipe.megabytes);
    let step = Step::start(format!("making the {what} (once; about a minute, {megabytes} MB)"));
    step.detail(&format!("with {}", recipe.packages.join(", ")));
    let mut command = mmdebstrap(recipe)?;
    if is_root {
        follow(command.args(["--mode=root", "--format=directory", recipe.suite]).arg(making).arg(mirror), &step)?;
    } else {
        unpack(command.args(["--mode=unshare", "--format=tar", recipe.suite, "-", mirror]), making, &step)?;
    }
    if recipe.made != Made::Installed {
        complete(making)?;
    }
    let (name, witness) = recipe.witness;
    let version = version(recipe, making).with_context(|| format!("the new {what} has no {witness}"))?;
    lock_file(&root.with_extension("lock"))?.set_modified(SystemTime::now())?;
    std::fs::rename(making, root).with_context(|| format!("renaming to {}", root.display()))?;
    step.done(&format!("{name} {version} in {}", root.display()));
    Ok(())
}

/// What tells the version of what a root is there for.
fn version(recipe: &Recipe, root: &Path) -> Option<String> {
    let (_, witness) = recipe.witness;
    if recipe.made == Made::Installed {
        return Guest::at(recipe.name, root).upstream_version(witness);
    }
    let names = std::fs::read_dir(root.join(witness)).ok()?;
    names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).max()
}

/// Adds what unpacked packages lack, because their installation would have made it: the links of a merged `/usr`, and
/// places to mount at.
fn complete(root: &Path) -> Result<()> {
    for folder in ["dev", "proc", "root", "run", "sys", "tmp"] {
        let path = root.join(folder);
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        let (link, target) = (root.join(name), format!("usr/{name}"));
        if !link.exists() && root.join(&target).is_dir() {
            std::os::unix::fs::symlink(&target, &link).with_context(|| format!("linking {}", link.display()))?;
        }
    }
    Ok(())
}

/// mmdebstrap with everything but mode, suite, target and mirror.
fn mmdebstrap(recipe: &Recipe) -> Result<Command> {
    let mut command = if rustix::process::geteuid().is_root() {
        // A process namespace of its own, so that no part of it goes on when this program is interrupted.
        let mut command = tethered("unshare");
        command.args(["--mount", "--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--", "mmdebstrap"]);
        command
    } else {
        tethered("mmdebstrap")
    };
    match recipe.made {
        Made::Installed => command.arg("--variant=minbase"),
        Made::Unpacked { architecture } => {
            command.arg("--variant=extract").arg(format!("--architectures={architecture}"))
        }
    };
    command
        .arg("--components=main")
        .arg(format!("--include={}", recipe.packages.join(",")))
        .args(["--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"", "--aptopt=Acquire::Retries \"3\""])
        .args(apt::transport_options()?.iter().map(|option| format!("--aptopt={}", option.trim_end_matches(';'))))
        // Roots are looked at by programs, never read: no manuals, no translations.
        .args(["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*"])
        .args(["--dpkgopt=path-exclude=/usr/share/locale/*"])
        .args(recipe.leave_out.iter().map(|path| format!("--dpkgopt=path-exclude={path}")))
        .stdin(Stdio::null());
    Ok(command)
}

/// Runs a command and shows its messages as progress; its last words make the error.
fn follow(command: &mut Command, step: &Step) -> Result<()> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("starting mmdebstrap")?;
    let words = relay(&mut child, step);
    let status = child.wait()?;
    ensure!(status.success(), "mmdebstrap failed ({status}):\n{}", tail(&words));
    Ok(())
}

/// As [`follow`], with the archive that the command prints unpacked into `target`, all of it owned by this user.
fn unpack(command: &mut Command, target: &Path, step: &Step) -> Result<()> {
    let mut maker = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("starting mmdebstrap")?;
    let archive = maker.stdout.take().context("mmdebstrap has no output")?;
    // Device nodes cannot be made without root, and the guest gets this machine's own.
    let mut tar = tethered("tar")
        .args(["--extract", "--no-same-owner", "--exclude=./dev/*", "--directory"])
        .arg(target)
        .stdin(archive)
        .spawn()
        .context("starting tar")?;
    let words = relay(&mut maker, step);
    let (made, unpacked) = (maker.wait()?, tar.wait()?);
    ensure!(made.success(), "mmdebstrap failed ({made}):\n{}", tail(&words));
    ensure!(unpacked.success(), "unpacking the root failed ({unpacked})");
    Ok(())
}

fn relay(child: &mut std::process::Child, step: &Step) -> String {
    let mut words = String::new();
    let lines =
        child.stderr.take().map(BufReader::new).into_iter().flat_map(|reader| reader.lines().map_while(Result::ok));
    for line in lines {
        if let Some(message) = line.strip_prefix("I: ") {
            step.detail(message);
        }
        words.push_str(&line);
        words.push('\n');
    }
    words
}

/// Removes the roots of this kind other than `current`, but for those somebody uses.
fn prune(recipe: &Recipe, folder: &Path, current: &Path) -> Result<()> {
    for (root, _) in roots(recipe, folder, recipe.name)? {
        let lock = root.with_extension("lock");
        if root != current && lock_file(&lock)?.try_lock().is_ok() {
            remove(&root)?;
            std::fs::remove_file(&lock).with_context(|| format!("removing {}", lock.display()))?;
        }
    }
    Ok(())
}

/// Removes a root. No mount can be inside: guests mount in namespaces of their own, at places outside of the cache.
pub(crate) fn remove(root: &Path) -> Result<()> {
    match std::fs::remove_dir_all(root) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", root.display()))
        }
        _ => Ok(()),
    }
}
