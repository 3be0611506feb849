//! Gives the shared library the name that monitors load, the entry point at which its workers start, and lets it stay once it
//! is loaded.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg-cdylib=-Wl,-soname,libvirglrenderer.so.1");
        println!("cargo::rustc-link-arg-cdylib=-Wl,-e,venus_worker_start");
        // A driver that is stuck keeps a thread of ours for good: its code has to stay when a monitor unloads it.
        println!("cargo::rustc-link-arg-cdylib=-Wl,-z,nodelete");
    }
}
