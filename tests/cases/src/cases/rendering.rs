//! Squares in a picture, drawn in ways that newer levels of the protocol have.

use crate::Skip;
use crate::device::{Found, Gpu};
use crate::memory::Mapped;
use crate::shader::squares::{SQUARE, STEP, colour, fragment, fragment_of_floats, vertex};
use crate::target::{CLEAR, HALF_CLEAR, HALF_SAMPLED, Kind, NUMBERS, Target, pipeline};
use anyhow::Result;
use ash::ext::multisampled_render_to_single_sampled;
use std::ffi::CStr;
use std::ptr::null;
use venus_protocol::vk;

/// A picture, and a pipeline that draws squares into it, as strips.
struct Squares {
    target: Target,
    pipeline: vk::Pipeline,
}

impl Squares {
    fn new(gpu: &Gpu, kind: Kind, fragment: Vec<u32>) -> Result<Self> {
        let stages = [(vk::ShaderStageFlags::VERTEX, vertex()), (vk::ShaderStageFlags::FRAGMENT, fragment)];
        let assembly = vk::PipelineInputAssemblyStateCreateInfo::default().primitive_restart_enable(true);
        let assembly = assembly.topology(vk::PrimitiveTopology::TRIANGLE_STRIP);
        Ok(Self { target: Target::new(gpu, kind)?, pipeline: pipeline(gpu, kind, &stages, &assembly)? })
    }

    /// Whether so many squares are there, and nothing else.
    fn check(&self, squares: u32) -> Result<()> {
        self.target.check(|x, y| square(x, y, squares).map_or(CLEAR, colour))
    }
}

/// Which of so many squares is at this pixel.
fn square(x: u32, y: u32, squares: u32) -> Option<u32> {
    (x % STEP < SQUARE && y < SQUARE && x / STEP < squares).then_some(x / STEP)
}

pub(super) fn restart_index(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_EXT_primitive_restart_index";
    /// Where a strip begins anew. It is also a vertex, which would be far away.
    const RESTART: u16 = 4000;
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_EXT_primitive_restart_index")?;
    let mut has: vk::PhysicalDevicePrimitiveRestartIndexFeaturesEXT<'_> = found.features_in();
    if has.primitive_restart_index == 0 {
        return Err(Skip("not supported: indices of the program's choice").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let set: vk::PFN_vkCmdSetPrimitiveRestartIndexEXT = unsafe { gpu.command(c"vkCmdSetPrimitiveRestartIndexEXT")? };
    let squares = Squares::new(&gpu, NUMBERS, fragment())?;
    let indices: [u16; 10] = [0, 1, 2, 3, RESTART, 4, 5, 6, 7, RESTART];
    let words = indices.as_chunks().0.iter().map(|[low, high]| u32::from(*low) | u32::from(*high) << 16);
    let words: Vec<_> = words.collect();
    let buffer = Mapped::new(&gpu, u64::try_from(words.len() * 4)?, vk::BufferUsageFlags::INDEX_BUFFER)?;
    buffer.write(&words);
    squares.target.draw(&gpu, |device, commands| unsafe {
        device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::GRAPHICS, squares.pipeline);
        device.cmd_bind_index_buffer(commands, buffer.buffer, 0, vk::IndexType::UINT16);
        set(commands, u32::from(RESTART));
        device.cmd_draw_indexed(commands, 10, 1, 0, 0, 0);
    })?;
    squares.check(2)?;
    Ok("every pixel is right".to_owned())
}

pub(super) fn end(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_KHR_maintenance10";
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_KHR_maintenance10")?;
    let mut has: vk::PhysicalDeviceMaintenance10FeaturesKHR<'_> = found.features_in();
    if has.maintenance10 == 0 {
        return Err(Skip("not supported: the tenth maintenance").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let end: vk::PFN_vkCmdEndRendering2KHR = unsafe { gpu.command(c"vkCmdEndRendering2KHR")? };
    let squares = Squares::new(&gpu, NUMBERS, fragment())?;
    let info = vk::RenderingEndInfoKHR::default();
    for (info, number) in [(&raw const info, 2), (null(), 1)] {
        let draw = |device: &ash::Device, commands| unsafe {
            device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::GRAPHICS, squares.pipeline);
            (0..number).for_each(|square| device.cmd_draw(commands, 4, 1, 4 * square, 0));
        };
        squares.target.draw_and_end(&gpu, draw, |_, commands| unsafe { end(commands, info) })?;
        squares.check(number)?;
    }
    Ok("every pixel is right".to_owned())
}

pub(super) fn single_sampled(_: u32) -> Result<String> {
    const NAME: &CStr = multisampled_render_to_single_sampled::NAME;
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_EXT_multisampled_render_to_single_sampled")?;
    let mut has: vk::PhysicalDeviceMultisampledRenderToSingleSampledFeaturesEXT<'_> = found.features_in();
    if has.multisampled_render_to_single_sampled == 0 || !HALF_SAMPLED.is_there(&found) {
        return Err(Skip("not supported: samples of images that have one").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let squares = Squares::new(&gpu, HALF_SAMPLED, fragment_of_floats())?;
    squares.target.draw(&gpu, |device, commands| unsafe {
        device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::GRAPHICS, squares.pipeline);
        device.cmd_draw(commands, 4, 1, 0, 0);
        device.cmd_draw(commands, 4, 1, 4, 0);
    })?;
    #[expect(clippy::cast_precision_loss, reason = "colours are small numbers")]
    let half = |square| f32::midpoint(colour(square) as f32, HALF_CLEAR);
    squares.target.check(|x, y| square(x, y, 2).map_or(HALF_CLEAR, half).to_bits())?;
    Ok("every pixel is right".to_owned())
}
