//! Submissions without what must not be executed.
//!
//! What was recorded for queues that can do more than this one is not (`family.rs`).
//!
//! A command buffer with a hole in it, or a semaphore that could not be created, is a null handle where a guest submits
//! it (`object/phantoms.rs`). The rest of its submission is executed as usual, so that nobody waits in vain for what the
//! submission signals.

use ash::vk;
use venus_protocol::{
    args::{QueueBindSparseArgs, QueueSubmit2Args, QueueSubmitArgs},
    vk as venus,
};

use super::{FamilyProcs, chain, device::slice};

/// Numbers of which each goes with a handle, and to which chains point.
#[derive(Default)]
struct Companions {
    values: Vec<Vec<u64>>,
    masks: Vec<Vec<u32>>,
}

impl Companions {
    /// Takes the timeline values of null handles out of a submission's chain, which points to `self` from then on.
    fn keep_values(&mut self, root: &impl venus::TaggedStructure, waits: &[vk::Semaphore], signals: &[vk::Semaphore]) {
        for node in chain::nodes::<vk::TimelineSemaphoreSubmitInfo<'_>>(root) {
            // SAFETY: (and for the write below) the node is the decoder's, in memory that it gave out for writing, and
            // nothing else refers to it now: the only way to it is this chain, whose command the callers borrow mutably.
            // Its counts and pointers belong together.
            let mut info = unsafe { node.read() };
            // SAFETY: as above.
            let items = unsafe { slice(info.p_wait_semaphore_values, info.wait_semaphore_value_count) };
            (info.wait_semaphore_value_count, info.p_wait_semaphore_values) = keep(&mut self.values, waits, items);
            // SAFETY: as above.
            let items = unsafe { slice(info.p_signal_semaphore_values, info.signal_semaphore_value_count) };
            (info.signal_semaphore_value_count, info.p_signal_semaphore_values) =
                keep(&mut self.values, signals, items);
            // SAFETY: as above.
            unsafe { node.write(info) };
        }
    }

    /// As [`Companions::keep_values`], for the devices of a group that have to do with each.
    fn keep_devices(&mut self, submit: &vk::SubmitInfo<'_>, parts: &Parts<'_>) {
        for node in chain::nodes::<vk::DeviceGroupSubmitInfo<'_>>(submit) {
            // SAFETY: (all of them) as in `keep_values`.
            let mut group = unsafe { node.read() };
            // SAFETY: as above.
            let items = unsafe { slice(group.p_wait_semaphore_device_indices, group.wait_semaphore_count) };
            (group.wait_semaphore_count, group.p_wait_semaphore_device_indices) =
                keep(&mut self.masks, parts.waits, items);
            // SAFETY: as above.
            let items = unsafe { slice(group.p_command_buffer_device_masks, group.command_buffer_count) };
            (group.command_buffer_count, group.p_command_buffer_device_masks) =
                keep(&mut self.masks, parts.buffers, items);
            // SAFETY: as above.
            let items = unsafe { slice(group.p_signal_semaphore_device_indices, group.signal_semaphore_count) };
            (group.signal_semaphore_count, group.p_signal_semaphore_device_indices) =
                keep(&mut self.masks, parts.signals, items);
            // SAFETY: as above.
            unsafe { node.write(group) };
        }
    }
}

/// Those of `items` whose handle is not null. Without a handle for each they are none.
fn with_handles<H: venus::Handle + Copy, T: Copy>(handles: &[H], items: &[T]) -> Vec<T> {
    let pairs = items.iter().zip(handles).filter(|(_, handle)| handle.as_raw() != 0);
    pairs.map(|(item, _)| *item).collect()
}

/// Puts [`with_handles`] into `store`, and answers count and pointer.
fn keep<H: venus::Handle + Copy, T: Copy>(store: &mut Vec<Vec<T>>, handles: &[H], items: &[T]) -> (u32, *const T) {
    let kept = with_handles(handles, items);
    let parts = (u32::try_from(kept.len()).unwrap_or_default(), kept.as_ptr());
    store.push(kept);
    parts
}

/// What a submission names.
struct Parts<'a> {
    buffers: &'a [vk::CommandBuffer],
    waits: &'a [vk::Semaphore],
    signals: &'a [vk::Semaphore],
}

/// A command buffer, or null if it is not of the family.
fn own(family: Option<&FamilyProcs>, buffer: vk::CommandBuffer) -> vk::CommandBuffer {
    if family.is_none_or(|family| family.has(buffer)) { buffer } else { vk::CommandBuffer::null() }
}

fn buffers_of<'a>(submit: &vk::SubmitInfo<'a>) -> &'a [vk::CommandBuffer] {
    // SAFETY: count and pointer belong together and live as long as what `submit` refers to: the decoder made them.
    unsafe { slice(submit.p_command_buffers, submit.command_buffer_count) }
}

fn buffers_of2<'a>(submit: &vk::SubmitInfo2<'a>) -> &'a [vk::CommandBufferSubmitInfo<'a>] {
    // SAFETY: as in `buffers_of`.
    unsafe { slice(submit.p_command_buffer_infos, submit.command_buffer_info_count) }
}

/// The command buffers of vkQueueSubmit that are there.
pub(crate) fn buffers<'a>(args: &QueueSubmitArgs<'a>) -> impl Iterator<Item = vk::CommandBuffer> + use<'a> {
    args.p_submits.iter().flat_map(buffers_of).copied().filter(|buffer| *buffer != vk::CommandBuffer::null())
}

/// The command buffers of vkQueueSubmit2 that are there.
pub(crate) fn buffers2<'a>(args: &QueueSubmit2Args<'a>) -> impl Iterator<Item = vk::CommandBuffer> + use<'a> {
    let buffers = args.p_submits.iter().flat_map(buffers_of2).map(|info| info.command_buffer);
    buffers.filter(|buffer| *buffer != vk::CommandBuffer::null())
}

/// What is left of a submission.
struct Kept {
    buffers: Vec<vk::CommandBuffer>,
    waits: Vec<vk::Semaphore>,
    stages: Vec<vk::PipelineStageFlags>,
    signals: Vec<vk::Semaphore>,
}

impl Kept {
    fn within<'a>(&'a self, submit: &vk::SubmitInfo<'a>) -> vk::SubmitInfo<'a> {
        let submit = submit.command_buffers(&self.buffers).signal_semaphores(&self.signals);
        submit.wait_semaphores(&self.waits).wait_dst_stage_mask(&self.stages)
    }
}

/// The submissions of vkQueueSubmit, with what is left of each.
pub(crate) struct Remaining<'a> {
    submits: &'a [vk::SubmitInfo<'a>],
    kept: Vec<Kept>,
    /// What the chains of `submits` point to.
    _companions: Companions,
}

impl<'a> Remaining<'a> {
    /// Without the command buffers that are not of the family, if there is one.
    pub(crate) fn of(args: &mut QueueSubmitArgs<'a>, family: Option<&FamilyProcs>) -> Self {
        let submits = args.p_submits;
        let mut companions = Companions::default();
        let kept = submits.iter().map(|submit| kept_of(submit, family, &mut companions)).collect();
        Self { submits, kept, _companions: companions }
    }

    /// The submissions as the driver may see them.
    pub(crate) fn submits(&self) -> Vec<vk::SubmitInfo<'_>> {
        self.submits.iter().zip(&self.kept).map(|(submit, kept)| kept.within(submit)).collect()
    }
}

fn kept_of(submit: &vk::SubmitInfo<'_>, family: Option<&FamilyProcs>, companions: &mut Companions) -> Kept {
    let buffers: Vec<_> = buffers_of(submit).iter().map(|buffer| own(family, *buffer)).collect();
    let parts = Parts {
        buffers: &buffers,
        // SAFETY: count and pointer belong together and live as long as `submit`: the decoder made them.
        waits: unsafe { slice(submit.p_wait_semaphores, submit.wait_semaphore_count) },
        // SAFETY: as above.
        signals: unsafe { slice(submit.p_signal_semaphores, submit.signal_semaphore_count) },
    };
    // SAFETY: as above.
    let stages = unsafe { slice(submit.p_wait_dst_stage_mask, submit.wait_semaphore_count) };
    companions.keep_values(submit, parts.waits, parts.signals);
    companions.keep_devices(submit, &parts);
    Kept {
        buffers: with_handles(parts.buffers, parts.buffers),
        waits: with_handles(parts.waits, parts.waits),
        stages: with_handles(parts.waits, stages),
        signals: with_handles(parts.signals, parts.signals),
    }
}

/// What is left of a submission of vkQueueSubmit2.
struct Kept2<'a> {
    buffers: Vec<vk::CommandBufferSubmitInfo<'a>>,
    waits: Vec<vk::SemaphoreSubmitInfo<'a>>,
    signals: Vec<vk::SemaphoreSubmitInfo<'a>>,
}

impl Kept2<'_> {
    fn within<'a>(&'a self, submit: &vk::SubmitInfo2<'a>) -> vk::SubmitInfo2<'a> {
        let submit = submit.command_buffer_infos(&self.buffers).signal_semaphore_infos(&self.signals);
        submit.wait_semaphore_infos(&self.waits)
    }
}

/// The submissions of vkQueueSubmit2, with what is left of each.
pub(crate) struct Remaining2<'a> {
    submits: &'a [vk::SubmitInfo2<'a>],
    kept: Vec<Kept2<'a>>,
}

impl<'a> Remaining2<'a> {
    /// As [`Remaining::of`].
    pub(crate) fn of(args: &mut QueueSubmit2Args<'a>, family: Option<&FamilyProcs>) -> Self {
        let kept = args.p_submits.iter().map(|submit| kept_of2(submit, family)).collect();
        Self { submits: args.p_submits, kept }
    }

    /// The submissions as the driver may see them.
    pub(crate) fn submits(&self) -> Vec<vk::SubmitInfo2<'_>> {
        self.submits.iter().zip(&self.kept).map(|(submit, kept)| kept.within(submit)).collect()
    }
}

fn kept_of2<'a>(submit: &vk::SubmitInfo2<'a>, family: Option<&FamilyProcs>) -> Kept2<'a> {
    // SAFETY: count and pointer belong together and live as long as `submit`: the decoder made them.
    let waits = unsafe { slice(submit.p_wait_semaphore_infos, submit.wait_semaphore_info_count) };
    // SAFETY: as above.
    let signals = unsafe { slice(submit.p_signal_semaphore_infos, submit.signal_semaphore_info_count) };
    let is_own =
        |info: &&vk::CommandBufferSubmitInfo<'_>| own(family, info.command_buffer) != vk::CommandBuffer::null();
    let is_there = |info: &&vk::SemaphoreSubmitInfo<'_>| info.semaphore != vk::Semaphore::null();
    Kept2 {
        buffers: buffers_of2(submit).iter().filter(is_own).copied().collect(),
        waits: waits.iter().filter(is_there).copied().collect(),
        signals: signals.iter().filter(is_there).copied().collect(),
    }
}

/// What is left of a batch of vkQueueBindSparse.
struct KeptBinds<'a> {
    waits: Vec<vk::Semaphore>,
    signals: Vec<vk::Semaphore>,
    buffers: Vec<vk::SparseBufferMemoryBindInfo<'a>>,
    opaque: Vec<vk::SparseImageOpaqueMemoryBindInfo<'a>>,
    images: Vec<vk::SparseImageMemoryBindInfo<'a>>,
}

impl KeptBinds<'_> {
    fn within<'a>(&'a self, bind: &vk::BindSparseInfo<'a>) -> vk::BindSparseInfo<'a> {
        let bind = bind.wait_semaphores(&self.waits).signal_semaphores(&self.signals);
        bind.buffer_binds(&self.buffers).image_opaque_binds(&self.opaque).image_binds(&self.images)
    }
}

/// The batches of vkQueueBindSparse, with what is left of each. Where memory is missing, no memory is bound.
pub(crate) struct RemainingBinds<'a> {
    binds: &'a [vk::BindSparseInfo<'a>],
    kept: Vec<KeptBinds<'a>>,
    /// What the chains of `binds` point to.
    _companions: Companions,
}

impl<'a> RemainingBinds<'a> {
    pub(crate) fn of(args: &mut QueueBindSparseArgs<'a>) -> Self {
        let mut companions = Companions::default();
        let kept = args.p_bind_info.iter().map(|bind| kept_of_binds(bind, &mut companions)).collect();
        Self { binds: args.p_bind_info, kept, _companions: companions }
    }

    /// The batches as the driver may see them.
    pub(crate) fn binds(&self) -> Vec<vk::BindSparseInfo<'_>> {
        self.binds.iter().zip(&self.kept).map(|(bind, kept)| kept.within(bind)).collect()
    }
}

fn kept_of_binds<'a>(bind: &vk::BindSparseInfo<'a>, companions: &mut Companions) -> KeptBinds<'a> {
    // SAFETY: count and pointer belong together and live as long as `bind`: the decoder made them.
    let waits = unsafe { slice(bind.p_wait_semaphores, bind.wait_semaphore_count) };
    // SAFETY: as above.
    let signals = unsafe { slice(bind.p_signal_semaphores, bind.signal_semaphore_count) };
    // SAFETY: as above.
    let buffers = unsafe { slice(bind.p_buffer_binds, bind.buffer_bind_count) };
    // SAFETY: as above.
    let opaque = unsafe { slice(bind.p_image_opaque_binds, bind.image_opaque_bind_count) };
    // SAFETY: as above.
    let images = unsafe { slice(bind.p_image_binds, bind.image_bind_count) };
    companions.keep_values(bind, waits, signals);
    KeptBinds {
        waits: with_handles(waits, waits),
        signals: with_handles(signals, signals),
        buffers: buffers.iter().filter(|bind| bind.buffer != vk::Buffer::null()).copied().collect(),
        opaque: opaque.iter().filter(|bind| bind.image != vk::Image::null()).copied().collect(),
        images: images.iter().filter(|bind| bind.image != vk::Image::null()).copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use venus_protocol::wire::Handle;

    use super::*;

    fn buffer(raw: u64) -> vk::CommandBuffer {
        vk::Handle::from_raw(raw)
    }

    fn semaphore(raw: u64) -> vk::Semaphore {
        vk::Handle::from_raw(raw)
    }

    fn args<'a>(submits: &'a [vk::SubmitInfo<'a>]) -> QueueSubmitArgs<'a> {
        let (queue, fence) = (Handle { id: 1, raw: vk::Queue::null() }, Handle { id: 0, raw: vk::Fence::null() });
        QueueSubmitArgs { queue, submit_count: 1, p_submits: submits, fence }
    }

    #[test]
    fn what_goes_with_a_semaphore_goes_with_it() {
        let waits = [semaphore(0), semaphore(5), semaphore(6)];
        let stages = [1, 2, 4].map(vk::PipelineStageFlags::from_raw);
        let mut values = vk::TimelineSemaphoreSubmitInfo::default().wait_semaphore_values(&[10, 20, 30]);
        let mut group = vk::DeviceGroupSubmitInfo::default().wait_semaphore_device_indices(&[7, 8, 9]);
        let submit = vk::SubmitInfo::default().wait_semaphores(&waits).wait_dst_stage_mask(&stages);
        let submits = [submit.push_next(&mut values).push_next(&mut group)];
        let remaining = Remaining::of(&mut args(&submits), None);
        let [submit] = remaining.submits()[..] else { panic!("one submission") };
        let values = chain::find::<vk::TimelineSemaphoreSubmitInfo<'_>>(&submit).expect("values");
        let group = chain::find::<vk::DeviceGroupSubmitInfo<'_>>(&submit).expect("a group");
        // SAFETY: count and pointer belong together, of `remaining`.
        assert!(unsafe { slice(submit.p_wait_semaphores, submit.wait_semaphore_count) } == &waits[1..]);
        // SAFETY: as above.
        assert!(unsafe { slice(submit.p_wait_dst_stage_mask, submit.wait_semaphore_count) } == &stages[1..]);
        // SAFETY: as above.
        let values = unsafe { slice(values.p_wait_semaphore_values, values.wait_semaphore_value_count) };
        // SAFETY: as above.
        let devices = unsafe { slice(group.p_wait_semaphore_device_indices, group.wait_semaphore_count) };
        assert_eq!((values, devices), (&[20, 30][..], &[8, 9][..]));
    }

    #[test]
    fn the_rest_of_a_submission_stays() {
        let (buffers, semaphores) = ([buffer(0), buffer(5), buffer(0)], [semaphore(0), semaphore(7)]);
        let submits = [vk::SubmitInfo::default().command_buffers(&buffers).signal_semaphores(&semaphores)];
        let remaining = Remaining::of(&mut args(&submits), None);
        let [submit] = remaining.submits()[..] else { panic!("one submission") };
        assert_eq!((submit.command_buffer_count, submit.signal_semaphore_count), (1, 1));
        // SAFETY: one element, as the count says, of `remaining`.
        assert_eq!(unsafe { *submit.p_command_buffers }, buffer(5));
    }

    #[test]
    fn the_rest_of_a_newer_submission_stays() {
        let infos = [0, 6].map(|raw| vk::CommandBufferSubmitInfo::default().command_buffer(buffer(raw)));
        let signals = [0, 7].map(|raw| vk::SemaphoreSubmitInfo::default().semaphore(semaphore(raw)));
        let submits = [vk::SubmitInfo2::default().command_buffer_infos(&infos).signal_semaphore_infos(&signals)];
        let (queue, fence) = (Handle { id: 1, raw: vk::Queue::null() }, Handle { id: 0, raw: vk::Fence::null() });
        let mut args = QueueSubmit2Args { queue, submit_count: 1, p_submits: &submits, fence };
        let remaining = Remaining2::of(&mut args, None);
        let [submit] = remaining.submits()[..] else { panic!("one submission") };
        assert_eq!((submit.command_buffer_info_count, submit.signal_semaphore_info_count), (1, 1));
    }
}
