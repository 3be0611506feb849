//! What one guest may hold at a time.

use std::{ffi::OsString, fmt, str::FromStr, time::Duration};

use clap::{Args, value_parser};
use venus_host::limits::Budget;

/// Below that no guest has room for the pools that Mesa begins with.
const FEWEST_DESCRIPTORS: u64 = 512;

/// What a guest may hold. More is answered with an error that its program can handle.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct BudgetArgs {
    /// Let each guest have at most this much memory, of the driver's and plain shared memory: a number of bytes, or one
    /// with K, M, G or T behind it. More is VK_ERROR_OUT_OF_DEVICE_MEMORY
    #[arg(long, env = "VENUS_MAX_MEMORY", value_name = "SIZE")]
    max_memory: Option<Size>,

    /// Let each guest have at most this many Vulkan objects. More is VK_ERROR_OUT_OF_HOST_MEMORY
    #[arg(long, env = "VENUS_MAX_OBJECTS", value_name = "N")]
    max_objects: Option<usize>,

    /// Let at most this many rings of each guest have a thread of their own: one, and one for each of its threads that
    /// compiles pipelines. Further ones share one thread
    #[arg(long, env = "VENUS_MAX_RINGS", value_name = "N", value_parser = value_parser!(u64).range(1..))]
    max_rings: Option<u64>,

    /// Let each guest have at most this many open descriptors here; each allocation may take one. Guests are told a
    /// maxMemoryAllocationCount that is 256 less, and one more allocation is VK_ERROR_TOO_MANY_OBJECTS
    #[arg(long, env = "VENUS_MAX_DESCRIPTORS", value_name = "N",
        value_parser = value_parser!(u64).range(FEWEST_DESCRIPTORS..))]
    max_descriptors: Option<u64>,

    /// End a guest when the GPU has not come in so many seconds to the end of what one of its queues was given. What waits
    /// in the queue counts, also for the program itself. Without this, the GPU may take as long as it likes
    #[arg(long, env = "VENUS_MAX_GPU_TIME", value_name = "SECONDS", value_parser = value_parser!(u64).range(1..))]
    max_gpu_time: Option<u64>,
}

impl BudgetArgs {
    /// The options as the library takes them.
    pub(super) fn budget(&self) -> Budget {
        let mut budget = Budget::default();
        if let Some(Size(bytes)) = self.max_memory {
            budget = budget.memory_bytes(bytes);
        }
        if let Some(objects) = self.max_objects {
            budget = budget.objects(objects);
        }
        if let Some(rings) = self.max_rings {
            budget = budget.rings(usize::try_from(rings).unwrap_or(usize::MAX));
        }
        if let Some(descriptors) = self.max_descriptors {
            budget = budget.descriptors(descriptors);
        }
        if let Some(seconds) = self.max_gpu_time {
            budget = budget.gpu_time(Duration::from_secs(seconds));
        }
        budget
    }

    /// The environment that makes another `venus` have the same options.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, OsString)> {
        let all = [
            ("VENUS_MAX_MEMORY", self.max_memory.as_ref().map(ToString::to_string)),
            ("VENUS_MAX_OBJECTS", self.max_objects.map(|count| count.to_string())),
            ("VENUS_MAX_RINGS", self.max_rings.map(|count| count.to_string())),
            ("VENUS_MAX_DESCRIPTORS", self.max_descriptors.map(|count| count.to_string())),
            ("VENUS_MAX_GPU_TIME", self.max_gpu_time.map(|seconds| seconds.to_string())),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?.into())))
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match text[number.len()..].to_ascii_uppercase().as_str() {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            other => return Err(format!("{other} is none of K, M, G and T")),
        };
        let number: u64 = number.parse().map_err(|error| format!("{error}; write, say, 4G"))?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(|| "that is more than any machine has".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_do() {
        for (text, bytes) in [("4096", 4096), ("64k", 64 << 10), ("512M", 512 << 20), ("4G", 4 << 30), ("1T", 1 << 40)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "G", "-1", "4GB", "4 G", "99999999T"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn another_process_gets_the_same() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            budget: BudgetArgs,
        }

        let arguments =
            ["", "--max-memory", "2G", "--max-objects", "10", "--max-rings", "3", "--max-descriptors", "600"];
        let arguments = arguments.into_iter().chain(["--max-gpu-time", "7"]);
        let cli = <Cli as clap::Parser>::parse_from(arguments);
        let told: Vec<_> = cli.budget.environment().map(|(name, value)| (name, value.into_string().unwrap())).collect();
        let expected = [
            ("VENUS_MAX_MEMORY", (2_u64 << 30).to_string()),
            ("VENUS_MAX_OBJECTS", "10".to_owned()),
            ("VENUS_MAX_RINGS", "3".to_owned()),
            ("VENUS_MAX_DESCRIPTORS", "600".to_owned()),
            ("VENUS_MAX_GPU_TIME", "7".to_owned()),
        ];
        assert_eq!(told, expected);
        let budget = Budget::default().memory_bytes(2 << 30).objects(10).rings(3).descriptors(600);
        let budget = budget.gpu_time(Duration::from_secs(7));
        assert_eq!(cli.budget.budget(), budget);
        assert_eq!(BudgetArgs::default().budget(), Budget::default());
    }
}
