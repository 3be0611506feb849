//! What a guest is told about its device.

use crate::common::{guest, guests, host, vulkaninfo};
use testbed::provision::Suite;

/// The value of the first line `name = value`.
fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let lines = info.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()).next().unwrap_or("")
}

/// `1.3.230` from `1.3.230 (4206822)`, as numbers.
fn version(text: &str) -> Vec<u32> {
    let digits = text.split_whitespace().next().unwrap_or_default();
    digits.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[test]
fn every_guest_lists_the_hosts_device() {
    let name = "every_guest_lists_the_hosts_device";
    for guest in guests(name) {
        let mut host = host(&[]);
        let socket = host.socket();
        let summary = vulkaninfo(&guest, &socket).args(["--summary"]).output().unwrap();
        let summary = summary.expect_success(&format!("vulkaninfo, {}: {}", guest.name(), host.log())).unwrap();
        let device = field(&summary.stdout, "deviceName");
        assert!(device.starts_with("Virtio-GPU Venus ("), "{}: {}", guest.name(), summary.stdout);
        assert_eq!(field(&summary.stdout, "driverName"), "venus");
        host.expect_alive().unwrap();
    }
}

#[test]
fn a_new_guest_gets_vulkan_1_3_and_swapchains() {
    let name = "a_new_guest_gets_vulkan_1_3_and_swapchains";
    let Some(guest) = guest(name, Suite::Sid) else { return };
    let host = host(&[]);
    let socket = host.socket();
    let info = vulkaninfo(&guest, &socket).output().unwrap();
    let info = info.expect_success(&format!("vulkaninfo: {}", host.log())).unwrap().stdout;
    let devices = info.split_once("Device Properties").map_or("", |(_, devices)| devices);
    let found = version(field(devices, "apiVersion"));
    assert!(found >= vec![1, 3, 0], "API version {found:?}");
    assert!(devices.contains("VK_KHR_swapchain "), "no swapchain among the device's extensions");
}
