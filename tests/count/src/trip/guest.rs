//! The way from the guest to a host in the same thread.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mock_driver::Mock;
use venus_guest::{BlobFlags, Capset, Mapping, Pause, ResourceId, Transport};
use venus_host::context::{Context, Options, Progress, capset};
use venus_host::driver::{Config, Level};
use venus_host::resource;

use super::driver;

/// A host's context, whose rings are polled.
#[derive(Debug)]
pub(super) struct InProcess {
    context: Context,
    capset: Capset,
    last_resource: u32,
}

impl InProcess {
    pub(super) fn new(mock: &Mock) -> Self {
        let config = Config::default().entry(driver::entry_point(mock));
        let context = Context::new(Options::new("venus-count", config).poll_rings());
        Self { context, capset: Capset::parse(&capset(Level::NEWEST)), last_resource: 0 }
    }

    /// Executes what is in the ring.
    pub(super) fn process(&mut self) -> Progress {
        self.context.process_rings()
    }
}

impl Transport for InProcess {
    fn capset(&self) -> &Capset {
        &self.capset
    }

    fn create_blob(&mut self, flags: BlobFlags, blob_id: u64, size: u64) -> Result<(ResourceId, Mapping)> {
        self.last_resource += 1;
        let id = self.last_resource;
        let blob = self.context.create_blob(resource::ResourceId(id), resource::BlobFlags(flags.0), blob_id, size)?;
        let fd = blob.mappable_fd().context("a blob without a descriptor")?;
        Ok((ResourceId(id), Mapping::new(fd, usize::try_from(size)?)?))
    }

    fn unref_resource(&mut self, ResourceId(id): ResourceId) -> Result<()> {
        self.context.destroy_resource(resource::ResourceId(id));
        Ok(())
    }

    fn submit(&mut self, commands: &[u8]) -> Result<()> {
        Ok(self.context.submit(commands)?)
    }

    fn submit_and_wait(&mut self, commands: &[u8], _ring_idx: u32, _timeout: Duration) -> Result<()> {
        // It is executed before it returns.
        self.submit(commands)
    }

    fn pause(&mut self, _pause: Pause) -> Result<()> {
        self.process();
        match self.context.lost() {
            None => Ok(()),
            Some(reason) => bail!("the host has given up: {reason}"),
        }
    }
}
