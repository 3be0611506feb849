//! `driver SOCKET ACCOUNTS RECORDS FOUND RECORDINGS SECONDS SEED`: guests of a server with a real driver, which do what is
//! recorded in a folder, changed here and there. Prints what came of it.

use std::{env, io, path::PathBuf, time::Duration};

use venus_fuzz::driver::{Places, run};

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let usage = || io::Error::other("usage: driver SOCKET ACCOUNTS RECORDS FOUND RECORDINGS SECONDS SEED");
    let [socket, accounts, records, found, recordings, seconds, seed] = &args[..] else { return Err(usage()) };
    let places =
        Places { socket: socket.into(), accounts: accounts.into(), records: records.into(), found: found.into() };
    let (seconds, seed) = (seconds.parse().map_err(|_| usage())?, seed.parse().map_err(|_| usage())?);
    let outcome = run(&places, &PathBuf::from(recordings), Duration::from_secs(seconds), seed)?;
    println!("{outcome}");
    Ok(())
}
