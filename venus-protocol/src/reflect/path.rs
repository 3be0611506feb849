//! The way to the member at a position, in the syntax of C: `pCreateInfos[0].pStages[1].pSpecializationInfo->dataSize`.
//!
//! [`locate`](super::locate()) names the same member by its structure, costs no memory, and is what errors carry. The way
//! there is for people.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::ops::ControlFlow;

use super::{Piece, Shape, Step, Stop, Visitor, walk_reply, walk_request};
use crate::wire::{DecodeError, Member};

/// The way from a parameter of a request to the innermost member that byte `offset` belongs to. The header has none.
///
/// A member of a chain's node is written as `pCreateInfo->pNext<VkRingMonitorInfoMESA>.maxReportingPeriodMicroseconds`.
/// The chain's headers, which say what nodes there are, all belong to `pNext`.
///
/// As for [`locate`](super::locate()), the bytes may be what a decoder refuses, and the last name is the one that it gives.
pub fn path(bytes: &[u8], offset: usize) -> Option<String> {
    Trail::to(offset, |trail| walk_request(bytes, trail))
}

/// As [`path`], for a reply, where what the command returned is `return value`.
pub fn path_reply(bytes: &[u8], offset: usize) -> Option<String> {
    Trail::to(offset, |trail| walk_reply(bytes, trail))
}

impl DecodeError {
    /// The whole way to [`member`](Self::member) from the command's parameters on, as [`path`] writes it.
    ///
    /// `stream` is the buffer that was decoded and `at` where the command begins in it.
    pub fn path(&self, stream: &[u8], at: usize) -> Option<String> {
        self.member?;
        path(stream.get(at..)?, self.blamed().saturating_sub(at))
    }
}

/// Ends a walk at the item that reaches beyond a position, and knows the steps to it.
struct Trail {
    offset: usize,
    steps: Vec<Step>,
}

impl Trail {
    fn to(offset: usize, walk: impl FnOnce(&mut dyn Visitor) -> Result<usize, Stop>) -> Option<String> {
        let mut trail = Self { offset, steps: Vec::new() };
        // No item covers the header, so a walk to it ends behind it.
        walk(&mut trail).err().filter(|stop| stop.offset <= offset)?.member?;
        Some(trail.to_string())
    }
}

impl Visitor for Trail {
    fn visit(&mut self, at: usize, len: usize, _member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        if at.saturating_add(len) <= self.offset {
            return ControlFlow::Continue(());
        }
        if let Piece::Values(item, packed) = piece {
            let within = self.offset.saturating_sub(at);
            // Behind the last element is padding, which belongs to the array.
            let index =
                item.packed_bytes().and_then(|bytes| within.checked_div(bytes)).filter(|_| within < packed.len());
            self.steps.extend(index.and_then(|index| u64::try_from(index).ok()).map(Step::Element));
        }
        ControlFlow::Break(())
    }

    fn enter(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn leave(&mut self) {
        self.steps.pop();
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for step in &self.steps {
            match step {
                Step::Member(row) => write!(f, "{separator}{}", row.name)?,
                Step::Element(index) => write!(f, "[{index}]")?,
                Step::StructureType => write!(f, "{separator}sType")?,
                Step::Chain => write!(f, "{separator}pNext")?,
                Step::Node(row) => write!(f, "{separator}pNext<{}>", row.name)?,
                Step::Returned => f.write_str("return value")?,
            }
            separator = match step {
                Step::Member(row) if matches!(row.shape, Shape::Pointer) => "->",
                _ => ".",
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reflect::locate;
    use crate::wire::CommandType;

    /// Bytes made by hand, and where each member's begin.
    #[derive(Default)]
    struct Request {
        bytes: Vec<u8>,
        expected: Vec<(usize, &'static str)>,
    }

    impl Request {
        fn of(command: CommandType) -> Self {
            Self::default().word("", command.0).word("", 0)
        }

        fn word(mut self, path: &'static str, value: u32) -> Self {
            self.expected.push((self.bytes.len(), path));
            self.bytes.extend(value.to_le_bytes());
            self
        }

        fn double_word(mut self, path: &'static str, value: u64) -> Self {
            self.expected.push((self.bytes.len(), path));
            self.bytes.extend(value.to_le_bytes());
            self
        }

        /// Checks the paths, and that their last names are those that errors carry.
        #[track_caller]
        fn check(&self) {
            for &(offset, expected) in &self.expected {
                let found = path(&self.bytes, offset);
                assert_eq!(found.as_deref().unwrap_or_default(), expected, "at byte {offset}");
                let last = expected.rsplit(['.', '>']).next().unwrap_or_default();
                let last = last.split('[').next().unwrap_or_default();
                let name = locate(&self.bytes, offset).map_or("", |member| member.name);
                assert_eq!(last, name, "at byte {offset}");
            }
        }
    }

    #[test]
    fn nested_structures_and_arrays() {
        let request = Request::of(CommandType::CREATE_COMPUTE_PIPELINES)
            .double_word("device", 1)
            .double_word("pipelineCache", 0)
            .word("createInfoCount", 1)
            .double_word("pCreateInfos", 1)
            .word("pCreateInfos[0].sType", 29)
            .double_word("pCreateInfos[0].pNext", 0)
            .word("pCreateInfos[0].flags", 0)
            .word("pCreateInfos[0].stage.sType", 18)
            .double_word("pCreateInfos[0].stage.pNext", 0)
            .word("pCreateInfos[0].stage.flags", 0)
            .word("pCreateInfos[0].stage.stage", 0x20)
            .double_word("pCreateInfos[0].stage.module", 2)
            .double_word("pCreateInfos[0].stage.pName", 5)
            .double_word("pCreateInfos[0].stage.pName", 0x6e69_616d)
            .double_word("pCreateInfos[0].stage.pSpecializationInfo", 1)
            .word("pCreateInfos[0].stage.pSpecializationInfo->mapEntryCount", 1)
            .double_word("pCreateInfos[0].stage.pSpecializationInfo->pMapEntries", 1)
            .word("pCreateInfos[0].stage.pSpecializationInfo->pMapEntries[0].constantID", 7)
            .word("pCreateInfos[0].stage.pSpecializationInfo->pMapEntries[0].offset", 0)
            .double_word("pCreateInfos[0].stage.pSpecializationInfo->pMapEntries[0].size", 4)
            .double_word("pCreateInfos[0].stage.pSpecializationInfo->dataSize", 4)
            .double_word("pCreateInfos[0].stage.pSpecializationInfo->pData", 4)
            .word("pCreateInfos[0].stage.pSpecializationInfo->pData", 9)
            .double_word("pCreateInfos[0].layout", 3)
            .double_word("pCreateInfos[0].basePipelineHandle", 0)
            .word("pCreateInfos[0].basePipelineIndex", 0)
            .double_word("pAllocator", 0)
            .double_word("pPipelines", 1)
            .double_word("pPipelines[0]", 4);
        request.check();
        assert_eq!(path(&request.bytes, request.bytes.len()), None);
    }

    #[test]
    fn nodes_of_chains() {
        Request::of(CommandType::CREATE_RING_MESA)
            .double_word("ring", 1)
            .double_word("pCreateInfo", 1)
            .word("pCreateInfo->sType", 1_000_384_000)
            .double_word("pCreateInfo->pNext", 1)
            .word("pCreateInfo->pNext", 1_000_384_006)
            .double_word("pCreateInfo->pNext", 0)
            .word("pCreateInfo->pNext<VkRingMonitorInfoMESA>.maxReportingPeriodMicroseconds", 5)
            .word("pCreateInfo->flags", 0)
            .check();
    }

    #[test]
    fn packed_elements_and_strings() {
        Request::of(CommandType::CMD_SET_BLEND_CONSTANTS)
            .double_word("commandBuffer", 1)
            .double_word("blendConstants", 4)
            .word("blendConstants[0]", 0)
            .double_word("blendConstants[1]", 0)
            .word("blendConstants[3]", 0)
            .check();
        Request::of(CommandType::CMD_CLEAR_COLOR_IMAGE)
            .double_word("commandBuffer", 1)
            .double_word("image", 2)
            .word("imageLayout", 1)
            .double_word("pColor", 1)
            .word("pColor", 2)
            .double_word("pColor->uint32", 4)
            .word("pColor->uint32[0]", 0)
            .word("pColor->uint32[1]", 0)
            .word("pColor->uint32[2]", 0)
            .word("pColor->uint32[3]", 0)
            .word("rangeCount", 0)
            .double_word("pRanges", 0)
            .check();
        Request::of(CommandType::CREATE_INSTANCE)
            .double_word("pCreateInfo", 1)
            .word("pCreateInfo->sType", 1)
            .double_word("pCreateInfo->pNext", 0)
            .word("pCreateInfo->flags", 0)
            .double_word("pCreateInfo->pApplicationInfo", 0)
            .word("pCreateInfo->enabledLayerCount", 0)
            .double_word("pCreateInfo->ppEnabledLayerNames", 0)
            .word("pCreateInfo->enabledExtensionCount", 2)
            .double_word("pCreateInfo->ppEnabledExtensionNames", 2)
            .double_word("pCreateInfo->ppEnabledExtensionNames[0]", 2)
            .word("pCreateInfo->ppEnabledExtensionNames[0]", 0x41)
            .double_word("pCreateInfo->ppEnabledExtensionNames[1]", 4)
            .word("pCreateInfo->ppEnabledExtensionNames[1]", 0x41_4141)
            .double_word("pAllocator", 0)
            .check();
    }

    /// Where the bytes stop making sense, the path ends at the member where they do.
    #[test]
    fn faults() {
        let request = Request::of(CommandType::CREATE_RING_MESA)
            .double_word("ring", 1)
            .double_word("pCreateInfo", 1)
            .word("pCreateInfo->sType", 0)
            .word("pCreateInfo->sType", 0);
        request.check();
        let cut = request.bytes.get(..request.bytes.len() - 6).unwrap_or_default();
        assert_eq!(path(cut, usize::MAX).as_deref(), Some("pCreateInfo->sType"));
        assert_eq!(path(&[], 0), None);
        assert_eq!(path(&[0xff; 64], 32), None);
    }

    #[test]
    fn replies() {
        let mut bytes = CommandType::ENUMERATE_PHYSICAL_DEVICES.0.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        let check = |offset, expected| assert_eq!(path_reply(&bytes, offset).as_deref(), expected, "at byte {offset}");
        check(0, None);
        check(4, Some("return value"));
        check(8, Some("pPhysicalDeviceCount"));
        check(16, Some("pPhysicalDeviceCount"));
        check(20, Some("pPhysicalDevices"));
    }
}
