//! How the texels of formats lie in memory: blocks of some texels and bytes, and planes of their own.
//!
//! Formats are known by their numbers, those of the specification's table of compatible formats. One that is not among
//! them, of a vendor's extension or newer than this table, is not known, and nothing is concluded about it.

use ash::vk;

use super::{Refusal, bounds::no_name};

/// A block of texels, which lie in memory together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Texels in each direction.
    pub(super) texels: [u8; 3],
    pub(super) bytes: u8,
}

impl Block {
    const fn one(bytes: u8) -> Self {
        Self::of([1, 1, 1], bytes)
    }

    const fn flat(width: u8, height: u8, bytes: u8) -> Self {
        Self::of([width, height, 1], bytes)
    }

    const fn of(texels: [u8; 3], bytes: u8) -> Self {
        Self { texels, bytes }
    }
}

/// The texels of one aspect of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plane {
    pub(super) block: Block,
    /// How many texels of the image one of the plane stands for, across and down.
    pub(super) divisors: [u8; 2],
}

impl Plane {
    const fn full(block: Block) -> Self {
        Self { block, divisors: [1, 1] }
    }
}

/// What a format consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Texels {
    Colour(Block),
    /// Bytes of a depth, 0 for none, and whether there is a stencil.
    Depth(u8, bool),
    /// Bytes of each plane's texels, 0 where there is no third, and what planes but the first are divided by.
    Planes([u8; 3], [u8; 2]),
}

/// Sizes of ASTC's blocks, two formats each.
const ASTC: [[u8; 2]; 14] = [
    [4, 4],
    [5, 4],
    [5, 5],
    [6, 5],
    [6, 6],
    [8, 5],
    [8, 6],
    [8, 8],
    [10, 5],
    [10, 6],
    [10, 8],
    [10, 10],
    [12, 10],
    [12, 12],
];

/// The same with depth, three formats each.
const ASTC_3D: [[u8; 3]; 10] =
    [[3, 3, 3], [4, 3, 3], [4, 4, 3], [4, 4, 4], [5, 4, 4], [5, 5, 4], [5, 5, 5], [6, 5, 5], [6, 6, 5], [6, 6, 6]];

const ASTC_BYTES: u8 = 16;

/// The nth of some sizes of ASTC's blocks.
fn astc(nth: i32) -> Option<Texels> {
    let [width, height] = *ASTC.get(usize::try_from(nth).ok()?)?;
    Some(Texels::Colour(Block::flat(width, height, ASTC_BYTES)))
}

fn astc_3d(nth: i32) -> Option<Texels> {
    Some(Texels::Colour(Block::of(*ASTC_3D.get(usize::try_from(nth).ok()?)?, ASTC_BYTES)))
}

/// The formats of VK_KHR_sampler_ycbcr_conversion of `bytes` a component come in the same order for each depth.
fn ycbcr(nth: i32, bytes: u8) -> Option<Texels> {
    let two = bytes.saturating_mul(2);
    Some(match nth {
        0 => Texels::Planes([bytes; 3], [2, 2]),
        1 => Texels::Planes([bytes, two, 0], [2, 2]),
        2 => Texels::Planes([bytes; 3], [2, 1]),
        3 => Texels::Planes([bytes, two, 0], [2, 1]),
        4 => Texels::Planes([bytes; 3], [1, 1]),
        _ => return None,
    })
}

/// What a format consists of, by its number.
fn texels(format: i32) -> Option<Texels> {
    let colour = |bytes| Some(Texels::Colour(Block::one(bytes)));
    let blocks = |bytes| Some(Texels::Colour(Block::flat(4, 4, bytes)));
    let pairs = |bytes| Some(Texels::Colour(Block::flat(2, 1, bytes)));
    match format {
        1 | 9..=15 | 1_000_470_001 => colour(1),
        2..=8 | 16..=22 | 70..=76 | 1_000_156_007 | 1_000_156_017 | 1_000_340_000..=1_000_340_001 | 1_000_470_000 => {
            colour(2)
        }
        23..=36 => colour(3),
        37..=69 | 77..=83 | 98..=100 | 122..=123 | 1_000_156_008 | 1_000_156_018 | 1_000_464_000 => colour(4),
        84..=90 => colour(6),
        91..=97 | 101..=103 | 110..=112 | 1_000_156_009 | 1_000_156_019 => colour(8),
        104..=106 => colour(12),
        107..=109 | 113..=115 => colour(16),
        116..=118 => colour(24),
        119..=121 => colour(32),
        124 => Some(Texels::Depth(2, false)),
        125..=126 => Some(Texels::Depth(4, false)),
        127 => Some(Texels::Depth(0, true)),
        128 => Some(Texels::Depth(2, true)),
        129..=130 => Some(Texels::Depth(4, true)),
        131..=134 | 139..=140 | 147..=150 | 153..=154 => blocks(8),
        135..=138 | 141..=146 | 151..=152 | 155..=156 => blocks(16),
        157..=184 => astc(format.saturating_sub(157) >> 1),
        1_000_054_000..=1_000_054_007 if format & 1 == 0 => Some(Texels::Colour(Block::flat(8, 4, 8))),
        1_000_054_000..=1_000_054_007 => blocks(8),
        1_000_066_000..=1_000_066_013 => astc(format.saturating_sub(1_000_066_000)),
        1_000_156_000..=1_000_156_001 => pairs(4),
        1_000_156_002..=1_000_156_006 => ycbcr(format.saturating_sub(1_000_156_002), 1),
        1_000_156_010..=1_000_156_011 | 1_000_156_020..=1_000_156_021 | 1_000_156_027..=1_000_156_028 => pairs(8),
        1_000_156_012..=1_000_156_016 => ycbcr(format.saturating_sub(1_000_156_012), 2),
        1_000_156_022..=1_000_156_026 => ycbcr(format.saturating_sub(1_000_156_022), 2),
        1_000_156_029..=1_000_156_033 => ycbcr(format.saturating_sub(1_000_156_029), 2),
        1_000_288_000..=1_000_288_029 => astc_3d(format.saturating_sub(1_000_288_000).div_euclid(3)),
        1_000_330_000 => Some(Texels::Planes([1, 2, 0], [1, 1])),
        1_000_330_001..=1_000_330_003 => Some(Texels::Planes([2, 4, 0], [1, 1])),
        _ => None,
    }
}

/// Whether a format can be one by its number: those of Vulkan itself are numbered without gaps, and so are those of each
/// extension, which begin at a multiple of a thousand. Of extensions that are not known to have formats, nothing is.
fn is_possible(format: i32) -> bool {
    const LAST: i32 = 184;
    /// The last format of each extension whose formats have texels that are known.
    const LAST_OF: [i32; 8] = [
        1_000_054_007,
        1_000_066_013,
        1_000_156_033,
        1_000_288_029,
        1_000_330_003,
        1_000_340_001,
        1_000_464_000,
        1_000_470_001,
    ];
    const FIRST_OF_EXTENSIONS: i32 = 1_000_000_000;
    let extension = |format: i32| format.div_euclid(1000);
    match LAST_OF.iter().find(|last| extension(**last) == extension(format)) {
        Some(last) => format <= *last,
        None => (0..=LAST).contains(&format) || format >= FIRST_OF_EXTENSIONS,
    }
}

/// Drivers look formats up in tables.
pub(crate) fn check(member: &'static str, format: vk::Format) -> Result<(), Refusal> {
    if is_possible(format.as_raw()) { Ok(()) } else { Err(no_name(member, format.as_raw())) }
}

/// The texels of an aspect of a format; `None` if they are not known, or if the format has no such aspect.
pub(super) fn plane(format: vk::Format, aspect: vk::ImageAspectFlags) -> Option<Plane> {
    match texels(format.as_raw())? {
        Texels::Colour(block) => Some(Plane::full(block)),
        Texels::Depth(0, _) => Some(Plane::full(Block::one(1))),
        Texels::Depth(..) if aspect == vk::ImageAspectFlags::STENCIL => Some(Plane::full(Block::one(1))),
        Texels::Depth(bytes, _) => Some(Plane::full(Block::one(bytes))),
        Texels::Planes([first, second, third], divisors) => match aspect {
            vk::ImageAspectFlags::PLANE_1 => Some(Plane { block: Block::one(second), divisors }),
            vk::ImageAspectFlags::PLANE_2 if third != 0 => Some(Plane { block: Block::one(third), divisors }),
            _ => Some(Plane::full(Block::one(first))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a format's colour consists of.
    fn block(format: vk::Format) -> Option<([u8; 3], u8)> {
        plane(format, vk::ImageAspectFlags::COLOR).map(|plane| (plane.block.texels, plane.block.bytes))
    }

    #[test]
    fn formats_have_the_blocks_of_their_names() {
        for (format, texels, bytes) in [
            (vk::Format::R4G4_UNORM_PACK8, [1, 1, 1], 1),
            (vk::Format::R8G8B8A8_UNORM, [1, 1, 1], 4),
            (vk::Format::A2B10G10R10_SINT_PACK32, [1, 1, 1], 4),
            (vk::Format::R16_SFLOAT, [1, 1, 1], 2),
            (vk::Format::R16G16B16_UNORM, [1, 1, 1], 6),
            (vk::Format::R32_SFLOAT, [1, 1, 1], 4),
            (vk::Format::R32G32B32A32_SFLOAT, [1, 1, 1], 16),
            (vk::Format::R64G64B64A64_SFLOAT, [1, 1, 1], 32),
            (vk::Format::E5B9G9R9_UFLOAT_PACK32, [1, 1, 1], 4),
            (vk::Format::BC1_RGB_UNORM_BLOCK, [4, 4, 1], 8),
            (vk::Format::BC3_SRGB_BLOCK, [4, 4, 1], 16),
            (vk::Format::BC4_SNORM_BLOCK, [4, 4, 1], 8),
            (vk::Format::BC7_SRGB_BLOCK, [4, 4, 1], 16),
            (vk::Format::ETC2_R8G8B8A1_SRGB_BLOCK, [4, 4, 1], 8),
            (vk::Format::EAC_R11_UNORM_BLOCK, [4, 4, 1], 8),
            (vk::Format::EAC_R11G11_SNORM_BLOCK, [4, 4, 1], 16),
            (vk::Format::ASTC_4X4_UNORM_BLOCK, [4, 4, 1], 16),
            (vk::Format::ASTC_6X5_SRGB_BLOCK, [6, 5, 1], 16),
            (vk::Format::ASTC_12X12_SRGB_BLOCK, [12, 12, 1], 16),
            (vk::Format::ASTC_12X12_SFLOAT_BLOCK, [12, 12, 1], 16),
            (vk::Format::PVRTC2_2BPP_UNORM_BLOCK_IMG, [8, 4, 1], 8),
            (vk::Format::G8B8G8R8_422_UNORM, [2, 1, 1], 4),
            (vk::Format::A4R4G4B4_UNORM_PACK16, [1, 1, 1], 2),
        ] {
            assert_eq!(block(format), Some((texels, bytes)), "{}", format.as_raw());
        }
        assert_eq!(block(vk::Format::from_raw(1_000_288_029)), Some(([6, 6, 6], 16)));
        assert_eq!([block(vk::Format::UNDEFINED), block(vk::Format::from_raw(i32::MAX))], [None; 2]);
    }

    #[test]
    fn formats_are_numbered_without_gaps() {
        let possible = [0, 184, 1_000_054_007, 1_000_156_033, 1_000_470_001, 1_000_609_012, i32::MAX];
        assert!(possible.into_iter().all(is_possible));
        let impossible = [-1, i32::MIN, 185, 999_999_999, 1_000_054_008, 1_000_156_034, 1_000_470_999];
        assert!(!impossible.into_iter().any(is_possible));
        // Those that are known to have texels are possible.
        let of_extension = |nth| (1_000_000_000 + nth * 1000)..(1_000_000_100 + nth * 1000);
        let some = (0..300).chain((0..700).flat_map(of_extension));
        assert!(some.filter(|format| texels(*format).is_some()).all(is_possible));
    }

    #[test]
    fn aspects_have_texels_of_their_own() {
        let of = |format, aspect| plane(format, aspect).map(|plane| (plane.block.bytes, plane.divisors));
        let (depth, stencil) = (vk::ImageAspectFlags::DEPTH, vk::ImageAspectFlags::STENCIL);
        assert_eq!(of(vk::Format::D32_SFLOAT_S8_UINT, depth), Some((4, [1, 1])));
        assert_eq!(of(vk::Format::D32_SFLOAT_S8_UINT, stencil), Some((1, [1, 1])));
        assert_eq!(of(vk::Format::D16_UNORM_S8_UINT, depth), Some((2, [1, 1])));
        assert_eq!(of(vk::Format::S8_UINT, stencil), Some((1, [1, 1])));
        let [second, third] = [vk::ImageAspectFlags::PLANE_1, vk::ImageAspectFlags::PLANE_2];
        assert_eq!(of(vk::Format::G8_B8R8_2PLANE_420_UNORM, second), Some((2, [2, 2])));
        assert_eq!(of(vk::Format::G16_B16_R16_3PLANE_422_UNORM, third), Some((2, [2, 1])));
        assert_eq!(of(vk::Format::G10X6_B10X6R10X6_2PLANE_444_UNORM_3PACK16, second), Some((4, [1, 1])));
    }
}
