//! What the validation layer says of clean programs: nothing, since all that it would find is the host's own.

use crate::common::{LIMIT, TEARDOWN, guest, place, verdict};
use std::path::Path;
use testbed::provision::Suite;
use testbed::sandbox::Vulkan;
use testbed::server::Server;
use testbed::skipping::skip;

/// Cases that break no rule, short.
const CLEAN: &[&[&str]] = &[
    &["poll-fence-0", "100"],
    &["timelines", "10"],
    &["fence-threads", "10"],
    &["pending", "10"],
    &["memory-sizes"],
    &["memory-churn", "20"],
    &["pipeline-early-0"],
    &["pipeline-threads", "5"],
    &["starts", "2"],
];

#[test]
fn nothing_is_found_in_clean_programs() {
    let name = "nothing_is_found_in_clean_programs";
    let Some(place) = place(name) else { return };
    if !Path::new("/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json").exists() {
        return skip(name, "there is no validation layer on this machine");
    }
    let host = place.host(&["--validate"]);
    let socket = host.socket();
    for suite in Suite::ALL {
        let Some(guest) = guest(name, suite) else { return };
        let info = guest.command("vulkaninfo", Vulkan::Venus(&socket)).limit(LIMIT).output().unwrap();
        info.expect_success(&host.log()).unwrap();
        for case in CLEAN {
            let finished = place.through(&guest, &socket, case).output().unwrap();
            verdict(finished, &format!("{case:?} in {}", guest.name()), &host.log());
        }
    }
    host.expect_no_guests(TEARDOWN).unwrap();
    assert_eq!(findings(&host), [""; 0]);
    // The layer is there: a shader that it does not know is a finding.
    let Some(guest) = guest(name, Suite::Sid) else { return };
    let finished = place.through(&guest, &socket, &["pipeline-destroy", "1"]).output().unwrap();
    verdict(finished, "a bad shader", &host.log());
    host.expect_no_guests(TEARDOWN).unwrap();
    assert!(findings(&host).iter().any(|line| line.contains("Unknown.set.of.nobody")), "{}", host.log());
}

fn findings(host: &Server) -> Vec<String> {
    host.log().lines().filter(|line| line.contains("validation: ")).map(str::to_owned).collect()
}
