//! What this host can give a guest, for people: `venus doctor`.
//!
//! Nothing here is looked up in a list of known drivers: memory is shared, a GPU writes to it, and what worked is
//! reported. The rows about extensions are the very rows that guests are answered from.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use ash::vk;

use super::{
    Config, Instance, Loader, PhysicalDevice,
    extensions::Verdict,
    instance::unusable_because,
    loader::Version,
    memory::{self, Rung, probe},
};
use crate::HostError;

/// Widest line of a list of names.
const LINE_WIDTH: usize = 100;

/// Writes the report. An error, one sentence, says why no guest could start here.
///
/// # Errors
///
/// There is no Vulkan library, no GPU, or none that a guest can use; or `out` cannot be written to.
pub fn report(config: &Config, out: &mut dyn Write) -> Result<(), HostError> {
    let mut text = String::new();
    let outcome = examine(config, &mut text);
    let written: io::Result<()> = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| HostError::io("cannot write the report", error))?;
    outcome
}

/// Appends one line. Writing to a string does not fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

fn examine(config: &Config, text: &mut String) -> Result<(), HostError> {
    let loader = Loader::shared()?;
    line!(text, "Vulkan library  {}, version {}", loader.path().display(), Version(loader.version()));
    let instance = Instance::for_host(loader, config)?;
    let outcome = examine_instance(&instance, text);
    instance.destroy();
    outcome
}

fn examine_instance(instance: &Instance, text: &mut String) -> Result<(), HostError> {
    let devices = instance.enumerate().map_err(|result| {
        HostError::driver("vkEnumeratePhysicalDevices failed, so the driver does not work", result)
    })?;
    if devices.is_empty() {
        return Err(HostError::Unsupported(
            "the Vulkan library finds no GPU, or none that --gpu admits; install a Vulkan driver \
             (Debian: mesa-vulkan-drivers)"
                .into(),
        ));
    }
    let mut reasons = Vec::new();
    for (index, device) in devices.iter().enumerate() {
        line!(text, "\nGPU {index}: {}", device.name());
        line!(text, "  UUID          {}", hexadecimal(&instance.uuid(device.raw())));
        examine_device(device, text);
        match unusable_because(device) {
            None => line!(text, "  verdict       guests can use it"),
            Some(reason) => {
                line!(text, "  verdict       hidden from guests: {reason}");
                reasons.push(format!("{}: {reason}", device.name()));
            }
        }
    }
    if reasons.len() == devices.len() {
        return Err(HostError::Unsupported(format!("no GPU here can serve a guest ({})", reasons.join("; ")).into()));
    }
    Ok(())
}

fn examine_device(device: &PhysicalDevice, text: &mut String) {
    let version = Version(device.properties().api_version);
    line!(text, "  driver        {}, Vulkan {}", device.driver_name(), Version(device.driver_version()));
    line!(text, "  guests see    Vulkan {version} at most");
    examine_memory(device, text);
    let word = |native| if native { "the driver's" } else { "emulated" };
    let sync = device.sync();
    line!(text, "  SYNC_FD       fences {}, semaphores {}", word(sync.native_fences), word(sync.native_semaphores));
    examine_extensions(device, text);
}

fn examine_memory(device: &PhysicalDevice, text: &mut String) {
    let plan = device.memory_plan();
    match plan.rung() {
        Some(rung) => line!(text, "  memory        {rung}, types {}", plan.shareable()),
        None => line!(text, "  memory        no way to share it"),
    }
    for attempt in plan.attempts() {
        if let Err(reason) = &attempt.outcome {
            line!(text, "                no {}: {reason}", attempt.rung);
        }
    }
    if plan.rung() == Some(Rung::Import) {
        match probe::check_fill(device) {
            Ok(seen) => {
                line!(text, "                the GPU's writes reach a second mapping, as a guest has it ({seen} types)")
            }
            Err(reason) => line!(text, "                warning: {reason}"),
        }
    }
    for (index, kind) in memory::types(plan.guest_view()) {
        let driver =
            memory::types(plan.driver_view()).find(|(other, _)| *other == index).map(|(_, kind)| kind.property_flags);
        let note =
            if driver == Some(kind.property_flags) { "" } else { " (mappable in the driver, but cannot be shared)" };
        line!(text, "                type {index}: {}{note}", flag_names(kind.property_flags));
    }
}

fn examine_extensions(device: &PhysicalDevice, text: &mut String) {
    let mut offered = Vec::new();
    let mut rows = Vec::new();
    let mut absent = Vec::new();
    for (extension, verdict) in device.verdicts() {
        match verdict {
            Verdict::Offered(_) => offered.push(extension.name),
            Verdict::Emulated(_, how) => rows.push(format!("emulated  {}: {how}", extension.name)),
            Verdict::Withheld(reason) => rows.push(format!("withheld  {}: {reason}", extension.name)),
            Verdict::Absent => absent.push(extension.name),
        }
    }
    line!(text, "  extensions    {} offered as the driver has them, {} not in the driver", offered.len(), absent.len());
    for row in rows {
        line!(text, "    {row}");
    }
    list(text, "offered", &offered);
    list(text, "absent", &absent);
}

/// A heading and names, several to a line.
fn list(text: &mut String, heading: &str, names: &[&str]) {
    let mut current = format!("    {heading:<8} ");
    let indent = current.len();
    for name in names {
        if current.len() > indent && current.len() + 1 + name.len() > LINE_WIDTH {
            line!(text, "{current}");
            current = " ".repeat(indent);
        }
        current.push(' ');
        current.push_str(name.strip_prefix("VK_").unwrap_or(name));
    }
    if !names.is_empty() {
        line!(text, "{current}");
    }
}

fn flag_names(flags: vk::MemoryPropertyFlags) -> String {
    const NAMES: &[(vk::MemoryPropertyFlags, &str)] = &[
        (vk::MemoryPropertyFlags::DEVICE_LOCAL, "DEVICE_LOCAL"),
        (vk::MemoryPropertyFlags::HOST_VISIBLE, "HOST_VISIBLE"),
        (vk::MemoryPropertyFlags::HOST_COHERENT, "HOST_COHERENT"),
        (vk::MemoryPropertyFlags::HOST_CACHED, "HOST_CACHED"),
        (vk::MemoryPropertyFlags::LAZILY_ALLOCATED, "LAZILY_ALLOCATED"),
        (vk::MemoryPropertyFlags::PROTECTED, "PROTECTED"),
    ];
    let names: Vec<&str> = NAMES.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect();
    if names.is_empty() { "no flags".to_owned() } else { names.join(" | ") }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_several_to_a_line() {
        let names: Vec<String> = (0..20).map(|n| format!("VK_EXT_something_{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut text = String::new();
        list(&mut text, "offered", &names);
        assert!(text.lines().count() > 3);
        assert!(text.lines().all(|line| line.len() <= LINE_WIDTH), "{text}");
        assert!(text.starts_with("    offered   EXT_something_0 EXT_something_1"), "{text}");
    }

    #[test]
    fn flags_have_their_names() {
        let flags = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        assert_eq!(flag_names(flags), "HOST_VISIBLE | HOST_COHERENT");
        assert_eq!(flag_names(vk::MemoryPropertyFlags::empty()), "no flags");
    }
}
