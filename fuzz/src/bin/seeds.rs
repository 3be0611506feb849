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
