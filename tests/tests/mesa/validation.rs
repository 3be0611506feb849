//! What the validation layer finds in programs that do nothing wrong: nothing.

use crate::common::{LIMIT, guest, guests, host, vulkaninfo};
use testbed::programs::Program;
use testbed::sandbox::Vulkan;
use testbed::server::Server;
use testbed::skipping::skip;

/// The lines about validation in a host's log. `None` if there is no layer, and the test `name` is skipped.
fn findings(name: &str, host: &Server) -> Option<Vec<String>> {
    let log = host.log();
    if log.contains("VK_LAYER_KHRONOS_validation is not installed") {
        skip(name, "this machine has no validation layer");
        return None;
    }
    Some(log.lines().filter(|line| line.contains("validation")).map(str::to_owned).collect())
}

#[test]
fn validation_finds_nothing_in_clean_programs() {
    let name = "validation_finds_nothing_in_clean_programs";
    let Some(guest) = guest(name, Program::SUITE) else { return };
    for program in [Program::Vulkaninfo, Program::VkcubeShort, Program::GgmlShort] {
        let host = host(&["--validate"]);
        let socket = host.socket();
        let run = program.command(&guest, Vulkan::Venus(&socket)).unwrap().limit(LIMIT).output().unwrap();
        run.expect_success(&format!("{}: {}", program.name(), host.log())).unwrap();
        host.expect_no_guests(LIMIT).unwrap();
        let Some(found) = findings(name, &host) else { return };
        assert_eq!(found, [""; 0], "{}", program.name());
    }
}

#[test]
fn validation_finds_nothing_in_what_guests_do_by_themselves() {
    let name = "validation_finds_nothing_in_what_guests_do_by_themselves";
    for guest in guests(name) {
        let host = host(&["--validate"]);
        let socket = host.socket();
        let run = vulkaninfo(&guest, &socket).output().unwrap();
        run.expect_success(&format!("vulkaninfo, {}: {}", guest.name(), host.log())).unwrap();
        host.expect_no_guests(LIMIT).unwrap();
        let Some(found) = findings(name, &host) else { return };
        assert_eq!(found, [""; 0], "{}", guest.name());
    }
}
