//! Submissions without the command buffers that must not be executed.
//!
//! A command buffer with a hole in it, or one that could not be allocated, is a null handle where a guest submits it
//! (`object/phantoms.rs`). The rest of its submission is executed as usual, so that nobody waits in vain for what the
//! submission signals.

use ash::vk;

use super::device::slice;

/// The submissions of vkQueueSubmit, with what is left of each one's command buffers.
pub(crate) struct Remaining<'a> {
    submits: &'a [vk::SubmitInfo<'a>],
    buffers: Vec<Vec<vk::CommandBuffer>>,
}

impl<'a> Remaining<'a> {
    pub(crate) fn of(submits: &'a [vk::SubmitInfo<'a>]) -> Self {
        let remaining = |submit: &vk::SubmitInfo<'_>| {
            // SAFETY: count and pointer belong together and live as long as `submits`: the decoder made them.
            let buffers = unsafe { slice(submit.p_command_buffers, submit.command_buffer_count) };
            buffers.iter().copied().filter(|buffer| *buffer != vk::CommandBuffer::null()).collect()
        };
        Self { submits, buffers: submits.iter().map(remaining).collect() }
    }

    /// The submissions as the driver may see them.
    pub(crate) fn submits(&self) -> Vec<vk::SubmitInfo<'_>> {
        self.submits.iter().zip(&self.buffers).map(|(submit, buffers)| submit.command_buffers(buffers)).collect()
    }
}

/// The submissions of vkQueueSubmit2, with what is left of each one's command buffers.
pub(crate) struct Remaining2<'a> {
    submits: &'a [vk::SubmitInfo2<'a>],
    buffers: Vec<Vec<vk::CommandBufferSubmitInfo<'a>>>,
}

impl<'a> Remaining2<'a> {
    pub(crate) fn of(submits: &'a [vk::SubmitInfo2<'a>]) -> Self {
        let remaining = |submit: &vk::SubmitInfo2<'a>| {
            // SAFETY: count and pointer belong together and live as long as `submits`: the decoder made them.
            let buffers = unsafe { slice(submit.p_command_buffer_infos, submit.command_buffer_info_count) };
            buffers.iter().copied().filter(|info| info.command_buffer != vk::CommandBuffer::null()).collect()
        };
        Self { submits, buffers: submits.iter().map(remaining).collect() }
    }

    /// The submissions as the driver may see them.
    pub(crate) fn submits(&self) -> Vec<vk::SubmitInfo2<'_>> {
        self.submits.iter().zip(&self.buffers).map(|(submit, buffers)| submit.command_buffer_infos(buffers)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(raw: u64) -> vk::CommandBuffer {
        vk::Handle::from_raw(raw)
    }

    #[test]
    fn the_rest_of_a_submission_stays() {
        let (buffers, semaphores) = ([buffer(0), buffer(5), buffer(0)], [vk::Semaphore::null(); 2]);
        let submits = [vk::SubmitInfo::default().command_buffers(&buffers).signal_semaphores(&semaphores)];
        let remaining = Remaining::of(&submits);
        let [submit] = remaining.submits()[..] else { panic!("one submission") };
        assert_eq!((submit.command_buffer_count, submit.signal_semaphore_count), (1, 2));
        // SAFETY: one element, as the count says, of `remaining`.
        assert_eq!(unsafe { *submit.p_command_buffers }, buffer(5));
    }

    #[test]
    fn the_rest_of_a_newer_submission_stays() {
        let infos = [0, 6].map(|raw| vk::CommandBufferSubmitInfo::default().command_buffer(buffer(raw)));
        let signals = [vk::SemaphoreSubmitInfo::default()];
        let submits = [vk::SubmitInfo2::default().command_buffer_infos(&infos).signal_semaphore_infos(&signals)];
        let remaining = Remaining2::of(&submits);
        let [submit] = remaining.submits()[..] else { panic!("one submission") };
        assert_eq!((submit.command_buffer_info_count, submit.signal_semaphore_info_count), (1, 1));
    }
}
