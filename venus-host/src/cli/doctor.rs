//! `venus doctor`: what this host can give a guest.

use std::io;

use clap::Args;
use venus_host::driver::doctor;

use super::DriverArgs;

/// Say what this host can give a guest, and why not more
///
/// Prints the driver, how its memory reaches guests, and the extensions that guests are offered. Fails if a guest could
/// not start.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    driver: DriverArgs,
}

pub(super) fn run(args: &DoctorArgs) -> Result<(), anyhow::Error> {
    let config = args.driver.config()?;
    Ok(doctor::report(&config, &mut io::stdout().lock())?)
}
