//! The capability set: what a guest reads before it creates a context, to decide whether and how to speak Venus.
//!
//! Version 0 of virtio-gpu capset 4, little endian:
//!
//! | offset | bytes | field | our value |
//! |-------:|------:|-------|-----------|
//! |      0 |     4 | wire_format_version | 1 |
//! |      4 |     4 | vk_xml_version | the level's: 1.4.307, 1.4.343 or 1.4.357 |
//! |      8 |     4 | vk_ext_command_serialization_spec_version | 1 |
//! |     12 |     4 | vk_mesa_venus_protocol_spec_version | 3; 4 from the level of 448 names on |
//! |     16 |     4 | supports_blob_id_0 | 1: plain shared memory exists |
//! |     20 |   128 | vk_extension_mask1 | bit N%32 of word N/32: structures of extension N may be sent; bit 0: the mask is valid |
//! |    148 |     4 | allow_vk_wait_syncs | 1: the guest may block a ring in vkWaitForFences |
//! |    152 |     4 | supports_multiple_timelines | 1: one `ring_idx` per queue |
//! |    156 |     4 | use_guest_vram | 0: host-visible memory is the host's |
//!
//! The mask says what the *decoder* can read, whatever the driver has: what the driver lacks is missing from its
//! extension list, which the guest asks for later. A bit whose structures we could not read would end the first context
//! that sends one, so the table of bits comes from the generator.

use venus_protocol::{COMMAND_SERIALIZATION_SPEC_VERSION, Level, WIRE_FORMAT_VERSION};

use crate::driver::extensions::is_never_offered;

/// virtio-gpu's number of the Venus capset.
pub const CAPSET_ID: u32 = 4;

/// The only version of it.
pub const CAPSET_VERSION: u32 = 0;

/// Its size.
pub const CAPSET_BYTES: usize = 160;

const MASK_WORDS: usize = 32;
const HEAD_WORDS: usize = 5;
const TAIL_WORDS: usize = 3;
const _: () = assert!((HEAD_WORDS + MASK_WORDS + TAIL_WORDS) * 4 == CAPSET_BYTES);

/// The capset as it travels, for guests that are served at this level of the protocol:
/// [`driver::Config::protocol`](crate::driver::Config::protocol). Needs no context and no driver.
///
/// The mask leaves out what no driver is ever asked for on a guest's behalf, so that guests do not chain its structures.
#[must_use]
pub fn capset(level: Level) -> [u8; CAPSET_BYTES] {
    let offered = level.extensions().filter(|extension| !is_never_offered(extension.name));
    encode(level, &extension_mask(offered.map(|extension| extension.number)))
}

/// Bit 0, and a bit for each number.
fn extension_mask(numbers: impl Iterator<Item = u32>) -> [u32; MASK_WORDS] {
    let mut mask = [0; MASK_WORDS];
    for number in std::iter::once(0).chain(numbers) {
        let word = usize::try_from(number / u32::BITS).ok().and_then(|index| mask.get_mut(index));
        if let Some(word) = word {
            *word |= 1_u32 << (number % u32::BITS);
        }
    }
    mask
}

fn encode(level: Level, mask: &[u32; MASK_WORDS]) -> [u8; CAPSET_BYTES] {
    let head: [u32; HEAD_WORDS] = [
        WIRE_FORMAT_VERSION,
        level.xml_version(),
        COMMAND_SERIALIZATION_SPEC_VERSION,
        level.venus_protocol_spec_version(),
        1,
    ];
    let tail: [u32; TAIL_WORDS] = [1, 1, 0];
    let mut bytes = [0; CAPSET_BYTES];
    for (slot, word) in bytes.chunks_exact_mut(4).zip(head.iter().chain(mask).chain(&tail)) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8; CAPSET_BYTES], offset: usize) -> u32 {
        u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
    }

    #[test]
    fn fields_are_where_the_guest_reads_them() {
        let bytes = encode(Level::V433, &extension_mask([384, 385, 31].into_iter()));
        let expected = [
            (0, 1),
            (4, 0x0040_4133),
            (8, 1),
            (12, 3),
            (16, 1),
            (20, 0x8000_0001),
            (20 + 4 * 12, 0b11),
            (148, 1),
            (152, 1),
            (156, 0),
        ];
        for (offset, value) in expected {
            assert_eq!(word(&bytes, offset), value, "offset {offset}");
        }
    }

    #[test]
    fn each_level_announces_its_own_versions() {
        let announced = |level| [word(&capset(level), 4), word(&capset(level), 12)];
        let expected = [[0x0040_4133, 3], [0x0040_4157, 4], [0x0040_4165, 4]];
        assert_eq!(Level::ALL.iter().map(|level| announced(*level)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_private_extensions_are_always_announced() {
        for level in Level::ALL {
            assert_eq!(word(&capset(*level), 20 + 4 * (384 / 32)) & 0b11, 0b11);
        }
    }

    #[test]
    fn what_is_never_offered_is_not_announced() {
        for level in Level::ALL {
            let capset = capset(*level);
            for extension in venus_protocol::EXTENSIONS {
                let bit = word(&capset, 20 + 4 * (extension.number / 32) as usize) >> (extension.number % 32) & 1;
                let is_later = extension.since > *level;
                assert_eq!(bit == 0, is_later || is_never_offered(extension.name), "{level}: {}", extension.name);
            }
        }
    }

    #[test]
    fn numbers_beyond_the_mask_are_left_out() {
        assert_eq!(extension_mask([1023, 1024, u32::MAX].into_iter())[31], 0x8000_0000);
    }
}
