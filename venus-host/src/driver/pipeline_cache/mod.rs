//! Pipeline-cache data: what guests get of it, and what they bring back.
//!
//! An application keeps the data of its caches in files, and hands it to the driver again when it starts. Drivers parse
//! what they once wrote themselves, and some believe it: they look at the header's UUID, and then follow lengths and
//! positions, or run code that they find. So a guest gets the data with a tag behind it, and data that comes without its
//! right tag is none: the cache begins empty, which costs the guest time and nothing else. Vulkan lets a driver do the same
//! with data of another driver's, so applications expect it.
//!
//! The tag is HMAC-SHA-256 (RFC 2104, FIPS 180-4) under a key of the host's:
//!
//! | of | bytes |
//! |---|--:|
//! | [`PURPOSE`] | 22 |
//! | vendorID, little endian | 4 |
//! | deviceID, little endian | 4 |
//! | pipelineCacheUUID | 16 |
//! | the data as the driver gave it | all |
//!
//! It stands behind the data, because what is in front is looked at by others: `VkPipelineCacheHeaderVersionOne` is where
//! applications and guests' drivers expect it.
//!
//! What is told apart by that: other drivers and GPUs, other hosts, and what anybody has made up or changed. What is not: one
//! guest's data from another's of the same host; both are the driver's own.

mod key;

use std::{fmt, ptr, slice, str::FromStr};

use ash::vk;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub use self::key::CacheKey;
use super::Device;

/// Bytes of a tag.
const TAG_BYTES: usize = 32;

/// Keeps these tags apart from whatever else somebody may use the same key for.
const PURPOSE: &[u8; 22] = b"venus pipeline cache 1";

/// Bytes that a key of HMAC-SHA-256 is filled up to: SHA-256's block.
const BLOCK_BYTES: usize = 64;

/// What becomes of pipeline-cache data that guests bring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipelineCaches {
    /// What guests get carries a tag under this key, and what they bring without one is an empty cache.
    Checked(CacheKey),
    /// The driver is given whatever a guest brings, and parses it.
    Trusted,
}

impl Default for PipelineCaches {
    /// Checked, by a key that ends with this process.
    fn default() -> Self {
        Self::Checked(CacheKey::of_process())
    }
}

/// The same choice before there is a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// [`PipelineCaches::Checked`].
    #[default]
    Checked,
    /// [`PipelineCaches::Trusted`].
    Trust,
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checked => "checked",
            Self::Trust => "trust",
        })
    }
}

impl FromStr for CachePolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "checked" => Ok(Self::Checked),
            "trust" => Ok(Self::Trust),
            _ => Err(format!("{text:?} is neither checked nor trust")),
        }
    }
}

/// Puts tags behind the data of one GPU's caches, and knows them again.
pub(crate) struct CacheTags<'d> {
    key: &'d CacheKey,
    gpu: &'d vk::PhysicalDeviceProperties,
}

impl CacheTags<'_> {
    fn of(&self, data: &[u8]) -> Hmac<Sha256> {
        let mut block = [0; BLOCK_BYTES];
        for (to, from) in block.iter_mut().zip(self.key.bytes()) {
            *to = *from;
        }
        let mut tag = Hmac::<Sha256>::new(&block.into());
        tag.update(PURPOSE);
        tag.update(&self.gpu.vendor_id.to_le_bytes());
        tag.update(&self.gpu.device_id.to_le_bytes());
        tag.update(&self.gpu.pipeline_cache_uuid);
        tag.update(data);
        tag
    }

    /// The driver's data in what a guest brings; none if the tag is not right. How long that takes says nothing of the right
    /// tag.
    fn strip<'a>(&self, brought: &'a [u8]) -> Option<&'a [u8]> {
        let (data, tag) = brought.split_last_chunk::<TAG_BYTES>()?;
        self.of(data).verify(tag.into()).ok()?;
        Some(data)
    }

    /// How much a guest gets where the driver has so much.
    pub(crate) fn size_of(&self, driver_size: usize) -> usize {
        if driver_size == 0 { 0 } else { driver_size.saturating_add(TAG_BYTES) }
    }

    /// The room that a guest has for data with a tag, less the tag's. None if there would be nothing in front of the tag.
    pub(crate) fn room<'a>(&self, data: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let (room, _) = data.split_last_chunk_mut::<TAG_BYTES>()?;
        Some(room).filter(|room| !room.is_empty())
    }

    /// Puts the tag behind the first `driver_size` bytes, which the driver has written to [`Self::room`]. How much the guest
    /// has got.
    pub(crate) fn seal(&self, data: &mut [u8], driver_size: usize) -> usize {
        match data.split_at_mut_checked(driver_size) {
            Some((written, rest)) if driver_size != 0 => match rest.first_chunk_mut::<TAG_BYTES>() {
                Some(room) => {
                    *room = self.of(written).finalize().into_bytes().into();
                    self.size_of(driver_size)
                }
                None => 0,
            },
            _ => 0,
        }
    }
}

impl Device {
    /// How pipeline-cache data is known; none if whatever a guest brings is trusted.
    pub(crate) fn cache_tags(&self) -> Option<CacheTags<'_>> {
        let physical = self.physical();
        match physical.caches() {
            PipelineCaches::Checked(key) => Some(CacheTags { key, gpu: physical.properties() }),
            PipelineCaches::Trusted => None,
        }
    }

    /// A cache as the driver is to make it: with the data that it once wrote itself, or with none. Second, whether the guest
    /// has brought something else.
    pub(crate) fn vetted_cache<'a>(
        &self,
        info: &vk::PipelineCacheCreateInfo<'a>,
    ) -> (vk::PipelineCacheCreateInfo<'a>, bool) {
        match self.cache_tags() {
            Some(tags) if info.initial_data_size != 0 => vetted(&tags, info),
            _ => (*info, false),
        }
    }
}

fn vetted<'a>(tags: &CacheTags<'_>, info: &vk::PipelineCacheCreateInfo<'a>) -> (vk::PipelineCacheCreateInfo<'a>, bool) {
    let brought: &[u8] = if info.p_initial_data.is_null() {
        &[]
    } else {
        // SAFETY: size and pointer belong together and live as long as `info`: the decoder made them.
        unsafe { slice::from_raw_parts(info.p_initial_data.cast(), info.initial_data_size) }
    };
    let known = tags.strip(brought);
    let (size, data) = known.map_or((0, ptr::null()), |data| (data.len(), data.as_ptr()));
    (vk::PipelineCacheCreateInfo { initial_data_size: size, p_initial_data: data.cast(), ..*info }, known.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &[u8] = b"what a driver knows of some pipelines";

    fn gpu() -> vk::PhysicalDeviceProperties {
        vk::PhysicalDeviceProperties {
            vendor_id: 0x10de,
            device_id: 0x2330,
            pipeline_cache_uuid: [7; 16],
            ..Default::default()
        }
    }

    fn key() -> CacheKey {
        CacheKey::new([9; CacheKey::BYTES])
    }

    /// What a guest gets of [`DATA`].
    fn sealed(key: &CacheKey, gpu: &vk::PhysicalDeviceProperties) -> Vec<u8> {
        let mut data = [DATA, &[0; TAG_BYTES]].concat();
        assert_eq!(CacheTags { key, gpu }.seal(&mut data, DATA.len()), data.len());
        data
    }

    #[test]
    fn tags_stay_what_they_are() {
        // Computed by another implementation: files that guests have kept are known by it.
        let tag = sealed(&key(), &gpu()).split_off(DATA.len());
        let text: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "5a830b5819fbae943a1e455de6260dab293a87cda0916681f65284d4fa3416d1");
    }

    #[test]
    fn data_is_known_under_its_key_and_for_its_gpu_only() {
        let (key, gpu) = (key(), gpu());
        let sealed = sealed(&key, &gpu);
        assert_eq!(CacheTags { key: &key, gpu: &gpu }.strip(&sealed), Some(DATA));
        let other_key = CacheKey::new([8; CacheKey::BYTES]);
        assert_eq!(CacheTags { key: &other_key, gpu: &gpu }.strip(&sealed), None);
        for other in [
            vk::PhysicalDeviceProperties { vendor_id: 1, ..gpu },
            vk::PhysicalDeviceProperties { device_id: 1, ..gpu },
            vk::PhysicalDeviceProperties { pipeline_cache_uuid: [1; 16], ..gpu },
        ] {
            assert_eq!(CacheTags { key: &key, gpu: &other }.strip(&sealed), None);
        }
    }

    #[test]
    fn every_bit_and_the_length_count() {
        let (key, gpu) = (key(), gpu());
        let (tags, sealed) = (CacheTags { key: &key, gpu: &gpu }, sealed(&key, &gpu));
        for bit in 0..8 * sealed.len() {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(tags.strip(&forged), None, "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert_eq!(tags.strip(&sealed[..len]), None, "{len} bytes");
            assert_eq!(tags.strip(&sealed[sealed.len() - len..]), None, "the last {len} bytes");
        }
        assert_eq!(tags.strip(&[&sealed[..], &[0]].concat()), None);
    }

    #[test]
    fn sizes_leave_room_for_the_tag_or_nothing() {
        let (key, gpu) = (key(), gpu());
        let tags = CacheTags { key: &key, gpu: &gpu };
        assert_eq!([0, 1, usize::MAX].map(|size| tags.size_of(size)), [0, 1 + TAG_BYTES, usize::MAX]);
        let room = |len: usize| tags.room(&mut vec![0; len]).map(|room| room.len());
        assert_eq!([0, TAG_BYTES, TAG_BYTES + 1].map(room), [None, None, Some(1)]);
        // A driver that says that it has written more than there was room for, or nothing.
        let mut data = [1; TAG_BYTES + 4];
        assert_eq!([0, 5, usize::MAX].map(|size| tags.seal(&mut data, size)), [0; 3]);
        assert_eq!(data, [1; TAG_BYTES + 4]);
    }

    #[test]
    fn policies_are_told_by_their_names() {
        for policy in [CachePolicy::Checked, CachePolicy::Trust] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert!("sometimes".parse::<CachePolicy>().unwrap_err().contains("sometimes"));
    }
}
