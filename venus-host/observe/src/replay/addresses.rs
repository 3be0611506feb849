//! Addresses of memory: from where the recorded driver had it to where this one has it.
//!
//! A program asks for the addresses of its buffers and acceleration structures, and names memory by them: in commands,
//! and in its own data, such as push constants or the instances of an acceleration structure. Drivers follow them
//! without a look, so an address of the recorded driver would end the process. What the program has asked for is known
//! from the replies, then and now: every address in a command, and whatever looks like one in data, is translated. A
//! command with an address that nobody asked for is not executed.

use std::{collections::BTreeMap, ops::ControlFlow};

use venus_protocol::{
    reflect::{
        Item, Piece, Scalar, Visitor,
        value::{Reply, Request},
        walk_request,
    },
    vk,
    wire::{CommandType, Member},
};

use super::request;

/// Where programs put addresses: some put them behind smaller numbers.
const ALIGNMENT: usize = 4;

/// What the program has asked for.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Bytes of buffers, by id.
    sizes: BTreeMap<u64, u64>,
    /// By the recorded address: how many bytes lie there, and where they are now.
    ranges: BTreeMap<u64, (u64, u64)>,
}

/// An address in a command that the program never asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) member: Member,
    pub(super) address: u64,
}

impl Addresses {
    /// Notes what a command says about addresses, by its request, its recorded reply and its reply now.
    pub(super) fn learn(&mut self, command: CommandType, bytes: &[u8], expected: &[u8], got: &[u8]) {
        let len = match command {
            CommandType::CREATE_BUFFER => return self.learn_size(bytes),
            CommandType::GET_BUFFER_DEVICE_ADDRESS => {
                let buffer = of_object(bytes, vk::ObjectType::BUFFER);
                buffer.and_then(|buffer| self.sizes.get(&buffer)).copied().unwrap_or(1)
            }
            CommandType::GET_ACCELERATION_STRUCTURE_DEVICE_ADDRESS_KHR => 1,
            _ => return,
        };
        if let (Some(recorded), Some(here)) = (returned(expected), returned(got)) {
            // An acceleration structure's may be that of its buffer, whose length says more.
            let known = self.ranges.get(&recorded).map_or(0, |(len, _)| *len);
            self.ranges.insert(recorded, (len.max(known), here));
        }
    }

    fn learn_size(&mut self, bytes: &[u8]) {
        let Ok(command) = Request::read(bytes) else { return };
        let size = request::param(&command, "pCreateInfo").and_then(|info| request::member(info, "size"));
        if let (Some(buffer), Some(size)) = (request::param_number(&command, "pBuffer"), size) {
            self.sizes.insert(buffer, size);
        }
    }

    /// Where the memory is now that the recorded driver had at `address`.
    fn find(&self, address: u64) -> Option<u64> {
        let (start, (len, here)) = self.ranges.range(..=address).next_back()?;
        let offset = address.checked_sub(*start).filter(|offset| offset < len)?;
        here.checked_add(offset)
    }

    /// Translates the addresses in a command that names memory by them, and what looks like one in its data.
    pub(super) fn translate(&self, command: CommandType, bytes: &mut [u8]) -> Result<(), Unknown> {
        if !names_memory(command) {
            return Ok(());
        }
        let mut found = Places::default();
        let _asked = walk_request(bytes, &mut found);
        for (at, len) in found.data {
            self.translate_data(bytes.get_mut(at..).and_then(|data| data.get_mut(..len)).unwrap_or_default());
        }
        for (at, member) in found.addresses {
            let Some(word) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) else { continue };
            let address = u64::from_le_bytes(*word);
            if address != 0 {
                *word = self.find(address).ok_or(Unknown { member, address })?.to_le_bytes();
            }
        }
        Ok(())
    }

    /// Translates whatever looks like an address in a program's data.
    fn translate_data(&self, data: &mut [u8]) {
        for (at, here) in self.in_data(data) {
            if let Some(word) = data.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *word = here;
            }
        }
    }

    /// Where in a program's data there is what looks like an address, and what it is now.
    fn in_data(&self, data: &[u8]) -> Vec<(usize, [u8; 8])> {
        let Some(first) = self.ranges.keys().next().copied() else { return Vec::new() };
        let word = |at: usize| {
            let address = u64::from_le_bytes(*data.get(at..)?.first_chunk()?);
            let here = if address >= first { self.find(address)? } else { return None };
            Some((at, here.to_le_bytes()))
        };
        (0..data.len()).step_by(ALIGNMENT).filter_map(word).collect()
    }

    /// Whether there is nothing to translate.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.iter().all(|(recorded, (_, here))| recorded == here)
    }
}

/// What a recording says is in memory, by resource. It tells of changed bytes only, and of an address some may be as
/// before.
#[derive(Debug, Default)]
pub(super) struct Contents(BTreeMap<u32, Vec<u8>>);

impl Contents {
    /// A resource is new, and so holds nothing.
    pub(super) fn forget(&mut self, resource: u32) {
        self.0.remove(&resource);
    }

    /// Takes over what is written to a resource, and answers which words in it and around it are addresses: their
    /// offsets, and what they are on this driver.
    pub(super) fn write(
        &mut self,
        (resource, offset): (u32, usize),
        bytes: &[u8],
        addresses: &Addresses,
    ) -> Vec<(usize, [u8; 8])> {
        let contents = self.0.entry(resource).or_default();
        let end = offset.saturating_add(bytes.len());
        // An address may end behind what is written, with zeroes.
        let needed = end.saturating_add(size_of::<u64>()).next_multiple_of(ALIGNMENT);
        if contents.len() < needed {
            contents.resize(needed, 0);
        }
        if let Some(to) = contents.get_mut(offset..end) {
            to.copy_from_slice(bytes);
        }
        if addresses.is_empty() {
            return Vec::new();
        }
        let start = offset.saturating_sub(size_of::<u64>()).next_multiple_of(ALIGNMENT);
        let around = contents.get(start..needed).unwrap_or_default();
        addresses.in_data(around).into_iter().map(|(at, here)| (at.saturating_add(start), here)).collect()
    }
}

/// Whether addresses in a command are of memory that exists. In others a program may ask for an address that memory is to
/// have, or for its data to be kept.
fn names_memory(command: CommandType) -> bool {
    command.name().starts_with("vkCmd")
        || [CommandType::BEGIN_COMMAND_BUFFER, CommandType::WRITE_RESOURCE_DESCRIPTOR_MESA].contains(&command)
}

/// The object of a type that a command's information names.
fn of_object(bytes: &[u8], kind: vk::ObjectType) -> Option<u64> {
    let command = Request::read(bytes).ok()?;
    request::handles(&command.params, kind).first().copied()
}

/// The address that a command has returned.
fn returned(reply: &[u8]) -> Option<u64> {
    let reply = Reply::read(reply).ok()?;
    request::number(reply.returned.as_ref()?).filter(|address| *address != 0)
}

/// Where addresses and data stand in a request.
#[derive(Default)]
struct Places {
    addresses: Vec<(usize, Member)>,
    data: Vec<(usize, usize)>,
}

impl Visitor for Places {
    fn visit(&mut self, at: usize, len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Value(Item::Scalar(Scalar::DeviceAddress), _) => self.addresses.push((at, member)),
            Piece::Values(Item::Scalar(Scalar::DeviceAddress), bytes) => {
                let each = (0..bytes.len()).step_by(size_of::<u64>());
                self.addresses.extend(each.map(|offset| (at.saturating_add(offset), member)));
            }
            Piece::Bytes(Item::Byte, _) => self.data.push((at, len)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: u64 = 0x7f00_0000_1000;
    const HERE: u64 = 0x7e00_0000_2000;
    const BUFFER: u64 = 7;

    /// A number as two words.
    fn wide(number: u64) -> [u32; 2] {
        [number as u32, (number >> 32) as u32]
    }

    fn bytes(command: CommandType, words: &[&[u32]]) -> Vec<u8> {
        let words = [command.0, 0].into_iter().chain(words.iter().copied().flatten().copied());
        words.flat_map(u32::to_le_bytes).collect()
    }

    /// What is known after a program has asked for the address of a buffer of 256 bytes.
    fn addresses() -> Addresses {
        let mut addresses = Addresses::default();
        let device = wide(1);
        // sType and pNext, flags, size, usage, sharing, no families, no allocator.
        let info = [12, 0, 0, 0, 256, 0, 0, 0, 0, 0, 0, 0, 0];
        let create = CommandType::CREATE_BUFFER;
        let request = bytes(create, &[&device, &wide(1), &info, &wide(1), &wide(BUFFER)]);
        addresses.learn(create, &request, &[], &[]);
        let ask = CommandType::GET_BUFFER_DEVICE_ADDRESS;
        let info = vk::StructureType::BUFFER_DEVICE_ADDRESS_INFO.as_raw().unsigned_abs();
        let request = bytes(ask, &[&device, &wide(1), &[info, 0, 0], &wide(BUFFER)]);
        let reply = |address: u64| [&ask.0.to_le_bytes()[..], &address.to_le_bytes()].concat();
        addresses.learn(ask, &request, &reply(RECORDED), &reply(HERE));
        addresses
    }

    const TRACE: CommandType = CommandType::CMD_TRACE_RAYS_INDIRECT2_KHR;

    fn trace(address: u64) -> Vec<u8> {
        bytes(TRACE, &[&wide(5), &wide(address)])
    }

    #[test]
    fn addresses_in_commands_are_translated() {
        for (recorded, here) in [(RECORDED, HERE), (RECORDED + 255, HERE + 255), (0, 0)] {
            let mut bytes = trace(recorded);
            assert_eq!(addresses().translate(TRACE, &mut bytes), Ok(()));
            assert_eq!(bytes, trace(here), "{recorded:#x}");
        }
    }

    #[test]
    fn addresses_in_descriptors_are_translated() {
        const WRITE: CommandType = CommandType::WRITE_RESOURCE_DESCRIPTOR_MESA;
        let info = vk::ResourceDescriptorInfoEXT::default().s_type.as_raw().unsigned_abs();
        let buffer = vk::DescriptorType::STORAGE_BUFFER.as_raw().unsigned_abs();
        // sType and pNext, the type of the descriptor and the union's tag, the range; then the room for the descriptor.
        let request = |address: u64| {
            let range = [&wide(1)[..], &wide(address), &wide(64)].concat();
            bytes(WRITE, &[&wide(1), &wide(1), &[info, 0, 0, buffer, buffer], &range, &wide(64), &wide(64)])
        };
        let mut bytes = request(RECORDED + 8);
        assert_eq!(addresses().translate(WRITE, &mut bytes), Ok(()));
        assert_eq!(bytes, request(HERE + 8));
    }

    #[test]
    fn addresses_that_nobody_asked_for_are_told() {
        for address in [RECORDED - 1, RECORDED + 256, 1] {
            let unknown = addresses().translate(TRACE, &mut trace(address)).expect_err("nobody knows it");
            assert_eq!((unknown.member.name, unknown.address), ("indirectDeviceAddress", address));
        }
    }

    #[test]
    fn what_looks_like_an_address_in_data_is_translated() {
        let data = |address: u64| [&3_u32.to_le_bytes()[..], &address.to_le_bytes(), &[1, 2, 3]].concat();
        let mut found = data(RECORDED + 8);
        addresses().translate_data(&mut found);
        assert_eq!(found, data(HERE + 8));
        let push = CommandType::CMD_PUSH_CONSTANTS;
        let request = |address| bytes(push, &[&wide(5), &wide(6), &[1, 0, 12], &wide(12), &[3], &wide(address)]);
        let mut bytes = request(RECORDED);
        assert_eq!(addresses().translate(push, &mut bytes), Ok(()));
        assert_eq!(bytes, request(HERE));
    }

    #[test]
    fn an_address_of_which_only_some_bytes_are_told_is_translated() {
        let mut contents = Contents::default();
        let address = RECORDED.to_le_bytes();
        // Bytes that are zero before and after do not change.
        let written = contents.write((2, 58), &[&[9; 6][..], &address[1..6]].concat(), &addresses());
        assert_eq!(written, [], "it begins at no word");
        let written = contents.write((1, 65), &address[1..6], &addresses());
        assert_eq!(written, [(64, HERE.to_le_bytes())]);
        let written = contents.write((1, 64), &[0x10], &addresses());
        assert_eq!(written, [(64, (HERE + 0x10).to_le_bytes())]);
        // Nothing asked for, nothing translated.
        assert_eq!(contents.write((1, 64), &[0x20], &Addresses::default()), []);
        contents.forget(1);
        assert_eq!(contents.write((1, 64), &[0x20], &addresses()), []);
    }

    #[test]
    fn where_nothing_was_asked_for_there_is_nothing_to_do() {
        assert!(!addresses().is_empty() && Addresses::default().is_empty());
    }
}
