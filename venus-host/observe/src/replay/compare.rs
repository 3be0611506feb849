//! Comparing replies: the one in the recording and the one that the driver gave now.
//!
//! The `VkResult` is compared first, since everything else depends on it. Other differences are named by the member
//! that they belong to. Where the replies have different shapes (one has more elements), the comparison ends.

use std::{cmp::Ordering, collections::BTreeMap, ops::ControlFlow};

use venus_protocol::{
    reflect::{self, Item, Piece, Returns, Scalar, Step, Visitor, value::Reply, walk_reply},
    vk,
    wire::{CommandType, Member},
};

use super::request;

/// The result of comparing two replies to the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same bytes.
    Equal,
    /// They differ only in members that differ between any two runs.
    Varies,
    /// Some members differ.
    Members(Vec<Difference>),
    /// The `VkResult`s differ: their names.
    Result { expected: String, got: String },
}

/// A member with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) member: Member,
    pub(super) expected: String,
    pub(super) got: String,
    /// How the values compare, if they are numbers.
    pub(super) order: Ordering,
}

/// Members that differ between two runs on the same driver, and why. Return values are named after their command.
const VARYING: &[(&str, &str, &str)] = &[
    ("vkGetBufferDeviceAddress", RETURNED, "addresses are the driver's to choose"),
    ("vkGetBufferOpaqueCaptureAddress", RETURNED, "addresses are the driver's to choose"),
    ("vkGetDeviceMemoryOpaqueCaptureAddress", RETURNED, "addresses are the driver's to choose"),
    ("vkGetAccelerationStructureDeviceAddressKHR", RETURNED, "addresses are the driver's to choose"),
    ("vkGetDeviceMemoryCommitment", "pCommittedMemoryInBytes", "depends on what else is going on"),
    ("VkPhysicalDeviceMemoryBudgetPropertiesEXT", "heapBudget", "depends on what else is going on"),
    ("VkPhysicalDeviceMemoryBudgetPropertiesEXT", "heapUsage", "depends on what else is going on"),
    ("vkGetCalibratedTimestampsKHR", "pTimestamps", "is the time"),
    ("vkGetCalibratedTimestampsKHR", "pMaxDeviation", "is the time"),
    ("VkPipelineCreationFeedback", "duration", "is the time"),
    ("vkGetQueryPoolResults", "pData", "may be timestamps, or counts of what runs beside"),
    ("vkGetPipelineCacheData", "pDataSize", "the driver's own format, of what came with the recording's key or not"),
    ("vkGetPipelineCacheData", "pData", "the driver's own format, and a tag by this host's key"),
    ("vkWriteSamplerDescriptorMESA", "pData", "the driver's own format"),
    ("vkWriteResourceDescriptorMESA", "pData", "the driver's own format"),
    ("VkHostAddressRangeEXT", "address", "the driver's own format"),
];

/// Arrays of a fixed size, and the member before them that says how many of their elements are valid. Drivers leave the
/// others undefined.
const COUNTED: &[(&str, &str)] = &[
    ("memoryTypes", "memoryTypeCount"),
    ("memoryHeaps", "memoryHeapCount"),
    ("physicalDevices", "physicalDeviceCount"),
    ("priorities", "priorityCount"),
];

/// The name of a return value in the protocol's tables.
const RETURNED: &str = "return value";

/// Compares two replies to a command.
pub(super) fn compare(command: CommandType, expected: &[u8], got: &[u8]) -> Verdict {
    if expected == got {
        return Verdict::Equal;
    }
    let results = (result(command, expected), result(command, got));
    if let (Some(was), Some(is)) = results
        && was != is
    {
        if is_sooner(command, was, is) {
            return Verdict::Varies;
        }
        // The program asks for as many as the recorded driver had. Another one may have more, or fewer.
        let is_listing = [was, is].iter().all(|one| matches!(*one, vk::Result::SUCCESS | vk::Result::INCOMPLETE));
        if !is_listing {
            return Verdict::Result { expected: result_name(was), got: result_name(is) };
        }
    }
    if command == CommandType::GET_SEMAPHORE_COUNTER_VALUE && counter(expected) < counter(got) {
        return Verdict::Varies;
    }
    let differences: Vec<_> = differences(expected, got).into_iter().filter(|found| !varies(found.member)).collect();
    if differences.is_empty() { Verdict::Varies } else { Verdict::Members(differences) }
}

fn varies(member: Member) -> bool {
    VARYING.iter().any(|(owner, name, _)| (*owner, *name) == (member.owner, member.name))
}

/// Whether the driver has not come as far as it had in the recording, so that the command has to be repeated before the
/// next one starts.
pub(super) fn is_behind(command: CommandType, expected: &[u8], got: &[u8]) -> bool {
    match command {
        CommandType::GET_FENCE_STATUS
        | CommandType::WAIT_FOR_FENCES
        | CommandType::WAIT_SEMAPHORES
        | CommandType::GET_QUERY_POOL_RESULTS => {
            let not_yet = [Some(vk::Result::NOT_READY), Some(vk::Result::TIMEOUT)];
            result(command, expected) == Some(vk::Result::SUCCESS) && not_yet.contains(&result(command, got))
        }
        CommandType::GET_EVENT_STATUS => {
            result(command, expected) == Some(vk::Result::EVENT_SET)
                && result(command, got) == Some(vk::Result::EVENT_RESET)
        }
        CommandType::GET_SEMAPHORE_COUNTER_VALUE => counter(got) < counter(expected),
        _ => false,
    }
}

/// Whether the driver has only come further than it had in the recording.
fn is_sooner(command: CommandType, was: vk::Result, is: vk::Result) -> bool {
    match command {
        CommandType::GET_FENCE_STATUS
        | CommandType::WAIT_FOR_FENCES
        | CommandType::WAIT_SEMAPHORES
        | CommandType::GET_QUERY_POOL_RESULTS => {
            matches!(was, vk::Result::NOT_READY | vk::Result::TIMEOUT) && is == vk::Result::SUCCESS
        }
        CommandType::GET_EVENT_STATUS => was == vk::Result::EVENT_RESET && is == vk::Result::EVENT_SET,
        _ => false,
    }
}

/// The `VkResult` in a reply; none if its command returns something else.
fn result(command: CommandType, reply: &[u8]) -> Option<vk::Result> {
    if reflect::command(command)?.returns != Returns::Result {
        return None;
    }
    let bytes = reply.get(4..)?.first_chunk()?;
    Some(vk::Result::from_raw(i32::from_le_bytes(*bytes)))
}

fn result_name(result: vk::Result) -> String {
    reflect::RESULT.display(result.as_raw().into()).to_string()
}

/// The value in a reply of vkGetSemaphoreCounterValue.
fn counter(reply: &[u8]) -> Option<u64> {
    let reply = Reply::read(reply).ok()?;
    let output = reply.outputs.iter().find(|output| output.row.name == "pValue")?;
    request::number(&output.value)
}

/// All differences, up to where the replies can no longer be compared.
fn differences(expected: &[u8], got: &[u8]) -> Vec<Difference> {
    let (expected, got) = (parts(expected), parts(got));
    let mut found = Vec::new();
    for (expected, got) in expected.iter().zip(&got) {
        if expected.member != got.member {
            break;
        }
        if expected.bytes == got.bytes {
            continue;
        }
        found.push(Difference {
            member: expected.member,
            expected: expected.to_text(),
            got: got.to_text(),
            order: got.to_number().cmp(&expected.to_number()),
        });
        if expected.is_shape {
            break;
        }
    }
    found
}

/// A piece of a reply.
struct Part {
    member: Member,
    /// Its bytes; none for markers, counts and types.
    item: Option<Item>,
    /// Whether the layout of what follows depends on it.
    is_shape: bool,
    bytes: Vec<u8>,
}

/// The pieces of a reply, without undefined ones: elements beyond their count, characters behind a NUL.
fn parts(reply: &[u8]) -> Vec<Part> {
    let mut collect = Collect::default();
    let _damaged = walk_reply(reply, &mut collect);
    collect.parts
}

#[derive(Default)]
struct Collect {
    parts: Vec<Part>,
    /// The last value of each member that counts an array of [`COUNTED`].
    counts: BTreeMap<&'static str, u64>,
    steps: Vec<Step>,
    /// The step from which on everything is undefined.
    skipped_from: Option<usize>,
}

impl Collect {
    /// How many elements of a member are valid, if not all.
    fn count_of(&self, name: &str) -> Option<u64> {
        let (_, counter) = COUNTED.iter().find(|(array, _)| *array == name)?;
        self.counts.get(counter).copied()
    }

    /// The valid part of packed values.
    fn counted<'b>(&self, member: Member, item: Item, bytes: &'b [u8]) -> &'b [u8] {
        let count = self.count_of(member.name).and_then(|count| usize::try_from(count).ok());
        let len = count.and_then(|count| count.checked_mul(item.packed_bytes()?));
        len.and_then(|len| bytes.get(..len)).unwrap_or(bytes)
    }
}

impl Visitor for Collect {
    fn visit(&mut self, _at: usize, _len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        if self.skipped_from.is_some() {
            return ControlFlow::Continue(());
        }
        let (item, is_shape, bytes) = match piece {
            Piece::Begin(_) | Piece::BeginNode(_) | Piece::End => return ControlFlow::Continue(()),
            Piece::StructureType(value) => (None, true, value.to_le_bytes().to_vec()),
            Piece::Marker(value) => (None, true, vec![value.into()]),
            Piece::Count(value) => (None, true, value.to_le_bytes().to_vec()),
            Piece::Tag(value) => (None, true, value.to_le_bytes().to_vec()),
            Piece::Bytes(Item::Char, bytes) => {
                let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                (Some(Item::Char), false, text.to_vec())
            }
            Piece::Values(item, bytes) => (Some(item), false, self.counted(member, item, bytes).to_vec()),
            Piece::Value(item, bytes) | Piece::Bytes(item, bytes) => (Some(item), false, bytes.to_vec()),
        };
        let part = Part { member, item, is_shape, bytes };
        if COUNTED.iter().any(|(_, counter)| *counter == member.name) {
            self.counts.insert(member.name, part.to_number());
        }
        self.parts.push(part);
        ControlFlow::Continue(())
    }

    fn enter(&mut self, step: Step) {
        if let (Step::Element(index), Some(Step::Member(row)), None) = (step, self.steps.last(), self.skipped_from)
            && self.count_of(row.name).is_some_and(|count| index >= count)
        {
            self.skipped_from = Some(self.steps.len());
        }
        self.steps.push(step);
    }

    fn leave(&mut self) {
        self.steps.pop();
        self.skipped_from = self.skipped_from.filter(|from| self.steps.len() > *from);
    }
}

/// Elements of an array that a report shows by their values, and bytes of a longer one.
const SHOWN_ELEMENTS: usize = 4;
const SHOWN_BYTES: usize = 16;

impl Part {
    fn to_number(&self) -> u64 {
        le_number(&self.bytes)
    }

    fn to_text(&self) -> String {
        let Some(item) = self.item else { return self.to_number().to_string() };
        let size = item.packed_bytes().unwrap_or(1);
        if matches!(item, Item::Char) {
            format!("{:?}", String::from_utf8_lossy(&self.bytes))
        } else if size == 1 || self.bytes.len() > SHOWN_ELEMENTS.saturating_mul(size) {
            let shown = self.bytes.get(..SHOWN_BYTES);
            let dots = if shown.is_some() { "..." } else { "" };
            let digits: String = shown.unwrap_or(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{digits}{dots}")
        } else if self.bytes.len() < size.saturating_mul(2) {
            element_text(item, &self.bytes)
        } else {
            let elements: Vec<_> = self.bytes.chunks(size).map(|bytes| element_text(item, bytes)).collect();
            format!("[{}]", elements.join(", "))
        }
    }
}

/// One number, enum or id.
fn element_text(item: Item, bytes: &[u8]) -> String {
    let bits = le_number(bytes);
    match item {
        Item::Enum(row) => row.read(bytes).map(|value| row.display(value).to_string()).unwrap_or_default(),
        Item::Handle(_) => format!("{bits:#x}"),
        Item::Scalar(Scalar::F32) => f32::from_bits(u32::try_from(bits).unwrap_or_default()).to_string(),
        Item::Scalar(Scalar::F64) => f64::from_bits(bits).to_string(),
        Item::Scalar(Scalar::I32) => u32::try_from(bits).unwrap_or_default().cast_signed().to_string(),
        Item::Scalar(Scalar::I64) => bits.cast_signed().to_string(),
        _ => bits.to_string(),
    }
}

/// The first eight bytes as a number.
fn le_number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply of a command that returns a `VkResult` and nothing else.
    fn bare(command: CommandType, result: vk::Result) -> Vec<u8> {
        [command.0.to_le_bytes(), result.as_raw().to_le_bytes()].concat()
    }

    fn counter_reply(value: u64) -> Vec<u8> {
        let mut reply = bare(CommandType::GET_SEMAPHORE_COUNTER_VALUE, vk::Result::SUCCESS);
        reply.extend(1_u64.to_le_bytes());
        reply.extend(value.to_le_bytes());
        reply
    }

    #[test]
    fn another_result_comes_before_everything_else() {
        let command = CommandType::CREATE_FENCE;
        let (expected, got) =
            (bare(command, vk::Result::SUCCESS), bare(command, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY));
        let (expected_name, got_name) = ("VK_SUCCESS".to_owned(), "VK_ERROR_OUT_OF_DEVICE_MEMORY".to_owned());
        assert_eq!(compare(command, &expected, &got), Verdict::Result { expected: expected_name, got: got_name });
        assert_eq!(compare(command, &expected, &expected), Verdict::Equal);
    }

    #[test]
    fn a_longer_list_is_another_value_and_no_failure() {
        let command = CommandType::ENUMERATE_DEVICE_EXTENSION_PROPERTIES;
        let (expected, got) = (bare(command, vk::Result::SUCCESS), bare(command, vk::Result::INCOMPLETE));
        let Verdict::Members(found) = compare(command, &expected, &got) else { panic!("no members") };
        assert_eq!((found[0].member.name, &*found[0].got), (RETURNED, "VK_INCOMPLETE"));
    }

    #[test]
    fn values_are_shown_as_what_they_are() {
        let member = Member { owner: "", name: "" };
        let text = |item, bytes: &[u8]| Part { member, item, is_shape: false, bytes: bytes.to_vec() }.to_text();
        let floats: Vec<u8> = [0.5_f32, 64.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(text(Some(Item::Scalar(Scalar::F32)), &floats), "[0.5, 64]");
        assert_eq!(text(Some(Item::Scalar(Scalar::I32)), &[0xff; 4]), "-1");
        assert_eq!(text(Some(Item::Enum(reflect::RESULT)), &[1, 0, 0, 0]), "VK_NOT_READY");
        assert_eq!(text(Some(Item::Scalar(Scalar::U8)), &[0xab; 17]), format!("{}...", "ab".repeat(16)));
        assert_eq!(text(Some(Item::Char), b"name"), "\"name\"");
        assert_eq!(text(None, &7_u64.to_le_bytes()), "7");
    }

    #[test]
    fn what_is_behind_is_asked_again_and_what_is_sooner_is_fine() {
        use vk::Result as R;
        for (command, was, is, behind, sooner) in [
            (CommandType::GET_FENCE_STATUS, R::SUCCESS, R::NOT_READY, true, false),
            (CommandType::GET_FENCE_STATUS, R::NOT_READY, R::SUCCESS, false, true),
            (CommandType::WAIT_FOR_FENCES, R::SUCCESS, R::TIMEOUT, true, false),
            (CommandType::WAIT_SEMAPHORES, R::TIMEOUT, R::SUCCESS, false, true),
            (CommandType::GET_EVENT_STATUS, R::EVENT_SET, R::EVENT_RESET, true, false),
            (CommandType::GET_EVENT_STATUS, R::EVENT_RESET, R::EVENT_SET, false, true),
            (CommandType::GET_FENCE_STATUS, R::SUCCESS, R::ERROR_DEVICE_LOST, false, false),
            (CommandType::CREATE_FENCE, R::SUCCESS, R::NOT_READY, false, false),
        ] {
            let (expected, got) = (bare(command, was), bare(command, is));
            assert_eq!(is_behind(command, &expected, &got), behind, "{command} {was:?} {is:?}");
            let verdict = compare(command, &expected, &got);
            assert_eq!(verdict == Verdict::Varies, sooner, "{command} {was:?} {is:?}: {verdict:?}");
        }
        let command = CommandType::GET_SEMAPHORE_COUNTER_VALUE;
        assert!(is_behind(command, &counter_reply(7), &counter_reply(6)));
        assert!(!is_behind(command, &counter_reply(7), &counter_reply(8)));
        assert_eq!(compare(command, &counter_reply(7), &counter_reply(8)), Verdict::Varies);
    }

    #[test]
    fn members_are_named_with_their_values() {
        let command = CommandType::GET_BUFFER_MEMORY_REQUIREMENTS;
        let reply = |size: u64, bits: u32| {
            let mut reply = command.0.to_le_bytes().to_vec();
            reply.extend(1_u64.to_le_bytes());
            reply.extend(size.to_le_bytes());
            reply.extend(16_u64.to_le_bytes());
            reply.extend(bits.to_le_bytes());
            reply
        };
        let Verdict::Members(found) = compare(command, &reply(256, 3), &reply(512, 1)) else { panic!("no members") };
        let found: Vec<_> = found.iter().map(|one| (one.member.name, &*one.expected, &*one.got, one.order)).collect();
        assert_eq!(found, [("size", "256", "512", Ordering::Greater), ("memoryTypeBits", "3", "1", Ordering::Less)]);
    }

    #[test]
    fn what_stands_beyond_a_count_means_nothing() {
        let command = CommandType::GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES;
        let reply = |types: u32, flags: u32, beyond: u32| {
            let mut reply = command.0.to_le_bytes().to_vec();
            reply.extend(1_u64.to_le_bytes());
            reply.extend(types.to_le_bytes());
            reply.extend(32_u64.to_le_bytes());
            for index in 0..32 {
                reply.extend(if index < types { flags } else { beyond }.to_le_bytes());
                reply.extend(0_u32.to_le_bytes());
            }
            reply.extend(0_u32.to_le_bytes());
            reply.extend(16_u64.to_le_bytes());
            reply.extend([0; 16 * 12]);
            reply
        };
        assert_eq!(compare(command, &reply(2, 1, 7), &reply(2, 1, 8)), Verdict::Varies);
        let Verdict::Members(found) = compare(command, &reply(2, 1, 7), &reply(2, 2, 8)) else { panic!("no members") };
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|one| one.member.name == "propertyFlags"), "{found:?}");
        let Verdict::Members(found) = compare(command, &reply(2, 1, 7), &reply(3, 1, 8)) else { panic!("no members") };
        assert!(found.iter().any(|one| one.member.name == "memoryTypeCount"), "{found:?}");
    }

    #[test]
    fn addresses_may_differ() {
        let command = CommandType::GET_BUFFER_DEVICE_ADDRESS;
        let reply = |address: u64| [command.0.to_le_bytes().as_slice(), &address.to_le_bytes()].concat();
        assert_eq!(compare(command, &reply(1 << 40), &reply(1 << 41)), Verdict::Varies);
    }

    #[test]
    fn every_varying_member_exists() {
        for (owner, name, why) in VARYING {
            let members: Vec<&str> = match reflect::structure(owner) {
                Some(row) => row.members.iter().map(|member| member.name).collect(),
                None => reflect::commands()
                    .find(|row| row.command.name() == *owner)
                    .into_iter()
                    .flat_map(|row| row.outputs().map(|output| output.name).chain([RETURNED]))
                    .collect(),
            };
            assert!(members.contains(name), "{owner}::{name} ({why}) is not in the registry: {members:?}");
        }
    }
}
