//! Who is there.

use std::fmt;

use anyhow::Result;
use venus_protocol::vk;

use crate::{Gpu, Guest, Transport};

/// What the host offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The first device's name.
    pub device_name: String,
    /// Its version of Vulkan.
    pub api_version: u32,
    /// The loader's.
    pub instance_version: u32,
    /// The version of the registry that the host's decoder knows.
    pub xml_version: u32,
    /// The version of `VK_MESA_venus_protocol` that the host speaks.
    pub protocol_spec_version: u32,
    /// Extensions that the host's decoder knows, of those that we know.
    pub extensions: usize,
}

/// Asks the host.
pub fn info(guest: Guest<impl Transport>) -> Result<Info> {
    let capset = *guest.capset();
    let gpu = Gpu::open(guest)?;
    let known = venus_protocol::EXTENSIONS.iter().filter(|extension| {
        let (word, bit) = (extension.number / 32, extension.number % 32);
        let word = usize::try_from(word).ok().and_then(|word| capset.extension_mask.get(word));
        word.is_some_and(|word| word & 1 << bit != 0)
    });
    let info = Info {
        device_name: gpu.device_name(),
        api_version: gpu.properties.api_version,
        instance_version: gpu.instance_version,
        xml_version: capset.xml_version,
        protocol_spec_version: capset.protocol_spec_version,
        extensions: known.count(),
    };
    gpu.close()?;
    Ok(info)
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = |version| {
            let (major, minor) = (vk::api_version_major(version), vk::api_version_minor(version));
            format!("{major}.{minor}.{}", vk::api_version_patch(version))
        };
        writeln!(f, "device            {}", self.device_name)?;
        writeln!(f, "API version       {}", version(self.api_version))?;
        writeln!(f, "instance version  {}", version(self.instance_version))?;
        writeln!(f, "registry version  {}", version(self.xml_version))?;
        writeln!(f, "protocol version  {}", self.protocol_spec_version)?;
        write!(f, "extensions        {} of {}", self.extensions, venus_protocol::EXTENSIONS.len())
    }
}
