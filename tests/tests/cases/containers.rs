//! `docs/containers.md` as it stands: its variables in a container that has nothing else, and its command lines where
//! their tools are installed and work.

use crate::common::{BOTH, LIMIT, guest, place};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use testbed::process::{Finished, Running, tethered};
use testbed::sandbox::{Guest, container};
use testbed::server::Server;
use testbed::skipping::skip;

/// Where the page has things that are elsewhere here.
const FOLDER: &str = "/run/venus";
const MACHINE: &str = "/var/lib/machines/vulkan-guest";
const IMAGE: &str = "vulkan-guest";
const ENV_FILE: &str = "guest.env";

/// What the page is about: the program of every command line.
const PROGRAM: [&str; 2] = ["vulkaninfo", "--summary"];

fn page() -> String {
    std::fs::read_to_string(testbed::workspace().join("docs/containers.md")).expect("the page is there")
}

/// The lines of the page's block that begins with this.
fn block(page: &str, begin: &str) -> Vec<String> {
    let blocks = page.split("```\n").skip(1).step_by(2);
    let found = blocks.into_iter().find(|block| block.starts_with(begin)).expect("the page has the block");
    found.lines().map(str::to_owned).collect()
}

/// The three variables, as `NAME=VALUE`.
fn variables(page: &str) -> Vec<String> {
    block(page, "VN_DEBUG=")
}

/// The words of the command line of one tool, after its name.
fn command_line(page: &str, tool: &str) -> Vec<String> {
    let line = block(page, &format!("$ {tool} ")).swap_remove(0);
    line.split_whitespace().skip(2).map(str::to_owned).collect()
}

/// A folder as the page has it, with the socket of this host in it, and writable for everybody.
struct Folder {
    host: Server,
}

impl Folder {
    fn new(host: Server) -> Self {
        let (socket, folder) = (host.socket(), Self::of(&host));
        let all = |path: &PathBuf, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        all(&folder, 0o755);
        all(&socket, 0o666);
        std::os::unix::fs::symlink(socket.file_name().unwrap(), folder.join("vtest.sock")).unwrap();
        Self { host }
    }

    fn of(host: &Server) -> PathBuf {
        host.socket().parent().unwrap().to_owned()
    }

    fn path(&self) -> PathBuf {
        Self::of(&self.host)
    }
}

fn expect_device(finished: Finished, what: &str, folder: &Folder) {
    let finished = finished.expect_success(&format!("{what}: {}", folder.host.log())).unwrap();
    assert!(finished.stdout.contains("= Virtio-GPU Venus ("), "{what}: {}", finished.stdout);
    assert!(finished.stdout.contains("driverName         = venus"), "{what}: {}", finished.stdout);
}

#[test]
fn the_pages_variables_are_all_that_a_container_needs() {
    let name = "the_pages_variables_are_all_that_a_container_needs";
    let Some(place) = place(name) else { return };
    let folder = Folder::new(place.host(&[]));
    for suite in BOTH {
        let Some(guest) = guest(name, *suite) else { return };
        let finished = container::run(&guest, &folder.path(), &variables(&page()), &PROGRAM, LIMIT).unwrap();
        expect_device(finished, guest.name(), &folder);
    }
}

/// What the page says of a user who is not let in.
#[test]
fn a_container_of_another_user_is_refused() {
    let name = "a_container_of_another_user_is_refused";
    let (Some(place), Some(guest)) = (place(name), guest(name, BOTH[1])) else { return };
    let folder = Folder::new(place.host(&["--allow-uid", "12345"]));
    let finished = container::run(&guest, &folder.path(), &variables(&page()), &PROGRAM, LIMIT).unwrap();
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!finished.success() && said.contains("ERROR_INITIALIZATION_FAILED"), "{said}");
}

#[test]
fn every_command_line_sets_the_variables_and_runs_the_program() {
    let page = page();
    for tool in ["podman", "docker", "systemd-nspawn", "bwrap"] {
        let words = command_line(&page, tool);
        assert!(words.ends_with(&PROGRAM.map(str::to_owned)), "{words:?}");
        let line = words.join(" ");
        let by_file = line.contains("--env-file guest.env");
        let one_by_one = |variable: &String| {
            let spaced = variable.replacen('=', " ", 1);
            line.contains(&format!("--setenv={variable}")) || line.contains(&format!("--setenv {spaced}"))
        };
        assert!(by_file || variables(&page).iter().all(one_by_one), "{line}");
        assert!(line.contains(FOLDER), "{line}");
    }
}

/// Runs the page's command line of a tool, with `image` of the guest's root for the page's image.
fn as_it_stands(name: &str, tool: &str, more: &[&str], image: impl Fn(&Guest) -> String) {
    let Some(place) = place(name) else { return };
    let folder = Folder::new(place.host(&[]));
    let page = page();
    std::fs::write(folder.path().join(ENV_FILE), variables(&page).join("\n")).unwrap();
    for suite in BOTH {
        let Some(guest) = guest(name, *suite) else { return };
        let line = here(&command_line(&page, tool).join(" "), &guest, &folder, &image(&guest));
        let words: Vec<&str> = more.iter().copied().chain(line.split(' ')).collect();
        // The same without Vulkan first: whether the tool works at all on this machine.
        let (tools, _) = words.split_at(words.len() - PROGRAM.len());
        let trial = run(tool, &[tools, &["true"]].concat());
        if !trial.success() {
            return skip(name, &format!("{tool} runs no container on this machine: {}", trial.stderr.trim()));
        }
        expect_device(run(tool, &words), tool, &folder);
    }
}

/// The page's line with our folders, file and image for the page's.
fn here(line: &str, guest: &Guest, folder: &Folder, image: &str) -> String {
    let (root, ours) = (guest.root().display().to_string(), folder.path().display().to_string());
    let line = line.replace(MACHINE, &root).replace(&format!(" {IMAGE} "), &format!(" {image} "));
    let line = line.replace(ENV_FILE, &format!("{ours}/{ENV_FILE}"));
    let line = line.replace("--volume /run/venus:", &format!("--volume {ours}:"));
    let line = line.replace("--bind=/run/venus ", &format!("--bind={ours}:{FOLDER} "));
    line.replace("--bind /run/venus ", &format!("--bind {ours} "))
}

fn run(tool: &str, words: &[&str]) -> Finished {
    Running::start(tethered(tool).args(words), LIMIT).unwrap().finish().unwrap()
}

/// Whether there is a tool of this name.
fn installed(name: &str, tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip(name, &format!("{tool} is not installed"));
    }
    there
}

#[test]
fn podman_runs_the_guest() {
    let name = "podman_runs_the_guest";
    if installed(name, "podman") {
        // An overlay: the root is everybody's, and podman makes folders to mount on.
        as_it_stands(name, "podman", &[], |guest| format!("--rootfs {}:O", guest.root().display()));
    }
}

#[test]
fn systemd_nspawn_runs_the_guest() {
    let name = "systemd_nspawn_runs_the_guest";
    // Without systemd there is nobody to register with.
    let running = std::path::Path::new("/run/systemd/system").exists();
    let more: &[&str] = if running { &[] } else { &["--register=no", "--keep-unit"] };
    if installed(name, "systemd-nspawn") {
        as_it_stands(name, "systemd-nspawn", more, |_| String::new());
    }
}

#[test]
fn bubblewrap_runs_the_guest() {
    let name = "bubblewrap_runs_the_guest";
    if installed(name, "bwrap") {
        as_it_stands(name, "bwrap", &[], |_| String::new());
    }
}
