//! The same guests against virglrenderer, the reference host: when this fails, the guest is broken and not our host.

use crate::common::{guests, vulkaninfo};
use testbed::resident::Resident;

#[test]
fn the_reference_host_serves_the_same_guests() {
    for guest in guests("the_reference_host_serves_the_same_guests") {
        let host = Resident::virglrenderer(&guest).unwrap();
        let socket = host.socket();
        let summary = vulkaninfo(&guest, &socket).args(["--summary"]).output().unwrap();
        let summary = summary.expect_success("vulkaninfo through virglrenderer").unwrap();
        assert!(summary.stdout.contains("Virtio-GPU Venus (llvmpipe"), "{}", summary.stdout);
    }
}
