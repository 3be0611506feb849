//! `seeds RECORDINGS OUT`: writes inputs to begin with into a folder of each target.

use std::{io, path::PathBuf};

fn main() -> io::Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(recordings), Some(out), None) = (args.next(), args.next(), args.next()) else {
        return Err(io::Error::other("usage: seeds RECORDINGS OUT"));
    };
    for (target, inputs) in venus_fuzz::seeds::all(&recordings)? {
        let folder = out.join(target);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in inputs {
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}

/// What instrumented code says when it is loaded. Here nobody counts, and there is no libFuzzer, which would have these.
#[cfg(fuzzing)]
mod unheard {
    #[unsafe(no_mangle)]
    extern "C" fn __sanitizer_cov_8bit_counters_init(_start: *mut u8, _end: *mut u8) {}

    #[unsafe(no_mangle)]
    extern "C" fn __sanitizer_cov_pcs_init(_start: *const usize, _end: *const usize) {}
}
