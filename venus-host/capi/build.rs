//! Names the shared library as it is installed, whatever cargo calls the file, and says where it begins when it is run as a
//! worker.
//!
//! The number in the name changes when a program that was linked with an earlier library would not work with a later one.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    match std::env::var("CARGO_CFG_TARGET_VENDOR").as_deref() {
        Ok("apple") => println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libvenus_host.0.dylib"),
        _ => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libvenus_host.so.0");
            println!("cargo::rustc-cdylib-link-arg=-Wl,-e,venus_worker_start");
            // A driver that is stuck keeps a thread of ours for good: its code has to stay when a program unloads it.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
    }
}
