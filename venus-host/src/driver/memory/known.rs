//! How memory of GPUs reaches guests, found out once and told to others.
//!
//! Trying it takes a device, which a software driver needs ten milliseconds for: a third of a guest's start. So a server has
//! it tried once, in a process like those that serve its guests, and tells them.

use std::{fmt, str::FromStr};

use ash::vk;

use super::{super::sparse::GpuId, Attempt, MemoryPlan, SharingMethod, TypeMask};
use crate::resource::host_page_size;

/// Between the parts of what is known of a GPU, and between a method and its types.
const PART: char = ':';
const OF: char = '=';

/// The methods, as they are written.
const WORDS: [(SharingMethod, &str); 4] = [
    (SharingMethod::DmaBuf, "dmabuf"),
    (SharingMethod::Import, "import"),
    (SharingMethod::Opaque, "opaque"),
    (SharingMethod::Pointer, "pointer"),
];

/// How memory of a GPU reaches its guests: its id, what sizes of shared memory are multiples of, and for each way the memory
/// types, as a mask in hexadecimal digits. Written with colons between them: `ID:4096:import=6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedMemory {
    gpu: GpuId,
    granularity: u64,
    ways: Vec<(SharingMethod, TypeMask)>,
}

impl SharedMemory {
    /// What was found out. Nothing where no memory is shared: the next one may have more luck.
    pub(in super::super) fn of(gpu: GpuId, plan: &MemoryPlan) -> Option<Self> {
        let ways: Vec<_> = plan.ways().collect();
        (!ways.is_empty()).then(|| Self { gpu, granularity: plan.granularity(), ways })
    }

    /// Whether it is about this GPU.
    pub(in super::super) fn is_of(&self, gpu: GpuId) -> bool {
        self.gpu == gpu
    }

    /// The decision for this GPU, unless trying it could not have come to that: by a method that `may_be_tried` does not
    /// admit, with types that are none of those that a host sees, or with another `granularity`.
    pub(super) fn plan(
        &self,
        memory: vk::PhysicalDeviceMemoryProperties,
        host_visible: TypeMask,
        granularity: u64,
        may_be_tried: impl Fn(SharingMethod) -> bool,
    ) -> Option<MemoryPlan> {
        let is_possible =
            |&(method, types): &(_, TypeMask)| may_be_tried(method) && types.without(host_visible).is_empty();
        let attempts = self.ways.iter().map(|&(method, types)| Attempt { method, outcome: Ok(types) });
        (self.granularity == granularity.max(host_page_size()) && self.ways.iter().all(is_possible))
            .then(|| MemoryPlan::new(memory, self.granularity, attempts.collect()))
    }
}

impl fmt::Display for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{PART}{}", self.gpu, self.granularity)?;
        self.ways.iter().try_for_each(|(method, types)| {
            let word = WORDS.iter().find(|(other, _)| other == method).map_or("", |(_, word)| word);
            write!(f, "{PART}{word}{OF}{:x}", types.0)
        })
    }
}

/// That a text does not say how memory of a GPU is shared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} does not say how memory of a GPU is shared, as in ID:4096:import=6")]
pub struct ParseSharedMemoryError {
    text: String,
}

impl FromStr for SharedMemory {
    type Err = ParseSharedMemoryError;

    fn from_str(text: &str) -> Result<Self, ParseSharedMemoryError> {
        let way = |part: &str| {
            let (method, types) = part.split_once(OF)?;
            let (method, _) = WORDS.into_iter().find(|(_, word)| *word == method)?;
            Some((method, TypeMask(u32::from_str_radix(types, 16).ok()?)))
        };
        let mut parts = text.split(PART);
        let mut read = || {
            let gpu = parts.next()?.parse().ok()?;
            let granularity = parts.next()?.parse().ok()?;
            Some(Self { gpu, granularity, ways: parts.by_ref().map(way).collect::<Option<_>>()? })
        };
        read().ok_or_else(|| ParseSharedMemoryError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> GpuId {
        "a7".repeat(32).parse().unwrap()
    }

    fn memory() -> vk::PhysicalDeviceMemoryProperties {
        let mut memory = vk::PhysicalDeviceMemoryProperties { memory_type_count: 3, ..Default::default() };
        for kind in memory.memory_types.iter_mut().skip(1) {
            kind.property_flags = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        }
        memory
    }

    #[test]
    fn a_plan_that_is_told_is_the_plan_that_was_made() {
        let attempts = vec![
            Attempt { method: SharingMethod::DmaBuf, outcome: Ok(TypeMask(0b010)) },
            Attempt { method: SharingMethod::Opaque, outcome: Err("no".to_owned()) },
            Attempt { method: SharingMethod::Import, outcome: Ok(TypeMask(0b110)) },
        ];
        let made = MemoryPlan::new(memory(), 64 << 10, attempts);
        let known = SharedMemory::of(id(), &made).unwrap();
        assert_eq!(known.to_string(), format!("{}:65536:dmabuf=2:import=4", id()));
        let told: SharedMemory = known.to_string().parse().unwrap();
        assert!(told.is_of(id()) && !told.is_of("00".repeat(32).parse().unwrap()));
        let plan = told.plan(memory(), TypeMask(0b110), 64 << 10, |_| true).unwrap();
        assert_eq!([0, 1, 2].map(|index| plan.method_of(index)), [0, 1, 2].map(|index| made.method_of(index)));
        assert_eq!(plan.granularity(), made.granularity());
        let flags = |plan: &MemoryPlan| plan.guest_view().memory_types.map(|kind| kind.property_flags.as_raw());
        assert_eq!(flags(&plan), flags(&made));
    }

    #[test]
    fn a_plan_for_types_that_there_are_not_is_none() {
        let known: SharedMemory = format!("{}:65536:import=6", id()).parse().unwrap();
        assert!(known.plan(memory(), TypeMask(0b110), 65536, |_| true).is_some());
        assert!(known.plan(memory(), TypeMask(0b010), 65536, |_| true).is_none());
        assert_eq!(SharedMemory::of(id(), &MemoryPlan::new(memory(), 4096, Vec::new())), None);
    }

    #[test]
    fn a_plan_that_could_not_have_been_made_is_none() {
        let known: SharedMemory = format!("{}:65536:import=2:opaque=4", id()).parse().unwrap();
        let plan = |granularity, methods: &[SharingMethod]| {
            known.plan(memory(), TypeMask(0b110), granularity, |method| methods.contains(&method)).is_some()
        };
        assert!(plan(65536, &[SharingMethod::Import, SharingMethod::Opaque]));
        assert!(!plan(65536, &[SharingMethod::Import]) && !plan(65536, &[SharingMethod::Opaque]));
        // The driver wants more of imported memory, or less.
        assert!([1 << 17, 4096].iter().all(|other| !plan(*other, &[SharingMethod::Import, SharingMethod::Opaque])));
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let id = id();
        for text in
            ["", "import=6", &format!("{id}"), &format!("{id}:x"), &format!("{id}:1:import"), &format!("{id}:1:y=6")]
        {
            assert!(text.parse::<SharedMemory>().unwrap_err().to_string().contains("import=6"), "{text}");
        }
    }
}
