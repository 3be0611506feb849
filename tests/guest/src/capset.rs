//! The capability set: what a Venus host tells a guest before anything else.

/// Words of the extension mask.
const MASK_WORDS: usize = 32;

/// The capability set, as far as a guest acts on it.
///
/// | offset | bytes | field |
/// |-------:|------:|-------|
/// |      0 |     4 | `wire_format_version` |
/// |      4 |     4 | `vk_xml_version` |
/// |      8 |     4 | `vk_ext_command_serialization_spec_version` |
/// |     12 |     4 | `vk_mesa_venus_protocol_spec_version` |
/// |     16 |     4 | `supports_blob_id_0` |
/// |     20 |   128 | `vk_extension_mask1` |
///
/// What a host leaves out reads as zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capset {
    /// Version of the serialisation; there is only 1.
    pub wire_format_version: u32,
    /// Version of the registry that the host's decoder knows.
    pub xml_version: u32,
    /// Version of `VK_EXT_command_serialization`.
    pub serialization_spec_version: u32,
    /// Version of `VK_MESA_venus_protocol`.
    pub protocol_spec_version: u32,
    /// Whether blob id 0 gives plain shared memory.
    pub supports_blob_id_0: u32,
    /// Extensions that the host's decoder knows, by number; bit 0 says that the mask is valid.
    pub extension_mask: [u32; MASK_WORDS],
}

impl Capset {
    /// Reads it from its bytes.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut words =
            bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).chain(std::iter::repeat(0));
        let mut next = || words.next().unwrap_or(0);
        Self {
            wire_format_version: next(),
            xml_version: next(),
            serialization_spec_version: next(),
            protocol_spec_version: next(),
            supports_blob_id_0: next(),
            extension_mask: std::array::from_fn(|_| next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_the_table_says() {
        let bytes: Vec<u8> = (1..=40_u32).flat_map(u32::to_le_bytes).collect();
        let capset = Capset::parse(&bytes);
        assert_eq!((capset.wire_format_version, capset.xml_version, capset.supports_blob_id_0), (1, 2, 5));
        assert_eq!((capset.extension_mask[0], capset.extension_mask[31]), (6, 37));
        assert_eq!(Capset::parse(&bytes[..8]).protocol_spec_version, 0);
    }
}
