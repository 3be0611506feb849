//! This machine's apt: installing packages, and reading how it reaches its mirror.

use crate::process::{Running, tethered};
use crate::progress::Step;
use anyhow::{Context as _, Result, bail, ensure};
use std::process::Command;
use std::time::Duration;

/// Longest wait for another apt to finish, and for a download to end.
const APT_LIMIT: Duration = Duration::from_secs(900);
/// Environment variable that names a Debian mirror, where this machine's apt knows none.
const MIRROR_VARIABLE: &str = "VENUS_DEBIAN_MIRROR";

/// Installs those of `packages` that are missing. Says `why` and the exact command where we may not.
pub fn install(packages: &[&str], why: &str) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    ensure!(
        which("apt-get"),
        "{why}: these Debian packages are missing and there is no apt-get here to install them: {names}"
    );
    if !rustix::process::geteuid().is_root() {
        bail!(
            "{why}: packages are missing; install them with\n\n    sudo apt-get update && sudo apt-get install --no-install-recommends {names}\n"
        );
    }
    let step = Step::start(format!("installing {names}, for {why}"));
    // A broken source that has nothing to do with us makes an update fail; whether we can install is what counts.
    if let Err(error) = apt_get(&["update"], &step) {
        eprintln!("going on with the package lists that are there: {error:#}");
    }
    apt_get(&[&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat(), &step)?;
    step.done("installed");
    Ok(())
}

fn apt_get(args: &[&str], step: &Step) -> Result<()> {
    step.detail(&format!("apt-get {}", args[0]));
    let mut command = tethered("apt-get");
    command
        .args(["-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3", "--quiet"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive");
    Running::start(&mut command, APT_LIMIT)?.finish()?.expect_success(&format!("apt-get {}", args.join(" ")))?;
    Ok(())
}

/// Whether dpkg has this package, completely.
pub(super) fn is_installed(package: &str) -> bool {
    let query = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}\n", package]).output();
    query.is_ok_and(|output| output.stdout.split(|byte| *byte == b'\n').any(|line| line == b"installed"))
}

/// Whether the search path has a program of this name.
pub fn which(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The mirror that this machine's apt takes Debian itself from.
///
/// apt is asked, not its files: it knows both of their formats, and which of its sources are enabled.
pub fn debian_mirror() -> Result<String> {
    if let Some(mirror) = std::env::var(MIRROR_VARIABLE).ok().filter(|mirror| !mirror.is_empty()) {
        return Ok(mirror);
    }
    let addresses =
        Command::new("apt-get").args(["update", "--print-uris"]).output().context("asking apt for its sources")?;
    let addresses = String::from_utf8_lossy(&addresses.stdout).into_owned();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    choose_mirror(&addresses, &release).with_context(|| {
        format!(
            "this machine's apt has no Debian mirror to make guests from; set {MIRROR_VARIABLE} to the address of one"
        )
    })
}

/// Picks the repository of the release that this machine runs, from what `apt-get update` would download.
///
/// A line there is `'http://mirror/debian/dists/bookworm/InRelease' name size`. Unlike apt's other listings, this one
/// needs neither downloaded package lists nor root.
fn choose_mirror(addresses: &str, os_release: &str) -> Option<String> {
    let field = |name: &str| os_release.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_matches('"')));
    if field("ID=") != Some("debian") {
        return None;
    }
    // Unstable has no code name of its own in every release file; its suites are called by either name.
    let codename = field("VERSION_CODENAME=").unwrap_or("sid");
    let ours = |suite: &str| suite == codename || matches!(suite, "stable" | "testing" | "unstable" | "sid");
    addresses.lines().find_map(|line| {
        let address = line.strip_prefix('\'')?.split_once("/InRelease'")?.0;
        let (mirror, suite) = address.rsplit_once("/dists/")?;
        ours(suite).then(|| mirror.to_owned())
    })
}

/// Lines of apt configuration that say how this machine reaches its mirror, to be given to another apt.
///
/// Certificates, proxies, time-outs and date checks are carried over. What to download and where to keep it is not.
pub fn transport_options() -> Result<Vec<String>> {
    let dump = Command::new("apt-config").arg("dump").output().context("asking apt for its configuration")?;
    let mut options = choose_options(&String::from_utf8_lossy(&dump.stdout));
    for (option, path) in [("Dir::Etc::netrc", "/etc/apt/auth.conf"), ("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d")]
    {
        if std::path::Path::new(path).exists() {
            options.push(format!("{option} \"{path}\";"));
        }
    }
    Ok(options)
}

fn choose_options(dump: &str) -> Vec<String> {
    const CARRIED: [&str; 8] = [
        "Acquire::http::",
        "Acquire::https::",
        "Acquire::Check-",
        "Acquire::Retries",
        "Acquire::ForceIPv",
        "Acquire::Max-ValidTime",
        "Acquire::Min-ValidTime",
        "Acquire::By-Hash",
    ];
    let lines = dump.lines().filter(|line| CARRIED.iter().any(|prefix| line.starts_with(prefix)));
    lines.filter(|line| !line.ends_with("\"\";")).map(str::to_owned).collect()
}

/// Downloads one file with apt's own means, so that its proxies and certificates apply.
pub fn download(address: &str, to: &std::path::Path) -> Result<()> {
    let mut command = tethered("/usr/lib/apt/apt-helper");
    command.args(["download-file", address]).arg(to);
    let finished = Running::start(&mut command, APT_LIMIT)?.finish()?;
    let errors: Vec<&str> = finished.stderr.lines().filter_map(|line| line.strip_prefix("E: ")).collect();
    ensure!(finished.success(), "downloading {address}: {}", errors.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_running_release() {
        let line = |address: &str| format!("'{address}' some_name 0 \n");
        let addresses = [
            "http://mirror.example/debian-security/dists/bookworm-security/InRelease",
            "http://mirror.example/debian/dists/bookworm-updates/InRelease",
            "http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz",
            "http://mirror.example/debian/dists/bookworm/InRelease",
        ];
        let addresses: String = addresses.into_iter().map(line).collect();
        let debian = "ID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(choose_mirror(&addresses, debian).as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(choose_mirror(&addresses, "ID=ubuntu\nVERSION_CODENAME=bookworm\n"), None);
        let stable = line("https://a.example/debian/dists/stable/InRelease");
        assert_eq!(choose_mirror(&stable, debian).as_deref(), Some("https://a.example/debian"));
    }

    #[test]
    fn only_the_way_to_the_mirror_is_carried_over() {
        let dump = "Acquire \"\";\nAcquire::https::CaInfo \"/etc/ssl/mirror.pem\";\nAcquire::http::Proxy \"\";\n\
                    Acquire::Check-Date \"false\";\nAcquire::Languages:: \"none\";\nAPT::Default-Release \"bookworm\";\n";
        let expected = ["Acquire::https::CaInfo \"/etc/ssl/mirror.pem\";", "Acquire::Check-Date \"false\";"];
        assert_eq!(choose_options(dump), expected);
    }
}
