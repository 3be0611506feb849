//! Adapts allocations to another driver: which memory type, and how much, instead of what the guest chose.
//!
//! A program chooses a memory type by the types and requirements of the recorded driver. On another driver the same
//! index may be another kind of memory, or one that its images cannot use. Where the types differ, each allocation gets
//! the type nearest to the recorded one that suits how the program will use the memory: what it binds to it, and
//! whether it maps it. That is found in the rest of the recording ([`Uses`]), once it is needed. The allocation also
//! grows to what the bound objects need on this driver.
//!
//! Offsets stay as recorded, so they may be misaligned for this driver.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
};

use venus_protocol::{
    reflect::value::{Reply, Request},
    vk,
    wire::{CommandType, Member},
};

use super::request;
use crate::recording::{Event, Reader};

const TYPE_INDEX: Member = Member { owner: "VkMemoryAllocateInfo", name: "memoryTypeIndex" };
const SIZE: Member = Member { owner: "VkMemoryAllocateInfo", name: "allocationSize" };

const DEVICE_LOCAL: u64 = vk::MemoryPropertyFlags::DEVICE_LOCAL.as_raw() as u64;
/// Properties of memory that a guest can map.
const MAPPABLE: u64 =
    (vk::MemoryPropertyFlags::HOST_VISIBLE.as_raw() | vk::MemoryPropertyFlags::HOST_COHERENT.as_raw()) as u64;
/// Properties that no program minds. Memory with any other is only given to a program that chose such memory.
const HARMLESS: u64 = DEVICE_LOCAL | MAPPABLE | vk::MemoryPropertyFlags::HOST_CACHED.as_raw() as u64;

/// The property flags of memory types, by number.
type Types = Vec<u64>;

/// What the recording and this driver say about memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By the guest's id of the physical device: the types in the recording, and those here.
    types: BTreeMap<u64, (Types, Types)>,
    /// The physical device of each device.
    physical_device_of: BTreeMap<u64, u64>,
    /// Requirements of buffers and images on this driver.
    requirements: BTreeMap<u64, Requirements>,
}

#[derive(Debug, Clone, Copy)]
struct Requirements {
    size: u64,
    /// A bit for each allowed type.
    types: u64,
}

/// How the program uses its memory in the whole recording.
#[derive(Debug, Default)]
pub(super) struct Uses {
    mapped: BTreeSet<u64>,
    /// Buffers and images in each memory, with their offsets.
    bound: BTreeMap<u64, Vec<(u64, u64)>>,
}

/// An allocation that was changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) recorded_type: u32,
    pub(super) memory_type: u32,
    pub(super) has_grown: bool,
}

impl Uses {
    /// Looks through a whole recording.
    pub(super) fn survey<R: Read>(mut reader: Reader<R>) -> io::Result<Self> {
        let mut uses = Self::default();
        while let Some(record) = reader.next_record()? {
            match &record.event {
                Event::Begin { request, .. } => uses.note(request),
                Event::Blob { blob_id, .. } if *blob_id != 0 => drop(uses.mapped.insert(*blob_id)),
                _ => {}
            }
        }
        Ok(uses)
    }

    fn note(&mut self, bytes: &[u8]) {
        let binds = [
            CommandType::BIND_BUFFER_MEMORY,
            CommandType::BIND_BUFFER_MEMORY2,
            CommandType::BIND_IMAGE_MEMORY,
            CommandType::BIND_IMAGE_MEMORY2,
        ];
        let is_bind = request::header(bytes).is_some_and(|header| binds.contains(&header.command));
        let Some(request) = is_bind.then(|| Request::read(bytes).ok()).flatten() else { return };
        let param = |name| request::param_number(&request, name);
        let mut add = |object: Option<u64>, memory: Option<u64>, offset: Option<u64>| {
            if let (Some(object), Some(memory), Some(offset)) = (object, memory, offset) {
                self.bound.entry(memory).or_default().push((object, offset));
            }
        };
        add(param("buffer").or_else(|| param("image")), param("memory"), param("memoryOffset"));
        for info in request::structures(request.param("pBindInfos")) {
            let member = |name| request::member(info, name);
            add(member("buffer").or_else(|| member("image")), member("memory"), member("memoryOffset"));
        }
    }
}

impl Memory {
    /// Notes what a command says about memory, by its request, its recorded reply and its reply now.
    pub(super) fn learn(&mut self, command: CommandType, request: &[u8], expected: &[u8], got: &[u8]) {
        match command {
            CommandType::GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES
            | CommandType::GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES2 => {
                let both = (request::first_word(request), types(expected), types(got));
                if let (Some(physical_device), Some(recorded), Some(here)) = both {
                    self.types.insert(physical_device, (recorded, here));
                }
            }
            CommandType::CREATE_DEVICE => {
                let Ok(request) = Request::read(request) else { return };
                let ids =
                    (request::param_number(&request, "physicalDevice"), request::param_number(&request, "pDevice"));
                if let (Some(physical_device), Some(device)) = ids {
                    self.physical_device_of.insert(device, physical_device);
                }
            }
            CommandType::GET_BUFFER_MEMORY_REQUIREMENTS
            | CommandType::GET_BUFFER_MEMORY_REQUIREMENTS2
            | CommandType::GET_IMAGE_MEMORY_REQUIREMENTS
            | CommandType::GET_IMAGE_MEMORY_REQUIREMENTS2 => {
                let object = Request::read(request).ok().and_then(|request| {
                    let buffers = request::handles(&request.params, vk::ObjectType::BUFFER);
                    buffers.into_iter().chain(request::handles(&request.params, vk::ObjectType::IMAGE)).next()
                });
                if let (Some(object), Some(requirements)) = (object, requirements(got)) {
                    self.requirements.insert(object, requirements);
                }
            }
            _ => {}
        }
    }

    /// Whether a vkAllocateMemory was recorded on a driver with other memory types.
    pub(super) fn is_foreign(&self, request: &[u8]) -> bool {
        self.types_for(request).is_some_and(|(recorded, here)| recorded != here)
    }

    fn types_for(&self, request: &[u8]) -> Option<&(Types, Types)> {
        self.types.get(self.physical_device_of.get(&request::first_word(request)?)?)
    }

    /// Changes a vkAllocateMemory to suit how the program uses the memory, on this driver.
    pub(super) fn adapt(&self, bytes: &mut [u8], uses: &Uses) -> Option<Change> {
        let (recorded, here) = self.types_for(bytes)?;
        let (id, is_import) = {
            let request = Request::read(bytes).ok()?;
            let info = request::param(&request, "pAllocateInfo")?;
            let is_import = info.chain.iter().any(|node| node.row.name.starts_with("VkImportMemory"));
            (request::param_number(&request, "pMemory")?, is_import)
        };
        if is_import {
            return None;
        }
        let bound = uses.bound.get(&id).map(Vec::as_slice).unwrap_or_default();
        let needs = || bound.iter().filter_map(|(object, at)| Some((self.requirements.get(object)?, at)));
        let allowed = needs().fold(u64::MAX, |allowed, (needed, _)| allowed & needed.types);

        let type_at = request::offset_of(bytes, TYPE_INDEX)?;
        let size_at = request::offset_of(bytes, SIZE)?;
        let recorded_type = u32::from_le_bytes(*bytes.get(type_at..)?.first_chunk()?);
        let size = u64::from_le_bytes(*bytes.get(size_at..)?.first_chunk()?);
        let wanted = *recorded.get(usize::try_from(recorded_type).ok()?)?;
        let memory_type = choose(wanted, here, allowed, uses.mapped.contains(&id))?;
        let needed = needs().map(|(needed, at)| at.saturating_add(needed.size)).max().unwrap_or(0).max(size);
        *bytes.get_mut(type_at..)?.first_chunk_mut()? = memory_type.to_le_bytes();
        *bytes.get_mut(size_at..)?.first_chunk_mut()? = needed.to_le_bytes();
        Some(Change { recorded_type, memory_type, has_grown: needed > size })
    }
}

/// The type among `here` that is nearest to one with the properties `wanted`.
fn choose(wanted: u64, here: &[u64], allowed: u64, is_mapped: bool) -> Option<u32> {
    let required = if is_mapped { MAPPABLE } else { 0 };
    // Of memory that is never mapped only its nearness to the GPU matters.
    let valued =
        if is_mapped { wanted } else { wanted & !(MAPPABLE | vk::MemoryPropertyFlags::HOST_CACHED.as_raw() as u64) };
    let candidates = here.iter().enumerate().filter(|(index, flags)| {
        allowed.checked_shr(u32::try_from(*index).unwrap_or(u32::MAX)).unwrap_or(0) & 1 == 1
            && *flags & required == required
            && *flags & !wanted & !HARMLESS == 0
    });
    let best = candidates.max_by_key(|(index, flags)| {
        let (kept, extra) = ((*flags & valued).count_ones(), (*flags & !wanted).count_ones());
        (kept, std::cmp::Reverse(extra), std::cmp::Reverse(*index))
    });
    u32::try_from(best?.0).ok()
}

/// The types in a reply of vkGetPhysicalDeviceMemoryProperties or its second version.
fn types(reply: &[u8]) -> Option<Types> {
    let reply = Reply::read(reply).ok()?;
    let output = request::structure(&reply.outputs.first()?.value)?;
    let table = output.member("memoryProperties").and_then(request::structure).unwrap_or(output);
    let count = usize::try_from(request::member(table, "memoryTypeCount")?).ok()?;
    let all = request::structures(table.member("memoryTypes"));
    all.take(count).map(|one| request::member(one, "propertyFlags")).collect()
}

/// The requirements in a reply.
fn requirements(reply: &[u8]) -> Option<Requirements> {
    let reply = Reply::read(reply).ok()?;
    let output = request::structure(&reply.outputs.first()?.value)?;
    let told = output.member("memoryRequirements").and_then(request::structure).unwrap_or(output);
    Some(Requirements { size: request::member(told, "size")?, types: request::member(told, "memoryTypeBits")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: u64 = MAPPABLE;
    const CACHED: u64 = HOST | 0x8;
    const ALL: u64 = DEVICE_LOCAL | CACHED;
    const PROTECTED: u64 = 0x20;

    #[test]
    fn the_nearest_type_that_will_do_is_chosen() {
        // Those of a GPU with memory of its own.
        let discrete = [0, DEVICE_LOCAL, HOST, CACHED, DEVICE_LOCAL | HOST];
        for (wanted, here, allowed, is_mapped, expected) in [
            // The only type of a CPU driver, for what is mapped, and for images.
            (ALL, &discrete[..], u64::MAX, true, Some(3)),
            (ALL, &discrete, 0b00011, false, Some(1)),
            (ALL, &discrete, u64::MAX, false, Some(1)),
            (DEVICE_LOCAL, &[ALL], u64::MAX, false, Some(0)),
            (CACHED, &[DEVICE_LOCAL, ALL], u64::MAX, true, Some(1)),
            (HOST, &discrete, u64::MAX, true, Some(2)),
            (HOST, &discrete, 0b11000, true, Some(3)),
            // Nothing that is protected, unless it was.
            (DEVICE_LOCAL, &[DEVICE_LOCAL | PROTECTED, 0], u64::MAX, false, Some(1)),
            (DEVICE_LOCAL | PROTECTED, &[DEVICE_LOCAL, DEVICE_LOCAL | PROTECTED], u64::MAX, false, Some(1)),
            (HOST, &[DEVICE_LOCAL], u64::MAX, true, None),
        ] {
            assert_eq!(choose(wanted, here, allowed, is_mapped), expected, "{wanted:#x} {allowed:#b} {is_mapped}");
        }
    }

    #[test]
    fn an_allocation_changes_type_and_grows_to_what_is_bound_to_it() {
        let mut bytes = [CommandType::ALLOCATE_MEMORY.0, 0].map(u32::to_le_bytes).concat();
        bytes.extend(7_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(vk::StructureType::MEMORY_ALLOCATE_INFO.as_raw().to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(4096_u64.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(50_u64.to_le_bytes());
        let mut memory = Memory::default();
        assert!(!memory.is_foreign(&bytes), "nothing is known yet");
        memory.physical_device_of.insert(7, 1);
        memory.types.insert(1, (vec![ALL], vec![0, DEVICE_LOCAL, HOST]));
        memory.requirements.insert(60, Requirements { size: 8192, types: 0b011 });
        let mut uses = Uses::default();
        uses.bound.insert(50, vec![(60, 256), (61, 0)]);
        assert!(memory.is_foreign(&bytes));
        let change = memory.adapt(&mut bytes, &uses);
        assert_eq!(change, Some(Change { recorded_type: 0, memory_type: 1, has_grown: true }));
        let request = Request::read(&bytes).unwrap();
        let info = request::param(&request, "pAllocateInfo").unwrap();
        assert_eq!(request::member(info, "allocationSize"), Some(8192 + 256));
        assert_eq!(request::member(info, "memoryTypeIndex"), Some(1));
    }
}
