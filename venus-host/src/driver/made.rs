//! What objects were made with, as far as commands that name them are compared with it.
//!
//! A device keeps it under the driver's handles, since commands name most objects inside of structures, where the decoder
//! has put those. It is noted before anybody can name the object, and forgotten when nobody can any more, just before the
//! driver frees the handle.
//!
//! An endpoint remembers what it asked for last ([`Remembered`]), so that a run of commands about the same few objects
//! takes no lock. That is good for as long as the device forgets nothing, which a number tells that no device has twice.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ash::vk::{self, Handle};
use hashbrown::{HashMap, HashSet};
use parking_lot::RwLock;

use super::{
    Device,
    bounds::{
        images, pipelines,
        sets::{self, SetLayout},
    },
    device::slice,
};

/// What is known of objects of one type, by their handles.
type Shelf<T> = RwLock<ByHandle<T>>;
type ByHandle<T> = HashMap<u64, T, foldhash::fast::RandomState>;
type Handles = HashSet<u64, foldhash::fast::RandomState>;

/// The last number that says how old what a device keeps is.
static LAST_AGE: AtomicU64 = AtomicU64::new(0);

fn next_age() -> u64 {
    LAST_AGE.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

/// What an image was made with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Image {
    pub(super) kind: vk::ImageType,
    pub(super) flags: vk::ImageCreateFlags,
    pub(super) format: vk::Format,
    pub(super) extent: vk::Extent3D,
    pub(super) levels: u32,
    pub(super) layers: u32,
}

impl Image {
    pub(super) fn of(info: &vk::ImageCreateInfo<'_>) -> Self {
        let vk::ImageCreateInfo { image_type: kind, flags, format, extent, mip_levels, array_layers, .. } = *info;
        Self { kind, flags, format, extent, levels: mip_levels, layers: array_layers }
    }

    /// Whether it has slices, not layers.
    pub(super) fn is_3d(&self) -> bool {
        self.kind == vk::ImageType::TYPE_3D
    }
}

/// What a pipeline was made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipeline {
    /// Where it can be bound; nowhere if it is a library.
    pub(super) bind_point: i32,
    pub(super) is_library: bool,
    /// Groups of shaders, if it traces rays.
    pub(super) groups: u32,
}

/// What memory was allocated with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(super) size: u64,
    /// The number of its type.
    pub(super) kind: u32,
}

/// What an image view shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) layers: u32,
}

/// What a render pass was made with.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(super) attachments: u32,
    pub(super) subpasses: u32,
    /// How many attachments there are up to the last one that is cleared.
    pub(super) cleared: u32,
    /// Which attachments a subpass renders to or reads.
    pub(super) rendered: Box<[bool]>,
    /// How many views there are up to the last one that is rendered.
    pub(super) views: u32,
}

/// What a framebuffer was made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framebuffer {
    pub(super) attachments: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) layers: u32,
    pub(super) is_imageless: bool,
}

impl Framebuffer {
    pub(super) fn of(info: &vk::FramebufferCreateInfo<'_>) -> Self {
        let vk::FramebufferCreateInfo { attachment_count: attachments, width, height, layers, flags, .. } = *info;
        Self { attachments, width, height, layers, is_imageless: flags.contains(vk::FramebufferCreateFlags::IMAGELESS) }
    }
}

/// What a descriptor set was allocated with.
#[derive(Clone)]
pub(crate) struct Set {
    pub(super) layout: Arc<SetLayout>,
    /// How many descriptors the last binding has, if the layout leaves that to the set.
    pub(super) variable: u32,
    /// How many of its descriptors take an offset when it is bound.
    dynamic: u32,
    pool: u64,
}

/// The descriptor sets of a device.
#[derive(Default)]
struct Sets {
    all: ByHandle<Set>,
    /// Those of each pool.
    by_pool: ByHandle<Handles>,
}

impl Sets {
    fn insert(&mut self, raw: u64, set: Set) {
        self.by_pool.entry(set.pool).or_default().insert(raw);
        self.all.insert(raw, set);
    }

    fn remove(&mut self, raw: u64) -> bool {
        let Some(set) = self.all.remove(&raw) else { return false };
        if let Some(pool) = self.by_pool.get_mut(&set.pool) {
            pool.remove(&raw);
        }
        true
    }

    fn remove_pool(&mut self, pool: u64) -> bool {
        let sets = self.by_pool.remove(&pool).unwrap_or_default();
        sets.iter().filter(|raw| self.all.remove(*raw).is_some()).count() != 0
    }
}

/// The layouts of the sets of a pipeline layout, as far as it has and knows them.
pub(super) type SetLayouts = Arc<[Option<Arc<SetLayout>>]>;

/// What a device's objects were made with.
pub(crate) struct Made {
    /// A number that changes whenever something is forgotten.
    age: AtomicU64,
    /// Sizes in bytes.
    buffers: Shelf<u64>,
    memories: Shelf<Memory>,
    pipelines: Shelf<Pipeline>,
    images: Shelf<Image>,
    set_layouts: Shelf<Arc<SetLayout>>,
    pipeline_layouts: Shelf<SetLayouts>,
    sets: RwLock<Sets>,
    views: Shelf<View>,
    passes: Shelf<Arc<Pass>>,
    framebuffers: Shelf<Framebuffer>,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            age: AtomicU64::new(next_age()),
            buffers: Shelf::default(),
            memories: Shelf::default(),
            pipelines: Shelf::default(),
            images: Shelf::default(),
            set_layouts: Shelf::default(),
            pipeline_layouts: Shelf::default(),
            sets: RwLock::default(),
            views: Shelf::default(),
            passes: Shelf::default(),
            framebuffers: Shelf::default(),
        }
    }
}

impl Made {
    /// Notes how many bytes a buffer has that was just created.
    fn note_buffer(&self, buffer: vk::Buffer, size: u64) {
        self.buffers.write().insert(buffer.as_raw(), size);
    }

    /// To be called before the driver frees an object, whose handle may be another's then.
    pub(super) fn forget(&self, kind: vk::ObjectType, raw: u64) {
        let was_known = match kind {
            vk::ObjectType::BUFFER => self.buffers.write().remove(&raw).is_some(),
            vk::ObjectType::DEVICE_MEMORY => self.memories.write().remove(&raw).is_some(),
            vk::ObjectType::PIPELINE => self.pipelines.write().remove(&raw).is_some(),
            vk::ObjectType::IMAGE => self.images.write().remove(&raw).is_some(),
            vk::ObjectType::DESCRIPTOR_SET_LAYOUT => self.set_layouts.write().remove(&raw).is_some(),
            vk::ObjectType::PIPELINE_LAYOUT => self.pipeline_layouts.write().remove(&raw).is_some(),
            vk::ObjectType::IMAGE_VIEW => self.views.write().remove(&raw).is_some(),
            vk::ObjectType::RENDER_PASS => self.passes.write().remove(&raw).is_some(),
            vk::ObjectType::FRAMEBUFFER => self.framebuffers.write().remove(&raw).is_some(),
            vk::ObjectType::DESCRIPTOR_POOL => self.sets.write().remove_pool(raw),
            _ => false,
        };
        if was_known {
            self.grow_old();
        }
    }

    /// The same, of descriptor sets that are freed.
    pub(super) fn forget_sets(&self, freed: &[vk::DescriptorSet]) {
        let mut sets = self.sets.write();
        if freed.iter().filter(|set| sets.remove(set.as_raw())).count() != 0 {
            self.grow_old();
        }
    }

    fn grow_old(&self) {
        self.age.store(next_age(), Ordering::Release);
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("age", &self.age).finish_non_exhaustive()
    }
}

impl Device {
    /// Notes what a buffer was created with that was just created.
    pub(crate) fn note_buffer(&self, buffer: vk::Buffer, info: &vk::BufferCreateInfo<'_>) {
        self.made().note_buffer(buffer, info.size);
    }

    /// The same of a layout of descriptor sets.
    pub(crate) fn note_set_layout(
        &self,
        layout: vk::DescriptorSetLayout,
        info: &vk::DescriptorSetLayoutCreateInfo<'_>,
    ) {
        self.made().set_layouts.write().insert(layout.as_raw(), Arc::new(SetLayout::of(info)));
    }

    /// The same of a pipeline layout.
    pub(crate) fn note_pipeline_layout(&self, layout: vk::PipelineLayout, info: &vk::PipelineLayoutCreateInfo<'_>) {
        // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
        let sets = unsafe { slice(info.p_set_layouts, info.set_layout_count) };
        let known = self.made().set_layouts.read();
        let sets = sets.iter().map(|set| known.get(&set.as_raw()).map(Arc::clone)).collect();
        drop(known);
        self.made().pipeline_layouts.write().insert(layout.as_raw(), sets);
    }

    /// The same of memory.
    pub(crate) fn note_memory(&self, memory: vk::DeviceMemory, info: &vk::MemoryAllocateInfo<'_>) {
        let made = Memory { size: info.allocation_size, kind: info.memory_type_index };
        self.made().memories.write().insert(memory.as_raw(), made);
    }

    /// The same of graphics pipelines. Those that could not be created are null.
    pub(crate) fn note_graphics(&self, new: &[vk::Pipeline], infos: &[vk::GraphicsPipelineCreateInfo<'_>]) {
        let made = infos.iter().map(|info| pipelines::made(vk::PipelineBindPoint::GRAPHICS, info, info.flags, 0));
        self.note_pipelines(new, made);
    }

    /// The same of compute pipelines.
    pub(crate) fn note_compute(&self, new: &[vk::Pipeline], infos: &[vk::ComputePipelineCreateInfo<'_>]) {
        let made = infos.iter().map(|info| pipelines::made(vk::PipelineBindPoint::COMPUTE, info, info.flags, 0));
        self.note_pipelines(new, made);
    }

    /// The same of ray tracing pipelines, which have their libraries' groups, too.
    pub(crate) fn note_ray_tracing(&self, new: &[vk::Pipeline], infos: &[vk::RayTracingPipelineCreateInfoKHR<'_>]) {
        let made = infos.iter().map(|info| {
            let known = self.made().pipelines.read();
            let groups_of = |library: &vk::Pipeline| known.get(&library.as_raw()).map_or(0, |library| library.groups);
            let groups = pipelines::libraries(info).iter().map(groups_of).fold(info.group_count, u32::saturating_add);
            pipelines::made(vk::PipelineBindPoint::RAY_TRACING_KHR, info, info.flags, groups)
        });
        self.note_pipelines(new, made.collect::<Vec<_>>());
    }

    fn note_pipelines(&self, new: &[vk::Pipeline], made: impl IntoIterator<Item = Pipeline>) {
        let new = new.iter().map(|pipeline| pipeline.as_raw()).zip(made);
        self.made().pipelines.write().extend(new.filter(|(raw, _)| *raw != 0));
    }

    /// The same of an image view.
    pub(crate) fn note_view(&self, view: vk::ImageView, info: &vk::ImageViewCreateInfo<'_>) {
        let image = self.made().images.read().get(&info.image.as_raw()).copied();
        if let Some(shown) = image.and_then(|image| images::shown(image, info)) {
            self.made().views.write().insert(view.as_raw(), shown);
        }
    }

    /// The same of a render pass.
    pub(crate) fn note_pass(&self, pass: vk::RenderPass, made: Pass) {
        self.made().passes.write().insert(pass.as_raw(), Arc::new(made));
    }

    /// The same of a framebuffer.
    pub(crate) fn note_framebuffer(&self, framebuffer: vk::Framebuffer, info: &vk::FramebufferCreateInfo<'_>) {
        self.made().framebuffers.write().insert(framebuffer.as_raw(), Framebuffer::of(info));
    }

    /// The same of descriptor sets.
    pub(crate) fn note_sets(&self, new: &[vk::DescriptorSet], info: &vk::DescriptorSetAllocateInfo<'_>) {
        // SAFETY: as above.
        let layouts = unsafe { slice(info.p_set_layouts, info.descriptor_set_count) };
        let mut variable = sets::variable_counts(info).iter();
        let (known, mut sets) = (self.made().set_layouts.read(), self.made().sets.write());
        for (set, layout) in new.iter().zip(layouts) {
            let variable = variable.next().copied().unwrap_or_default();
            let Some(layout) = known.get(&layout.as_raw()).map(Arc::clone) else { continue };
            let (dynamic, pool) = (layout.dynamic_in(variable), info.descriptor_pool.as_raw());
            sets.insert(set.as_raw(), Set { layout, variable, dynamic, pool });
        }
    }

    /// To be called before a pool takes all its descriptor sets back.
    pub(crate) fn forget_sets_of(&self, pool: vk::DescriptorPool) {
        self.made().forget(vk::ObjectType::DESCRIPTOR_POOL, pool.as_raw());
    }

    /// The same of an image.
    pub(crate) fn note_image(&self, image: vk::Image, info: &vk::ImageCreateInfo<'_>) {
        self.made().images.write().insert(image.as_raw(), Image::of(info));
    }
}

/// Objects of one type that are remembered.
const SLOTS: usize = 16;

/// What is remembered of objects of one type. A handle of 0 is none.
struct Slots<T>([(u64, Option<T>); SLOTS]);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| (0, None)))
    }
}

impl<T> Slots<T> {
    /// The one slot that may remember a handle. Drivers' handles are mostly addresses, of which any bits may be all alike.
    #[inline]
    fn slot(&mut self, raw: u64) -> Option<&mut (u64, Option<T>)> {
        const UPPERMOST: u32 = u64::BITS - SLOTS.ilog2();
        let place = raw.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> UPPERMOST;
        self.0.get_mut(usize::try_from(place).unwrap_or_default())
    }
}

/// What one endpoint remembers.
#[derive(Default)]
pub(crate) struct Remembered {
    /// [`Made::age`] of the device that all of it is of.
    age: u64,
    buffers: Slots<u64>,
    memories: Slots<Memory>,
    pipelines: Slots<Pipeline>,
    images: Slots<Image>,
    sets: Slots<Set>,
    set_layouts: Slots<Arc<SetLayout>>,
    pipeline_layouts: Slots<SetLayouts>,
    views: Slots<View>,
    passes: Slots<Arc<Pass>>,
    framebuffers: Slots<Framebuffer>,
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("age", &self.age).finish_non_exhaustive()
    }
}

/// What can be said of the objects that the current command of an endpoint names.
pub(crate) struct Known<'a> {
    made: &'a Made,
    remembered: &'a mut Remembered,
}

impl<'a> Known<'a> {
    /// What the device says, and what the endpoint remembers of that.
    #[inline]
    pub(crate) fn of(device: &'a Device, remembered: &'a mut Remembered) -> Self {
        Self { made: device.made(), remembered }
    }

    /// The same, of images that are none of a device's.
    #[cfg(test)]
    pub(super) fn of_images<T>(images: &[vk::ImageCreateInfo<'_>], ask: impl FnOnce(&mut Known<'_>) -> T) -> T {
        let (made, mut remembered) = (Made::default(), Remembered::default());
        made.note_buffer(vk::Buffer::from_raw(1), 4096);
        for (image, raw) in images.iter().zip(1..) {
            made.images.write().insert(raw, Image::of(image));
        }
        ask(&mut Known { made: &made, remembered: &mut remembered })
    }

    /// The same, of a pass, a framebuffer and views, each of which is called 1, the views from 1 on.
    #[cfg(test)]
    pub(super) fn of_pass<T>(
        (pass, framebuffer): (Pass, Option<Framebuffer>),
        views: &[View],
        ask: impl FnOnce(&mut Known<'_>) -> T,
    ) -> T {
        let (made, mut remembered) = (Made::default(), Remembered::default());
        made.passes.write().insert(1, Arc::new(pass));
        made.framebuffers.write().extend(framebuffer.map(|framebuffer| (1, framebuffer)));
        made.views.write().extend((1..).zip(views.iter().copied()));
        ask(&mut Known { made: &made, remembered: &mut remembered })
    }

    /// What the endpoint remembers, if it is not too old.
    #[inline]
    fn remembered(&mut self) -> &mut Remembered {
        let age = self.made.age.load(Ordering::Acquire);
        if self.remembered.age != age {
            self.remembered.begin_anew(age);
        }
        self.remembered
    }

    /// How many bytes a buffer has; `None` for a null handle.
    #[inline]
    pub(crate) fn buffer(&mut self, buffer: vk::Buffer) -> Option<u64> {
        let made = self.made;
        look(self.remembered().buffers.slot(buffer.as_raw()), &made.buffers, buffer.as_raw()).copied()
    }
}

impl Known<'_> {
    /// What an image was made with; `None` for a null handle.
    #[inline]
    pub(crate) fn image(&mut self, image: vk::Image) -> Option<Image> {
        let made = self.made;
        look(self.remembered().images.slot(image.as_raw()), &made.images, image.as_raw()).copied()
    }

    /// What memory was allocated with; `None` for a null handle.
    pub(super) fn memory(&mut self, memory: vk::DeviceMemory) -> Option<Memory> {
        let made = self.made;
        look(self.remembered().memories.slot(memory.as_raw()), &made.memories, memory.as_raw()).copied()
    }

    /// What a pipeline was made with.
    #[inline]
    pub(super) fn pipeline(&mut self, pipeline: vk::Pipeline) -> Option<Pipeline> {
        let made = self.made;
        look(self.remembered().pipelines.slot(pipeline.as_raw()), &made.pipelines, pipeline.as_raw()).copied()
    }

    /// What an image view shows.
    #[inline]
    pub(super) fn view(&mut self, view: vk::ImageView) -> Option<View> {
        let made = self.made;
        look(self.remembered().views.slot(view.as_raw()), &made.views, view.as_raw()).copied()
    }

    /// What a render pass was made with.
    pub(super) fn pass(&mut self, pass: vk::RenderPass) -> Option<&Arc<Pass>> {
        let made = self.made;
        look(self.remembered().passes.slot(pass.as_raw()), &made.passes, pass.as_raw())
    }

    /// What a framebuffer was made with.
    pub(super) fn framebuffer(&mut self, framebuffer: vk::Framebuffer) -> Option<Framebuffer> {
        let made = self.made;
        look(self.remembered().framebuffers.slot(framebuffer.as_raw()), &made.framebuffers, framebuffer.as_raw())
            .copied()
    }

    /// What a layout of descriptor sets was made with.
    pub(super) fn set_layout(&mut self, layout: vk::DescriptorSetLayout) -> Option<&Arc<SetLayout>> {
        let made = self.made;
        look(self.remembered().set_layouts.slot(layout.as_raw()), &made.set_layouts, layout.as_raw())
    }

    /// What a pipeline layout was made with.
    #[inline]
    pub(super) fn pipeline_layout(&mut self, layout: vk::PipelineLayout) -> Option<&SetLayouts> {
        let made = self.made;
        look(self.remembered().pipeline_layouts.slot(layout.as_raw()), &made.pipeline_layouts, layout.as_raw())
    }

    /// What a descriptor set was allocated with.
    #[inline]
    pub(super) fn set(&mut self, set: vk::DescriptorSet) -> Option<&Set> {
        let (made, raw) = (self.made, set.as_raw());
        look_by(self.remembered().sets.slot(raw), raw, || made.sets.read().all.get(&raw).cloned())
    }

    /// How many descriptors of a set take an offset when it is bound.
    #[inline]
    pub(super) fn dynamic_count(&mut self, set: vk::DescriptorSet) -> u32 {
        self.set(set).map_or(0, |set| set.dynamic)
    }
}

impl Remembered {
    #[cold]
    fn begin_anew(&mut self, age: u64) {
        *self = Self { age, ..Self::default() };
    }
}

/// What is known of an object, from the slot that may remember it or else from the shelf.
#[inline]
fn look<'a, T: Clone>(slot: Option<&'a mut (u64, Option<T>)>, shelf: &Shelf<T>, raw: u64) -> Option<&'a T> {
    look_by(slot, raw, || shelf.read().get(&raw).cloned())
}

/// The same, where somebody says what the shelf has.
#[inline]
fn look_by<T>(slot: Option<&mut (u64, Option<T>)>, raw: u64, find: impl FnOnce() -> Option<T>) -> Option<&T> {
    let slot = slot?;
    if slot.0 != raw {
        remember(slot, raw, find);
    }
    slot.1.as_ref()
}

/// Asks for what an object was made with, and remembers it. That nothing is known is not remembered.
#[cold]
fn remember<T>(slot: &mut (u64, Option<T>), raw: u64, find: impl FnOnce() -> Option<T>) {
    if let Some(found) = find() {
        *slot = (raw, Some(found));
    } else {
        *slot = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(raw: u64) -> vk::Buffer {
        vk::Buffer::from_raw(raw)
    }

    #[test]
    fn what_was_forgotten_is_not_remembered() {
        let (made, mut remembered) = (Made::default(), Remembered::default());
        let mut known = Known { made: &made, remembered: &mut remembered };
        for raw in 1..100 {
            made.note_buffer(buffer(raw), raw * 3);
        }
        for raw in (1..100).chain(1..100) {
            assert_eq!(known.buffer(buffer(raw)), Some(raw * 3));
        }
        assert_eq!(known.buffer(vk::Buffer::null()), None);
        made.forget(vk::ObjectType::BUFFER, 7);
        assert_eq!(known.buffer(buffer(7)), None);
        made.note_buffer(buffer(7), 5);
        assert_eq!(known.buffer(buffer(7)), Some(5));
    }

    #[test]
    fn what_is_remembered_is_of_one_device() {
        let (one, other, mut remembered) = (Made::default(), Made::default(), Remembered::default());
        one.note_buffer(buffer(7), 1);
        other.note_buffer(buffer(7), 2);
        for (made, size) in [(&one, 1), (&other, 2), (&one, 1)] {
            assert_eq!(Known { made, remembered: &mut remembered }.buffer(buffer(7)), Some(size));
        }
    }
}
