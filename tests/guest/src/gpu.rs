//! What every program of ours starts with: a device, a queue, memory that both sides see, and a way to wait.

use std::ffi::c_void;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use venus_protocol::args::{
    AllocateCommandBuffersArgs, AllocateMemoryArgs, BeginCommandBufferArgs, BindBufferMemoryArgs, CreateBufferArgs,
    CreateCommandPoolArgs, CreateDeviceArgs, CreateFenceArgs, CreateInstanceArgs, CreatePipelineLayoutArgs,
    CreateShaderModuleArgs, DestroyBufferArgs, DestroyCommandPoolArgs, DestroyDeviceArgs, DestroyFenceArgs,
    DestroyInstanceArgs, DestroyPipelineLayoutArgs, DestroyShaderModuleArgs, EndCommandBufferArgs,
    EnumerateInstanceVersionArgs, EnumeratePhysicalDevicesArgs, FreeMemoryArgs, GetBufferMemoryRequirementsArgs,
    GetDeviceQueue2Args, GetPhysicalDeviceMemoryPropertiesArgs, GetPhysicalDevicePropertiesArgs,
    GetPhysicalDeviceQueueFamilyPropertiesArgs, QueueSubmitArgs, ResetFencesArgs, WaitForFencesArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Command as _, Handle, Handles};

use super::{Connection, Guest, Shmem, Transport};

/// How long the GPU may take for anything that our programs ask of it.
const WORK_LIMIT: Duration = Duration::from_secs(60);
/// How long one wait may keep the ring from doing anything else.
const WAIT_SLICE: Duration = Duration::from_millis(500);
/// The timeline that our queue's fences are on.
const QUEUE_TIMELINE: u32 = 1;

/// Something to be done before the guest leaves.
type Farewell<T> = Box<dyn FnOnce(&mut Guest<T>) -> Result<()>>;

/// The host's first device, ready for work.
pub struct Gpu<T = Connection> {
    guest: Guest<T>,
    /// The version that the host's loader offers.
    pub instance_version: u32,
    /// The instance.
    pub instance: Handle<vk::Instance>,
    /// The physical device.
    pub physical_device: Handle<vk::PhysicalDevice>,
    /// Its properties.
    pub properties: vk::PhysicalDeviceProperties,
    /// Its memory.
    pub memory: vk::PhysicalDeviceMemoryProperties,
    /// The device.
    pub device: Handle<vk::Device>,
    /// A queue for graphics and compute.
    pub queue: Handle<vk::Queue>,
    /// A pool for its command buffers.
    pub command_pool: Handle<vk::CommandPool>,
    /// What to destroy, in the order of creation.
    farewells: Vec<Farewell<T>>,
}

impl<T: fmt::Debug> fmt::Debug for Gpu<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("guest", &self.guest).field("device", &self.device).finish_non_exhaustive()
    }
}

/// A buffer whose memory the guest sees.
#[derive(Debug)]
pub struct HostBuffer {
    /// The buffer.
    pub buffer: Handle<vk::Buffer>,
    /// Its memory.
    pub shared: Shmem,
}

impl<T: Transport> Gpu<T> {
    /// Makes an instance and a device of the host's first physical device.
    pub fn open(mut guest: Guest<T>) -> Result<Self> {
        let instance_version = instance_version(&mut guest)?;
        let mut farewells: Vec<Farewell<T>> = Vec::new();

        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_1);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        let mut instance = guest.fresh();
        guest.succeed(&CreateInstanceArgs { p_create_info: &info, p_instance: instance.slot() })?;
        let instance = instance.handle();
        farewells.push(Box::new(move |guest| guest.send(&DestroyInstanceArgs { instance })));

        let physical_device = first_physical_device(&mut guest, instance)?;
        let properties = properties(&mut guest, physical_device)?;
        let memory = memory_properties(&mut guest, physical_device)?;
        let family = queue_family(&mut guest, physical_device)?;

        let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&[1.0])];
        let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues);
        let mut device = guest.fresh();
        guest.succeed(&CreateDeviceArgs { physical_device, p_create_info: &info, p_device: device.slot() })?;
        let device = device.handle();
        farewells.push(Box::new(move |guest| guest.send(&DestroyDeviceArgs { device })));

        let timeline = vk::DeviceQueueTimelineInfoMESA { ring_idx: QUEUE_TIMELINE, ..Default::default() };
        let mut info = vk::DeviceQueueInfo2::default().queue_family_index(family);
        info.p_next = std::ptr::from_ref(&timeline).cast::<c_void>();
        let mut queue = guest.fresh();
        guest.run(&GetDeviceQueue2Args { device, p_queue_info: &info, p_queue: queue.slot() })?;
        let queue = queue.handle();

        let info = vk::CommandPoolCreateInfo::default()
            .queue_family_index(family)
            .flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
        let mut pool = guest.fresh();
        guest.succeed(&CreateCommandPoolArgs { device, p_create_info: &info, p_command_pool: pool.slot() })?;
        let command_pool = pool.handle();
        farewells.push(Box::new(move |guest| guest.send(&DestroyCommandPoolArgs { device, command_pool })));

        Ok(Self {
            guest,
            instance_version,
            instance,
            physical_device,
            properties,
            memory,
            device,
            queue,
            command_pool,
            farewells,
        })
    }

    /// The guest underneath.
    pub fn guest(&mut self) -> &mut Guest<T> {
        &mut self.guest
    }

    /// The device's name.
    pub fn device_name(&self) -> String {
        let name = self.properties.device_name_as_c_str().unwrap_or(c"?");
        name.to_string_lossy().into_owned()
    }

    /// Leaves something to be done at the end, before everything that was left earlier.
    pub fn at_the_end(&mut self, farewell: impl FnOnce(&mut Guest<T>) -> Result<()> + 'static) {
        self.farewells.push(Box::new(farewell));
    }

    /// Destroys what was created, and leaves.
    pub fn close(mut self) -> Result<()> {
        for farewell in self.farewells.into_iter().rev() {
            farewell(&mut self.guest)?;
        }
        self.guest.close()
    }

    /// Allocates memory of one of the types in `type_bits` that has `flags`.
    pub fn allocate(
        &mut self,
        requirements: &vk::MemoryRequirements,
        flags: vk::MemoryPropertyFlags,
    ) -> Result<Handle<vk::DeviceMemory>> {
        let types = self.memory.memory_types_as_slice().iter().enumerate();
        let fits = types.filter(|(index, _)| requirements.memory_type_bits & 1 << index != 0);
        let mut fits = fits.filter(|(_, of)| of.property_flags.contains(flags));
        let (index, _) = fits.next().context("the device has no memory that suits the guest")?;
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(requirements.size)
            .memory_type_index(u32::try_from(index)?);
        let (device, mut memory) = (self.device, self.guest.fresh());
        self.guest.succeed(&AllocateMemoryArgs { device, p_allocate_info: &info, p_memory: memory.slot() })?;
        let memory = memory.handle();
        self.at_the_end(move |guest| guest.send(&FreeMemoryArgs { device, memory }));
        Ok(memory)
    }

    /// Makes a buffer in memory that the guest sees as well.
    pub fn host_buffer(&mut self, size: vk::DeviceSize, usage: vk::BufferUsageFlags) -> Result<HostBuffer> {
        let (device, mut buffer) = (self.device, self.guest.fresh());
        let info = vk::BufferCreateInfo::default().size(size).usage(usage);
        self.guest.succeed(&CreateBufferArgs { device, p_create_info: &info, p_buffer: buffer.slot() })?;
        let buffer = buffer.handle();
        self.at_the_end(move |guest| guest.send(&DestroyBufferArgs { device, buffer }));

        let mut requirements = vk::MemoryRequirements::default();
        let args = GetBufferMemoryRequirementsArgs { device, buffer, p_memory_requirements: &mut requirements };
        let requirements = self.guest.call(&args, |reply| {
            Ok(GetBufferMemoryRequirementsArgs::decode_reply(reply)?.p_memory_requirements.copied())
        })?;
        let requirements = requirements.context("the reply lacks the memory requirements")?;
        let visible = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let memory = self.allocate(&requirements, visible)?;
        self.guest.succeed(&BindBufferMemoryArgs { device, buffer, memory, memory_offset: 0 })?;
        let shared = self.guest.map_memory(memory.id, requirements.size)?;
        Ok(HostBuffer { buffer, shared })
    }

    /// Makes a shader module.
    pub fn shader(&mut self, code: &[u32]) -> Result<vk::ShaderModule> {
        let (device, mut module) = (self.device, self.guest.fresh());
        let info = vk::ShaderModuleCreateInfo::default().code(code);
        self.guest.succeed(&CreateShaderModuleArgs { device, p_create_info: &info, p_shader_module: module.slot() })?;
        let shader_module = module.handle();
        self.at_the_end(move |guest| guest.send(&DestroyShaderModuleArgs { device, shader_module }));
        Ok(shader_module.raw)
    }

    /// Makes the layout of a pipeline.
    pub fn pipeline_layout(&mut self, sets: &[vk::DescriptorSetLayout]) -> Result<Handle<vk::PipelineLayout>> {
        let (device, mut layout) = (self.device, self.guest.fresh());
        let info = vk::PipelineLayoutCreateInfo::default().set_layouts(sets);
        let p_pipeline_layout = layout.slot();
        self.guest.succeed(&CreatePipelineLayoutArgs { device, p_create_info: &info, p_pipeline_layout })?;
        let pipeline_layout = layout.handle();
        self.at_the_end(move |guest| guest.send(&DestroyPipelineLayoutArgs { device, pipeline_layout }));
        Ok(pipeline_layout)
    }

    /// Makes a command buffer and begins it.
    pub fn begin(&mut self) -> Result<Handle<vk::CommandBuffer>> {
        let mut command_buffer = self.guest.fresh();
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(self.command_pool.raw)
            .level(vk::CommandBufferLevel::PRIMARY)
            .command_buffer_count(1);
        self.guest.succeed(&AllocateCommandBuffersArgs {
            device: self.device,
            p_allocate_info: &info,
            p_command_buffers: command_buffer.slot(),
        })?;
        let command_buffer = command_buffer.handle();
        let info = vk::CommandBufferBeginInfo::default();
        self.guest.succeed(&BeginCommandBufferArgs { command_buffer, p_begin_info: &info })?;
        Ok(command_buffer)
    }

    /// Ends a command buffer, has it executed, and waits for that.
    pub fn end_and_run(&mut self, command_buffer: Handle<vk::CommandBuffer>) -> Result<()> {
        self.guest.succeed(&EndCommandBufferArgs { command_buffer })?;
        let fence = self.fence()?;
        self.submit(&[command_buffer.raw], fence)?;
        self.wait(fence)
    }

    /// Makes a fence.
    pub fn fence(&mut self) -> Result<Handle<vk::Fence>> {
        let (device, mut fence) = (self.device, self.guest.fresh());
        let info = vk::FenceCreateInfo::default();
        self.guest.succeed(&CreateFenceArgs { device, p_create_info: &info, p_fence: fence.slot() })?;
        let fence = fence.handle();
        self.at_the_end(move |guest| guest.send(&DestroyFenceArgs { device, fence }));
        Ok(fence)
    }

    /// Submits command buffers; `fence` follows them. Nobody waits for anything.
    pub fn submit(&mut self, command_buffers: &[vk::CommandBuffer], fence: Handle<vk::Fence>) -> Result<()> {
        let submits = [vk::SubmitInfo::default().command_buffers(command_buffers)];
        let p_submits = if command_buffers.is_empty() { &submits[..0] } else { &submits };
        let submit_count = u32::try_from(p_submits.len())?;
        self.guest.send(&QueueSubmitArgs { queue: self.queue, submit_count, p_submits, fence })
    }

    /// Waits until a fence is signalled.
    pub fn wait(&mut self, fence: Handle<vk::Fence>) -> Result<()> {
        let args = WaitForFencesArgs {
            device: self.device,
            fence_count: 1,
            p_fences: Handles { ids: &[fence.id], raws: &[fence.raw] },
            wait_all: vk::TRUE,
            timeout: u64::try_from(WAIT_SLICE.as_nanos())?,
        };
        let started = Instant::now();
        loop {
            match self.guest.run(&args)? {
                vk::Result::SUCCESS => return Ok(()),
                vk::Result::TIMEOUT => {}
                error => bail!("waiting for a fence returned {error:?}"),
            }
            ensure!(started.elapsed() < WORK_LIMIT, "the GPU was not done within {WORK_LIMIT:?}");
        }
    }

    /// Makes a fence unsignalled again.
    pub fn reset(&mut self, fence: Handle<vk::Fence>) -> Result<()> {
        let p_fences = Handles { ids: &[fence.id], raws: &[fence.raw] };
        self.guest.send(&ResetFencesArgs { device: self.device, fence_count: 1, p_fences })
    }
}

/// The version that the host's loader offers.
pub(super) fn instance_version(guest: &mut Guest<impl Transport>) -> Result<u32> {
    let mut version = 0;
    let version = guest.call(&EnumerateInstanceVersionArgs { p_api_version: &mut version }, |reply| {
        Ok(EnumerateInstanceVersionArgs::decode_reply(reply)?.p_api_version.copied())
    })?;
    version.context("the reply lacks the version")
}

fn first_physical_device(
    guest: &mut Guest<impl Transport>,
    instance: Handle<vk::Instance>,
) -> Result<Handle<vk::PhysicalDevice>> {
    let mut count = 1;
    let mut physical_device = guest.fresh();
    let args = EnumeratePhysicalDevicesArgs {
        instance,
        p_physical_device_count: &mut count,
        p_physical_devices: physical_device.slot(),
    };
    let (result, count) = guest.call(&args, |reply| {
        let reply = EnumeratePhysicalDevicesArgs::decode_reply(reply)?;
        Ok((reply.returned, reply.p_physical_devices.len()))
    })?;
    ensure!(matches!(result, vk::Result::SUCCESS | vk::Result::INCOMPLETE), "listing devices returned {result:?}");
    ensure!(count == 1, "the host has no Vulkan device");
    Ok(physical_device.handle())
}

fn properties(
    guest: &mut Guest<impl Transport>,
    physical_device: Handle<vk::PhysicalDevice>,
) -> Result<vk::PhysicalDeviceProperties> {
    let mut properties = vk::PhysicalDeviceProperties::default();
    let args = GetPhysicalDevicePropertiesArgs { physical_device, p_properties: &mut properties };
    let properties =
        guest.call(&args, |reply| Ok(GetPhysicalDevicePropertiesArgs::decode_reply(reply)?.p_properties.copied()))?;
    properties.context("the reply lacks the properties")
}

fn memory_properties(
    guest: &mut Guest<impl Transport>,
    physical_device: Handle<vk::PhysicalDevice>,
) -> Result<vk::PhysicalDeviceMemoryProperties> {
    let mut memory = vk::PhysicalDeviceMemoryProperties::default();
    let args = GetPhysicalDeviceMemoryPropertiesArgs { physical_device, p_memory_properties: &mut memory };
    let memory = guest.call(&args, |reply| {
        Ok(GetPhysicalDeviceMemoryPropertiesArgs::decode_reply(reply)?.p_memory_properties.copied())
    })?;
    let memory = memory.context("the reply lacks the memory properties")?;
    let types = usize::try_from(memory.memory_type_count)?;
    ensure!(types <= memory.memory_types.len(), "the host claims to have {types} types of memory");
    Ok(memory)
}

/// The first family for graphics and compute.
fn queue_family(guest: &mut Guest<impl Transport>, physical_device: Handle<vk::PhysicalDevice>) -> Result<u32> {
    const MOST: usize = 16;
    let mut count = u32::try_from(MOST)?;
    let args = GetPhysicalDeviceQueueFamilyPropertiesArgs {
        physical_device,
        p_queue_family_property_count: &mut count,
        p_queue_family_properties: &mut [vk::QueueFamilyProperties::default(); MOST],
    };
    let families = guest.call(&args, |reply| {
        let reply = GetPhysicalDeviceQueueFamilyPropertiesArgs::decode_reply(reply)?;
        Ok(reply.p_queue_family_properties.to_vec())
    })?;
    let both = vk::QueueFlags::GRAPHICS | vk::QueueFlags::COMPUTE;
    let family = families.iter().position(|family| family.queue_flags.contains(both));
    Ok(u32::try_from(family.context("the device has no queue for graphics and compute")?)?)
}
