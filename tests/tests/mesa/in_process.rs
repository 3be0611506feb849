//! A guest that is its own host (`tests/in-process`), where memory is shared by pointer.

use crate::common::{LIMIT, guest};
use std::path::Path;
use testbed::provision::Suite;
use testbed::sandbox::{Guest, GuestRun, Vulkan};
use testbed::skipping::{IN_PROCESS_VARIABLE, path_or_skip};

/// Where a guest of Debian's sees its drivers.
const DRIVERS: &str = "/usr/lib/x86_64-linux-gnu";

/// A program in the guest's process of which the guest's own lavapipe is the GPU.
fn command<'a>(guest: &'a Guest, library: &Path, program: &str) -> GuestRun<'a> {
    let folder = library.parent().expect("the library has a folder");
    let name = library.file_name().and_then(|name| name.to_str()).expect("the library's name is text");
    guest
        .command(program, Vulkan::Any)
        .bind("in-process", folder)
        .env("LD_PRELOAD", &format!("/run/in-process/{name}"))
        .env("VN_DEBUG", "vtest")
        .env("VTEST_SOCKET_NAME", "/nowhere")
        .env("VK_DRIVER_FILES", "/usr/share/vulkan/icd.d/virtio_icd.json")
        .env("VENUS_IN_PROCESS_DRIVER", &format!("{DRIVERS}/libvulkan_lvp.so"))
        .limit(LIMIT)
}

#[test]
fn a_guest_that_is_its_own_host_computes_in_memory_by_pointer() {
    let name = "a_guest_that_is_its_own_host_computes_in_memory_by_pointer";
    let (Some(guest), Some(library)) = (guest(name, Suite::Sid), path_or_skip(name, IN_PROCESS_VARIABLE)) else {
        return;
    };
    let summary = command(&guest, &library, "vulkaninfo").args(["--summary"]).output().unwrap();
    let summary = summary.expect_success("vulkaninfo").unwrap();
    assert!(summary.stdout.contains("Virtio-GPU Venus (llvmpipe"), "{}", summary.stdout);

    let program = testbed::programs::ggml_program(guest.root()).expect("the guest has ggml's tests");
    let addition = command(&guest, &library, program.to_str().expect("its path is text"))
        .args(["test", "-o", "ADD", "-p", r"type=f32,ne=\[10,5,4,3\],nr=\[1,1,1,1\],nf=1,"])
        // By itself ggml leaves out devices of type CPU, as lavapipe's is.
        .env("GGML_VK_VISIBLE_DEVICES", "0")
        .env("VENUS_MEMORY", "pointer");
    let addition = addition.output().unwrap().expect_success("ggml's addition").unwrap();
    assert!(addition.stdout.contains("2/2 tests passed"), "{}", addition.stdout);
    assert!(addition.stderr.contains("bytes are shared by pointer"), "{}", addition.stderr);
}
