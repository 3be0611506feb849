//! Mesh shaders: workgroups that paint tiles, counted by the program, by a buffer, or by another workgroup.

use crate::Skip;
use crate::device::{Found, Gpu};
use crate::memory::Mapped;
use crate::shader::mesh::{ROWS_OF_TASK, ROWS_OF_Z, TILES, colour, fragment, mesh, task};
use crate::target::{CLEAR, NUMBERS, SIDE, Target, pipeline};
use anyhow::Result;
use ash::ext::mesh_shader;
use ash::vk;

/// Workgroups of one draw, in three dimensions.
type Groups = [u32; 3];

/// What is drawn by buffers. The second is no part of the first, and a third would be seen.
const DRAWS: [Groups; 3] = [[TILES, 2, 1], [3, 1, 2], [TILES, TILES, 1]];
/// How many of them are meant.
const COUNT: u32 = 2;
/// Words from one of them to the next, one more than they have, and where the first of them is; the count is before them.
const STRIDE: u32 = 4;
const FIRST: u32 = 4;

/// A device that draws meshes, a pipeline that does, and a picture.
struct Bench {
    gpu: Gpu,
    mesh: mesh_shader::Device,
    target: Target,
    pipeline: vk::Pipeline,
}

impl Bench {
    fn new(tasks: bool, counted: bool) -> Result<Self> {
        let found = Found::new()?;
        found.require(mesh_shader::NAME, "not supported: VK_EXT_mesh_shader")?;
        let has: vk::PhysicalDeviceMeshShaderFeaturesEXT<'_> = found.features_in();
        let counts: vk::PhysicalDeviceVulkan12Features<'_> = found.features_in();
        if has.mesh_shader == 0 || tasks && has.task_shader == 0 {
            return Err(Skip("not supported: mesh or task shaders").into());
        }
        if counted && counts.draw_indirect_count == 0 {
            return Err(Skip("not supported: draws that a buffer counts").into());
        }
        let mut wanted = vk::PhysicalDeviceMeshShaderFeaturesEXT::default().mesh_shader(true).task_shader(tasks);
        let mut counts = vk::PhysicalDeviceVulkan12Features::default().draw_indirect_count(counted);
        let mut rendering = vk::PhysicalDeviceVulkan13Features::default().dynamic_rendering(true);
        let features = vk::PhysicalDeviceFeatures::default().multi_draw_indirect(true);
        let names = [mesh_shader::NAME.as_ptr()];
        let info = vk::DeviceCreateInfo::default().enabled_extension_names(&names).enabled_features(&features);
        let gpu = found.open(info.push_next(&mut wanted).push_next(&mut counts).push_next(&mut rendering))?;
        let mut stages = vec![(vk::ShaderStageFlags::MESH_EXT, mesh(tasks))];
        if tasks {
            stages.push((vk::ShaderStageFlags::TASK_EXT, task()));
        }
        stages.push((vk::ShaderStageFlags::FRAGMENT, fragment()));
        let pipeline = pipeline(&gpu, NUMBERS, &stages, &Default::default())?;
        let mesh = mesh_shader::Device::new(&gpu.instance, &gpu.device);
        Ok(Self { mesh, target: Target::new(&gpu, NUMBERS)?, pipeline, gpu })
    }

    /// Draws by `draw`, and compares with what these draws should have come to.
    fn run(&self, draws: &[Groups], draw: impl FnOnce(&mesh_shader::Device, vk::CommandBuffer)) -> Result<String> {
        self.target.draw(&self.gpu, |device, commands| {
            unsafe { device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::GRAPHICS, self.pipeline) };
            draw(&self.mesh, commands);
        })?;
        self.target.check(|x, y| tile(draws, x * TILES / SIDE, y * TILES / SIDE))?;
        Ok("every pixel is right".to_owned())
    }
}

/// What a tile should look like after these draws.
fn tile(draws: &[Groups], column: u32, row: u32) -> u32 {
    let mut seen = CLEAR;
    for [width, height, depth] in draws {
        for z in 0..*depth {
            let first = z * ROWS_OF_Z;
            if column < *width && (first..first + height).contains(&row) {
                seen = colour(column, row, z);
            }
        }
    }
    seen
}

pub(super) fn draw(_: u32) -> Result<String> {
    let draws = [[TILES - 1, 3, 2], [2, 1, 1]];
    Bench::new(false, false)?.run(&draws, |mesh, commands| {
        for [x, y, z] in draws {
            unsafe { mesh.cmd_draw_mesh_tasks(commands, x, y, z) };
        }
    })
}

pub(super) fn tasks(_: u32) -> Result<String> {
    const TASKS: u32 = 3;
    Bench::new(true, false)?.run(&[[TILES, TASKS * ROWS_OF_TASK, 1]], |mesh, commands| unsafe {
        mesh.cmd_draw_mesh_tasks(commands, 1, TASKS, 1);
    })
}

/// A buffer of how many draws there are, and the draws.
fn draws(gpu: &Gpu) -> Result<Mapped> {
    let mut words = vec![COUNT];
    words.resize(usize::try_from(FIRST)?, u32::MAX);
    for [x, y, z] in DRAWS {
        words.extend([x, y, z, u32::MAX]);
    }
    let bytes = u64::try_from(words.len() * 4)?;
    let buffer = Mapped::new(gpu, bytes, vk::BufferUsageFlags::INDIRECT_BUFFER)?;
    buffer.write(&words);
    Ok(buffer)
}

pub(super) fn indirect(_: u32) -> Result<String> {
    let bench = Bench::new(false, false)?;
    let buffer = draws(&bench.gpu)?.buffer;
    bench.run(&DRAWS[..2], |mesh, commands| unsafe {
        mesh.cmd_draw_mesh_tasks_indirect(commands, buffer, u64::from(FIRST * 4), COUNT, STRIDE * 4);
    })
}

pub(super) fn indirect_count(_: u32) -> Result<String> {
    let bench = Bench::new(false, true)?;
    let buffer = draws(&bench.gpu)?.buffer;
    bench.run(&DRAWS[..2], |mesh, commands| unsafe {
        let (first, stride) = (u64::from(FIRST * 4), STRIDE * 4);
        mesh.cmd_draw_mesh_tasks_indirect_count(commands, buffer, first, buffer, 0, COUNT + 1, stride);
    })
}
