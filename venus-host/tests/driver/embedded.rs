//! A guest in a few lines, in the process of its host: encodes commands, submits them to a context, decodes the replies.

use std::{fs::File, os::unix::fs::FileExt};

use venus_host::{
    Fatal, HostError,
    context::{Context, Options},
    driver::Config,
    resource::{Blob, BlobFlags, ResourceId},
};
use venus_protocol::{
    args::*,
    vk,
    wire::{Arena, Command, Decoder, Encoder, Handle, IdentityResolver, NewHandles},
};

/// Room for replies. Far more than any command here answers.
const REPLY_BYTES: usize = 1 << 20;

/// Anything that a guest sends wants an answer, unless it says otherwise.
const WANTS_REPLY: u32 = 1;

pub(crate) struct Guest {
    pub(crate) context: Context,
    replies: File,
    encoder: Encoder,
    arena: Arena,
    next_id: u64,
    next_resource: u32,
    pub(crate) instance: Handle<vk::Instance>,
    pub(crate) physical: Handle<vk::PhysicalDevice>,
}

impl Guest {
    /// A guest with an instance and the ids of its physical devices.
    pub(crate) fn new(config: Config) -> Self {
        Self::with(Options::new("test", config))
    }

    /// The same in a context of one's own making.
    pub(crate) fn with(options: Options) -> Self {
        let mut guest = Self::with_instance(options);
        guest.physical = guest.enumerate();
        guest
    }

    /// A guest that has not asked for physical devices.
    pub(crate) fn without_gpu(config: Config) -> Self {
        Self::with_instance(Options::new("test", config))
    }

    fn with_instance(options: Options) -> Self {
        let mut context = Context::new(options);
        let blob = context.create_blob(ResourceId(1), BlobFlags::MAPPABLE, 0, REPLY_BYTES as u64);
        let replies =
            File::from(blob.expect("shared memory").mappable_fd().expect("a descriptor").try_clone_to_owned().unwrap());
        let mut guest = Self {
            context,
            replies,
            // SAFETY: the values below point to locals that live during the encoding, with the counts that go with
            // them.
            encoder: unsafe { Encoder::new() },
            arena: Arena::default(),
            next_id: 100,
            next_resource: 2,
            instance: Handle::default(),
            physical: Handle::default(),
        };
        guest.instance = guest.create_instance().expect("an instance");
        guest
    }

    /// An id that was never used.
    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Sends a command without asking for a reply.
    pub(crate) fn send<'a, C: Command<'a>>(&mut self, args: &C) -> Result<(), Fatal> {
        self.encoder.clear();
        args.encode(&mut self.encoder, 0);
        self.context.submit(self.encoder.bytes())
    }

    /// Sends a command and reads its reply.
    pub(crate) fn call<'a, C: Command<'a>, R>(
        &mut self,
        args: &C,
        read: impl FnOnce(&mut Decoder<'_>) -> R,
    ) -> Result<R, Fatal> {
        self.encoder.clear();
        let stream = vk::CommandStreamDescriptionMESA { resource_id: 1, offset: 0, size: REPLY_BYTES };
        SetReplyCommandStreamMESAArgs { p_stream: &stream }.encode(&mut self.encoder, 0);
        args.encode(&mut self.encoder, WANTS_REPLY);
        self.context.submit(self.encoder.bytes())?;
        let mut bytes = vec![0; REPLY_BYTES];
        self.replies.read_exact_at(&mut bytes, 0).expect("the reply memory is readable");
        self.arena.reset();
        Ok(read(&mut Decoder::new(&bytes, &self.arena, &IdentityResolver)))
    }

    pub(crate) fn create_instance(&mut self) -> Result<Handle<vk::Instance>, Fatal> {
        let id = self.id();
        let info = vk::InstanceCreateInfo::default();
        let (mut ids, mut raws) = ([id], [vk::Instance::null()]);
        let args =
            CreateInstanceArgs { p_create_info: &info, p_instance: NewHandles { ids: &mut ids, raws: &mut raws } };
        let returned = self.call(&args, |reply| CreateInstanceArgs::decode_reply(reply).expect("a reply").returned)?;
        assert_eq!(returned, vk::Result::SUCCESS);
        Ok(Handle::identity(id))
    }

    /// How many physical devices the guest may see.
    pub(crate) fn count_gpus(&mut self) -> u32 {
        let mut count = 0;
        let args = EnumeratePhysicalDevicesArgs {
            instance: self.instance,
            p_physical_device_count: &mut count,
            p_physical_devices: NewHandles { ids: &mut [], raws: &mut [] },
        };
        let counted = self.call(&args, |reply| {
            *EnumeratePhysicalDevicesArgs::decode_reply(reply)
                .expect("a reply")
                .p_physical_device_count
                .expect("a count")
        });
        counted.expect("a living context")
    }

    /// As which types a resource can be imported.
    pub(crate) fn importable_types(&mut self, device: Handle<vk::Device>, resource_id: u32) -> u32 {
        let mut properties = vk::MemoryResourcePropertiesMESA::default();
        let p_memory_resource_properties = &mut properties;
        let args = GetMemoryResourcePropertiesMESAArgs { device, resource_id, p_memory_resource_properties };
        let types = self.call(&args, |reply| {
            let reply = GetMemoryResourcePropertiesMESAArgs::decode_reply(reply).expect("a reply");
            assert_eq!(reply.returned, vk::Result::SUCCESS);
            reply.p_memory_resource_properties.expect("properties").memory_type_bits
        });
        types.expect("a living context")
    }

    fn enumerate(&mut self) -> Handle<vk::PhysicalDevice> {
        let id = self.id();
        let (mut count, mut ids, mut raws) = (1, [id], [vk::PhysicalDevice::null()]);
        let args = EnumeratePhysicalDevicesArgs {
            instance: self.instance,
            p_physical_device_count: &mut count,
            p_physical_devices: NewHandles { ids: &mut ids, raws: &mut raws },
        };
        let found = self.call(&args, |reply| {
            EnumeratePhysicalDevicesArgs::decode_reply(reply).expect("a reply").p_physical_devices.to_vec()
        });
        assert_eq!(found.expect("physical devices"), [id]);
        Handle::identity(id)
    }

    /// The memory types as the guest is told.
    pub(crate) fn memory_types(&mut self) -> Vec<vk::MemoryPropertyFlags> {
        let mut properties = vk::PhysicalDeviceMemoryProperties::default();
        let args = GetPhysicalDeviceMemoryPropertiesArgs {
            physical_device: self.physical,
            p_memory_properties: &mut properties,
        };
        let told = self.call(&args, |reply| {
            *GetPhysicalDeviceMemoryPropertiesArgs::decode_reply(reply)
                .expect("a reply")
                .p_memory_properties
                .expect("an answer")
        });
        let told = told.expect("memory properties");
        told.memory_types.iter().take(told.memory_type_count as usize).map(|kind| kind.property_flags).collect()
    }

    /// The first memory type that the guest can map.
    pub(crate) fn mappable_type(&mut self) -> u32 {
        let wanted = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let position = self.memory_types().iter().position(|flags| flags.contains(wanted));
        u32::try_from(position.expect("a mappable memory type")).expect("a small number")
    }

    /// The names of the extensions that the guest is offered.
    pub(crate) fn extensions(&mut self) -> Vec<String> {
        let mut count = 512;
        let mut room = vec![vk::ExtensionProperties::default(); 512];
        let args = EnumerateDeviceExtensionPropertiesArgs {
            physical_device: self.physical,
            p_layer_name: None,
            p_property_count: &mut count,
            p_properties: &mut room,
        };
        let names = self.call(&args, |reply| {
            let reply = EnumerateDeviceExtensionPropertiesArgs::decode_reply(reply).expect("a reply");
            let count = *reply.p_property_count.expect("a count") as usize;
            let name = |one: &vk::ExtensionProperties| {
                one.extension_name_as_c_str().expect("a name").to_string_lossy().into_owned()
            };
            reply.p_properties.iter().take(count).map(name).collect()
        });
        names.expect("extensions")
    }

    /// A device with one queue of family 0.
    pub(crate) fn device(&mut self) -> Handle<vk::Device> {
        let id = self.id();
        let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
        let names = [c"VK_KHR_external_semaphore_fd".as_ptr(), c"VK_KHR_external_fence_fd".as_ptr()];
        let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues).enabled_extension_names(&names);
        let (mut ids, mut raws) = ([id], [vk::Device::null()]);
        let args = CreateDeviceArgs {
            physical_device: self.physical,
            p_create_info: &info,
            p_device: NewHandles { ids: &mut ids, raws: &mut raws },
        };
        let returned = self.call(&args, |reply| CreateDeviceArgs::decode_reply(reply).expect("a reply").returned);
        assert_eq!(returned.expect("a device"), vk::Result::SUCCESS);
        Handle::identity(id)
    }

    /// Queue 0 of family 0, on timeline `ring_idx`.
    pub(crate) fn queue(&mut self, device: Handle<vk::Device>, ring_idx: u32) -> Result<Handle<vk::Queue>, Fatal> {
        let id = self.id();
        let timeline = vk::DeviceQueueTimelineInfoMESA { ring_idx, ..Default::default() };
        let info = vk::DeviceQueueInfo2 { p_next: (&raw const timeline).cast(), ..Default::default() };
        let (mut ids, mut raws) = ([id], [vk::Queue::null()]);
        let p_queue = NewHandles { ids: &mut ids, raws: &mut raws };
        self.send(&GetDeviceQueue2Args { device, p_queue_info: &info, p_queue })?;
        Ok(Handle::identity(id))
    }

    /// A buffer of `size` bytes for transfers.
    pub(crate) fn buffer(&mut self, device: Handle<vk::Device>, size: u64) -> Handle<vk::Buffer> {
        let id = self.id();
        let usage = vk::BufferUsageFlags::TRANSFER_DST | vk::BufferUsageFlags::TRANSFER_SRC;
        let info = vk::BufferCreateInfo::default().size(size).usage(usage);
        let (mut ids, mut raws) = ([id], [vk::Buffer::null()]);
        let p_buffer = NewHandles { ids: &mut ids, raws: &mut raws };
        self.send(&CreateBufferArgs { device, p_create_info: &info, p_buffer }).expect("a buffer");
        Handle::identity(id)
    }

    /// vkAllocateMemory as asked.
    pub(crate) fn allocate(
        &mut self,
        device: Handle<vk::Device>,
        info: &vk::MemoryAllocateInfo<'_>,
    ) -> (vk::Result, Handle<vk::DeviceMemory>) {
        let id = self.id();
        let (mut ids, mut raws) = ([id], [vk::DeviceMemory::null()]);
        let p_memory = NewHandles { ids: &mut ids, raws: &mut raws };
        let args = AllocateMemoryArgs { device, p_allocate_info: info, p_memory };
        let returned = self.call(&args, |reply| AllocateMemoryArgs::decode_reply(reply).expect("a reply").returned);
        (returned.expect("a living context"), Handle::identity(id))
    }

    /// Mappable memory of `size` bytes.
    pub(crate) fn memory(&mut self, device: Handle<vk::Device>, size: u64) -> Handle<vk::DeviceMemory> {
        let memory_type = self.mappable_type();
        let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(memory_type);
        let (returned, memory) = self.allocate(device, &info);
        assert_eq!(returned, vk::Result::SUCCESS);
        memory
    }

    /// Makes an allocation a resource.
    pub(crate) fn export(&mut self, memory: Handle<vk::DeviceMemory>, size: u64) -> Result<(u32, Blob), HostError> {
        let id = self.next_resource;
        self.next_resource += 1;
        let blob = self.context.create_blob(ResourceId(id), BlobFlags::MAPPABLE, memory.id, size)?;
        Ok((id, blob))
    }

    pub(crate) fn bind(
        &mut self,
        device: Handle<vk::Device>,
        buffer: Handle<vk::Buffer>,
        memory: Handle<vk::DeviceMemory>,
    ) {
        let args = BindBufferMemoryArgs { device, buffer, memory, memory_offset: 0 };
        let returned = self.call(&args, |reply| BindBufferMemoryArgs::decode_reply(reply).expect("a reply"));
        assert_eq!(returned.expect("a living context"), vk::Result::SUCCESS);
    }

    pub(crate) fn command_pool(&mut self, device: Handle<vk::Device>) -> Handle<vk::CommandPool> {
        let id = self.id();
        let info = vk::CommandPoolCreateInfo::default().flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
        let (mut ids, mut raws) = ([id], [vk::CommandPool::null()]);
        let p_command_pool = NewHandles { ids: &mut ids, raws: &mut raws };
        self.send(&CreateCommandPoolArgs { device, p_create_info: &info, p_command_pool }).expect("a pool");
        Handle::identity(id)
    }

    pub(crate) fn command_buffer(
        &mut self,
        device: Handle<vk::Device>,
        pool: Handle<vk::CommandPool>,
    ) -> Handle<vk::CommandBuffer> {
        let id = self.id();
        let info = vk::CommandBufferAllocateInfo::default().command_pool(pool.raw).command_buffer_count(1);
        let (mut ids, mut raws) = ([id], [vk::CommandBuffer::null()]);
        let p_command_buffers = NewHandles { ids: &mut ids, raws: &mut raws };
        self.send(&AllocateCommandBuffersArgs { device, p_allocate_info: &info, p_command_buffers })
            .expect("a command buffer");
        Handle::identity(id)
    }

    /// A command buffer that fills a buffer with `word`.
    pub(crate) fn record_fill(
        &mut self,
        device: Handle<vk::Device>,
        pool: Handle<vk::CommandPool>,
        buffer: Handle<vk::Buffer>,
        word: u32,
    ) -> Handle<vk::CommandBuffer> {
        let command_buffer = self.command_buffer(device, pool);
        let begin = vk::CommandBufferBeginInfo::default();
        self.send(&BeginCommandBufferArgs { command_buffer, p_begin_info: &begin }).expect("recording");
        let fill =
            CmdFillBufferArgs { command_buffer, dst_buffer: buffer, dst_offset: 0, size: vk::WHOLE_SIZE, data: word };
        self.send(&fill).expect("recording");
        self.send(&EndCommandBufferArgs { command_buffer }).expect("recording");
        command_buffer
    }

    /// A command buffer that copies one buffer to another.
    pub(crate) fn record_copy(
        &mut self,
        device: Handle<vk::Device>,
        pool: Handle<vk::CommandPool>,
        src_buffer: Handle<vk::Buffer>,
        dst_buffer: Handle<vk::Buffer>,
        size: u64,
    ) -> Handle<vk::CommandBuffer> {
        let command_buffer = self.command_buffer(device, pool);
        let begin = vk::CommandBufferBeginInfo::default();
        self.send(&BeginCommandBufferArgs { command_buffer, p_begin_info: &begin }).expect("recording");
        let regions = [vk::BufferCopy::default().size(size)];
        let copy = CmdCopyBufferArgs { command_buffer, src_buffer, dst_buffer, region_count: 1, p_regions: &regions };
        self.send(&copy).expect("recording");
        self.send(&EndCommandBufferArgs { command_buffer }).expect("recording");
        command_buffer
    }

    pub(crate) fn fence(&mut self, device: Handle<vk::Device>) -> Handle<vk::Fence> {
        let id = self.id();
        let mut export = vk::ExportFenceCreateInfo::default().handle_types(vk::ExternalFenceHandleTypeFlags::SYNC_FD);
        let info = vk::FenceCreateInfo::default().push_next(&mut export);
        let (mut ids, mut raws) = ([id], [vk::Fence::null()]);
        let p_fence = NewHandles { ids: &mut ids, raws: &mut raws };
        self.send(&CreateFenceArgs { device, p_create_info: &info, p_fence }).expect("a fence");
        Handle::identity(id)
    }

    pub(crate) fn semaphore(&mut self, device: Handle<vk::Device>) -> Handle<vk::Semaphore> {
        let id = self.id();
        let sync_fd = vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD;
        let mut export = vk::ExportSemaphoreCreateInfo::default().handle_types(sync_fd);
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut export);
        let (mut ids, mut raws) = ([id], [vk::Semaphore::null()]);
        let p_semaphore = NewHandles { ids: &mut ids, raws: &mut raws };
        self.send(&CreateSemaphoreArgs { device, p_create_info: &info, p_semaphore }).expect("a semaphore");
        Handle::identity(id)
    }

    /// Submits one batch.
    pub(crate) fn submit(&mut self, queue: Handle<vk::Queue>, batch: &vk::SubmitInfo<'_>, fence: Handle<vk::Fence>) {
        let p_submits = std::slice::from_ref(batch);
        let args = QueueSubmitArgs { queue, submit_count: 1, p_submits, fence };
        let returned = self.call(&args, |reply| QueueSubmitArgs::decode_reply(reply).expect("a reply"));
        assert_eq!(returned.expect("a living context"), vk::Result::SUCCESS);
    }

    /// vkWaitForFences for one fence.
    pub(crate) fn wait(&mut self, device: Handle<vk::Device>, fence: Handle<vk::Fence>, timeout: u64) -> vk::Result {
        let p_fences = venus_protocol::wire::Handles { ids: &[fence.id], raws: &[fence.raw] };
        let args = WaitForFencesArgs { device, fence_count: 1, p_fences, wait_all: vk::TRUE, timeout };
        let returned = self.call(&args, |reply| WaitForFencesArgs::decode_reply(reply).expect("a reply"));
        returned.expect("a living context")
    }

    /// Why the context was lost, as text.
    pub(crate) fn reason(&self) -> String {
        self.context.lost().map(ToString::to_string).unwrap_or_default()
    }
}
