//! Pictures: what the recorded program copied from images to memory that it can read.
//!
//! That is how programs read back what they have drawn, and how Mesa presents frames where it has no better way
//! (`MESA_VK_WSI_DEBUG=sw`). From the copy to the bytes: vkCmdCopyImageToBuffer names the image and the buffer,
//! vkCreateImage has the image's format, vkBindBufferMemory the buffer's memory, and a resource maps that memory. Alpha
//! is left out, since most presented pictures ignore it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::BufWriter,
    path::PathBuf,
};

use venus_host::resource::HostMapping;
use venus_protocol::{
    reflect::{
        self,
        value::{Request, Struct, Value},
    },
    vk,
    wire::CommandType,
};

use super::request::{handles, member, param, param_number, structure, structures};

/// Bytes of a texel in the formats that can be saved.
const TEXEL: usize = 4;

/// Images, and the memory that they are copied to.
#[derive(Debug)]
pub(super) struct Images {
    folder: PathBuf,
    /// Format of each image, a `VkFormat`.
    formats: BTreeMap<u64, i32>,
    /// Memory and offset of each buffer.
    bindings: BTreeMap<u64, (u64, u64)>,
    /// Copies in each command buffer.
    copies: BTreeMap<u64, Vec<Copy>>,
    /// The resource that maps each memory.
    resources: BTreeMap<u64, u32>,
}

/// A copy from an image to a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    image: u64,
    buffer: u64,
    offset: u64,
    /// Texels from one row to the next.
    row: u64,
    width: u32,
    height: u32,
}

/// The order of a texel's bytes.
#[derive(Debug, Clone, Copy)]
enum Order {
    Rgba,
    Bgra,
}

impl Images {
    /// Pictures go to this folder, which is made when the first one does.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            formats: BTreeMap::new(),
            bindings: BTreeMap::new(),
            copies: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    /// Notes that a resource maps this memory.
    pub(super) fn show(&mut self, memory: u64, resource: u32) {
        self.resources.insert(memory, resource);
    }

    /// Notes what a command says about images. Returns the copies that a submission executes.
    pub(super) fn learn(&mut self, command: CommandType, bytes: &[u8]) -> Vec<Copy> {
        let interesting = [
            CommandType::CREATE_IMAGE,
            CommandType::BIND_BUFFER_MEMORY,
            CommandType::BIND_BUFFER_MEMORY2,
            CommandType::BEGIN_COMMAND_BUFFER,
            CommandType::CMD_COPY_IMAGE_TO_BUFFER,
            CommandType::CMD_COPY_IMAGE_TO_BUFFER2,
            CommandType::CMD_EXECUTE_COMMANDS,
            CommandType::QUEUE_SUBMIT,
            CommandType::QUEUE_SUBMIT2,
        ];
        let Some(request) = interesting.contains(&command).then(|| Request::read(bytes).ok()).flatten() else {
            return Vec::new();
        };
        if [CommandType::QUEUE_SUBMIT, CommandType::QUEUE_SUBMIT2].contains(&command) {
            let buffers = handles(&request.params, vk::ObjectType::COMMAND_BUFFER);
            return buffers.iter().filter_map(|buffer| self.copies.get(buffer)).flatten().cloned().collect();
        }
        // A command that lacks a member was cut.
        let _incomplete = self.note(command, &request);
        Vec::new()
    }

    fn note(&mut self, command: CommandType, request: &Request<'_>) -> Option<()> {
        match command {
            CommandType::CREATE_IMAGE => {
                let format = member(param(request, "pCreateInfo")?, "format")?;
                self.formats.insert(param_number(request, "pImage")?, i32::try_from(format).ok()?);
            }
            CommandType::BIND_BUFFER_MEMORY => {
                let place = (param_number(request, "memory")?, param_number(request, "memoryOffset")?);
                self.bindings.insert(param_number(request, "buffer")?, place);
            }
            CommandType::BIND_BUFFER_MEMORY2 => {
                for info in structures(request.param("pBindInfos")) {
                    let place = (member(info, "memory")?, member(info, "memoryOffset")?);
                    self.bindings.insert(member(info, "buffer")?, place);
                }
            }
            CommandType::BEGIN_COMMAND_BUFFER => {
                self.copies.remove(&param_number(request, "commandBuffer")?);
            }
            CommandType::CMD_COPY_IMAGE_TO_BUFFER => {
                let (image, buffer) = (param_number(request, "srcImage")?, param_number(request, "dstBuffer")?);
                let copies = regions(image, buffer, request.param("pRegions")?);
                self.copies.entry(param_number(request, "commandBuffer")?).or_default().extend(copies);
            }
            CommandType::CMD_COPY_IMAGE_TO_BUFFER2 => {
                let info = param(request, "pCopyImageToBufferInfo")?;
                let copies = regions(member(info, "srcImage")?, member(info, "dstBuffer")?, info.member("pRegions")?);
                self.copies.entry(param_number(request, "commandBuffer")?).or_default().extend(copies);
            }
            CommandType::CMD_EXECUTE_COMMANDS => {
                let outer = param_number(request, "commandBuffer")?;
                let inner: Vec<_> = handles(&request.params, vk::ObjectType::COMMAND_BUFFER)
                    .iter()
                    .filter(|id| **id != outer)
                    .filter_map(|id| self.copies.get(id))
                    .flatten()
                    .cloned()
                    .collect();
                self.copies.entry(outer).or_default().extend(inner);
            }
            _ => {}
        }
        Some(())
    }

    /// Saves what a copy has written to memory as `DIR/<number>-<image>.png`. The error says why it cannot.
    pub(super) fn save(&self, number: u64, copy: &Copy, memory: &BTreeMap<u32, HostMapping>) -> Result<(), String> {
        let format = self.formats.get(&copy.image).copied().unwrap_or_default();
        let Some(order) = order(vk::Format::from_raw(format)) else {
            let name = match reflect::enumeration("VkFormat") {
                Some(row) => row.display(format.into()).to_string(),
                None => format.to_string(),
            };
            return Err(format!("pictures are missing: images of format {name} cannot be saved"));
        };
        let unreachable = || "pictures are missing: they are copied to memory that the program does not map".to_owned();
        let (device_memory, bound_at) = self.bindings.get(&copy.buffer).ok_or_else(unreachable)?;
        let resource = self.resources.get(device_memory).ok_or_else(unreachable)?;
        let mapping = memory.get(resource).ok_or_else(unreachable)?;
        let pixels = read(mapping, bound_at.saturating_add(copy.offset), copy, order)
            .ok_or("pictures are missing: they do not lie inside of their memory")?;
        let path = self.folder.join(format!("{number:06}-{:x}.png", copy.image));
        let failed = |error: &dyn std::fmt::Display| format!("cannot save {}: {error}", path.display());
        fs::create_dir_all(&self.folder).map_err(|error| failed(&error))?;
        let file = File::create(&path).map_err(|error| failed(&error))?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), copy.width, copy.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header().map_err(|error| failed(&error))?;
        writer.write_image_data(&pixels).map_err(|error| failed(&error))
    }
}

/// The order of the bytes of a format; none if it cannot be saved.
fn order(format: vk::Format) -> Option<Order> {
    match format {
        vk::Format::R8G8B8A8_UNORM
        | vk::Format::R8G8B8A8_SRGB
        | vk::Format::A8B8G8R8_UNORM_PACK32
        | vk::Format::A8B8G8R8_SRGB_PACK32 => Some(Order::Rgba),
        vk::Format::B8G8R8A8_UNORM | vk::Format::B8G8R8A8_SRGB => Some(Order::Bgra),
        _ => None,
    }
}

/// The copies of a list of `VkBufferImageCopy`.
fn regions(image: u64, buffer: u64, list: &Value<'_>) -> Vec<Copy> {
    let region = |region: &Struct<'_>| {
        let extent = structure(region.member("imageExtent")?)?;
        let (width, height) = (member(extent, "width")?, member(extent, "height")?);
        let row = member(region, "bufferRowLength")?.max(width);
        let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        Some(Copy { image, buffer, offset: member(region, "bufferOffset")?, row, width, height })
    };
    structures(Some(list)).filter_map(region).filter(|copy| copy.width > 0 && copy.height > 0).collect()
}

/// The pixels of a copy, three bytes each; none if they do not lie in the mapping.
fn read(mapping: &HostMapping, at: u64, copy: &Copy, order: Order) -> Option<Vec<u8>> {
    let start = usize::try_from(at).ok()?;
    let stride = usize::try_from(copy.row).ok()?.checked_mul(TEXEL)?;
    let (width, height) = (usize::try_from(copy.width).ok()?, usize::try_from(copy.height).ok()?);
    let len = stride.checked_mul(height.checked_sub(1)?)?.checked_add(width.checked_mul(TEXEL)?)?;
    // Before anything is allocated: the numbers are the recording's.
    if start.checked_add(len)? > mapping.size() {
        return None;
    }
    let mut row = vec![0; width.checked_mul(TEXEL)?];
    let mut pixels = Vec::with_capacity(width.checked_mul(height)?.checked_mul(3)?);
    for line in 0..height {
        mapping.copy_out(start.checked_add(stride.checked_mul(line)?)?, &mut row).ok()?;
        for texel in row.as_chunks::<TEXEL>().0 {
            let [first, green, third, _] = *texel;
            pixels.extend(match order {
                Order::Rgba => [first, green, third],
                Order::Bgra => [third, green, first],
            });
        }
    }
    Some(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_memory::shared_memory;

    #[test]
    fn rows_are_where_the_copy_has_put_them() {
        let mapping = shared_memory(4096).map().unwrap();
        for (at, texel) in [(100, [1, 2, 3, 9]), (104, [4, 5, 6, 9]), (112, [7, 8, 9, 9]), (116, [10, 11, 12, 9])] {
            mapping.copy_in(at, &texel).unwrap();
        }
        let copy = Copy { image: 1, buffer: 2, offset: 0, row: 3, width: 2, height: 2 };
        let rgb = read(&mapping, 100, &copy, Order::Rgba).unwrap();
        assert_eq!(rgb, (1..=12).collect::<Vec<u8>>());
        assert_eq!(read(&mapping, 100, &copy, Order::Bgra).unwrap()[..3], [3, 2, 1]);
    }

    #[test]
    fn a_copy_beyond_its_memory_is_none() {
        let mapping = shared_memory(4096).map().unwrap();
        let copy = |row, width, height| Copy { image: 1, buffer: 2, offset: 0, row, width, height };
        let size = mapping.size() as u64;
        for (at, copy) in [
            (size, copy(1, 1, 1)),
            (size - 3, copy(1, 1, 1)),
            (u64::MAX, copy(1, 1, 1)),
            (0, copy(u64::MAX, 1, 2)),
            (0, copy(1, u32::MAX, u32::MAX)),
        ] {
            assert!(read(&mapping, at, &copy, Order::Rgba).is_none(), "{at} {copy:?}");
        }
        assert!(read(&mapping, size - 4, &copy(9, 1, 1), Order::Rgba).is_some(), "the last row need not be whole");
    }
}
