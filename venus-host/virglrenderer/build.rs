//! Gives the shared library the name that monitors load, and the entry point at which its workers start.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg-cdylib=-Wl,-soname,libvirglrenderer.so.1");
        println!("cargo::rustc-link-arg-cdylib=-Wl,-e,venus_worker_start");
    }
}
