//! The private commands that steer rings and streams. They concern the host alone: no driver is called.
//!
//! | command | endpoint | what |
//! |---|---|---|
//! | vkSetReplyCommandStreamMESA, vkSeekReplyCommandStreamMESA | any | where this endpoint's replies go |
//! | vkExecuteCommandStreamsMESA | any, not nested | commands that lie in other shared memory |
//! | vkCreateRingMESA, vkDestroyRingMESA, vkNotifyRingMESA, vkWriteRingExtraMESA | context | rings |
//! | vkSubmitVirtqueueSeqnoMESA, vkWaitRingSeqnoMESA | context | ordering between direct submissions and rings |
//! | vkWaitVirtqueueSeqnoMESA | ring | the same, the other way round |
//!
//! Every violation here is the guest driver's own and ends the context.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use venus_protocol::{
    args::{
        CreateRingMESAArgs, DestroyRingMESAArgs, ExecuteCommandStreamsMESAArgs, NotifyRingMESAArgs,
        SeekReplyCommandStreamMESAArgs, SetReplyCommandStreamMESAArgs, SubmitVirtqueueSeqnoMESAArgs,
        WaitRingSeqnoMESAArgs, WaitVirtqueueSeqnoMESAArgs, WriteRingExtraMESAArgs,
    },
    dispatch::TransportCommands,
    vk,
};

use crate::{
    driver::chain,
    endpoint::{Endpoint, OldGuestSign, Origin, Span, lookup_shmem, shmem_range},
    error::{Fatal, Interrupt},
    limits,
    resource::ResourceId,
    ring::{self, Control, CreateInfo, Layout, Mode, Region, RingId, Settings, WaitError},
};

/// A range of shared memory that holds commands: `VkCommandStreamDescriptionMESA`.
#[derive(Debug, Clone, Copy)]
struct StreamDescription {
    resource: ResourceId,
    offset: u64,
    size: u64,
}

impl From<&vk::CommandStreamDescriptionMESA> for StreamDescription {
    fn from(wire: &vk::CommandStreamDescriptionMESA) -> Self {
        Self { resource: ResourceId(wire.resource_id), offset: bytes(wire.offset), size: bytes(wire.size) }
    }
}

/// A `size_t` of the wire.
fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

impl TransportCommands for Endpoint {
    fn set_reply_command_stream_mesa(&mut self, args: &mut SetReplyCommandStreamMESAArgs<'_>) -> Result<(), Interrupt> {
        self.set_reply_stream(args.p_stream.into())
    }

    fn seek_reply_command_stream_mesa(&mut self, args: &mut SeekReplyCommandStreamMESAArgs) -> Result<(), Interrupt> {
        Ok(self.reply_stream.seek(bytes(args.position))?)
    }

    /// Dependencies and flags only permit what we do anyway: one stream after the other.
    fn execute_command_streams_mesa(&mut self, args: &mut ExecuteCommandStreamsMESAArgs<'_>) -> Result<(), Interrupt> {
        self.execute_streams(args.p_streams.iter().map(StreamDescription::from), args.p_reply_positions)
    }

    fn create_ring_mesa(&mut self, args: &mut CreateRingMESAArgs<'_>) -> Result<(), Interrupt> {
        let info = args.p_create_info;
        let placement = CreateInfo {
            offset: bytes(info.offset),
            size: bytes(info.size),
            head_offset: bytes(info.head_offset),
            tail_offset: bytes(info.tail_offset),
            status_offset: bytes(info.status_offset),
            buffer_offset: bytes(info.buffer_offset),
            buffer_size: bytes(info.buffer_size),
            extra_offset: bytes(info.extra_offset),
            extra_size: bytes(info.extra_size),
        };
        let monitor = chain::find::<vk::RingMonitorInfoMESA<'_>>(info);
        if monitor.is_none() {
            self.note_old_guest(OldGuestSign::Unmonitored);
        }
        let period = monitor.map(|monitor| Duration::from_micros(monitor.max_reporting_period_microseconds.into()));
        // `VkRingPriorityInfoMESA` asks for another scheduling priority of the ring's thread. The host's administrator
        // decides on that, not the guest.
        self.create_ring(
            args.ring,
            ResourceId(info.resource_id),
            &placement,
            Duration::from_nanos(info.idle_timeout),
            period,
        )
    }

    fn destroy_ring_mesa(&mut self, args: &mut DestroyRingMESAArgs) -> Result<(), Interrupt> {
        self.destroy_ring(args.ring)
    }

    /// The sequence number and the flags say nothing that the ring does not find out itself.
    fn notify_ring_mesa(&mut self, args: &mut NotifyRingMESAArgs) -> Result<(), Interrupt> {
        self.notify_ring(args.ring)
    }

    fn write_ring_extra_mesa(&mut self, args: &mut WriteRingExtraMESAArgs) -> Result<(), Interrupt> {
        self.note_old_guest(OldGuestSign::PollsExtra);
        self.write_ring_extra(args.ring, bytes(args.offset), args.value)
    }

    fn submit_virtqueue_seqno_mesa(&mut self, args: &mut SubmitVirtqueueSeqnoMESAArgs) -> Result<(), Interrupt> {
        self.submit_virtqueue_seqno(args.ring, args.seqno)
    }

    fn wait_virtqueue_seqno_mesa(&mut self, args: &mut WaitVirtqueueSeqnoMESAArgs) -> Result<(), Interrupt> {
        self.wait_virtqueue_seqno(args.seqno)
    }

    fn wait_ring_seqno_mesa(&mut self, args: &mut WaitRingSeqnoMESAArgs) -> Result<(), Interrupt> {
        self.wait_ring_seqno(args.ring, args.seqno)
    }
}

impl Endpoint {
    /// Fails unless the command came with a direct submission.
    fn require_context(&self) -> Result<(), Fatal> {
        match self.origin {
            Origin::Direct => Ok(()),
            Origin::Ring(_) => Err(self.fatal("is only legal in a direct submission")),
        }
    }

    /// The ring `id`, for a command of the context.
    fn ring(&self, id: u64) -> Result<Arc<Control>, Fatal> {
        self.require_context()?;
        let ring = self.shared.rings.lookup(RingId(id));
        ring.ok_or_else(|| self.fatal(format!("no ring has id {id:#x}")).member("ring"))
    }

    /// vkSetReplyCommandStreamMESA.
    fn set_reply_stream(&mut self, stream: StreamDescription) -> Result<(), Interrupt> {
        if !self.reply_stream.knows(&self.shared.resources, stream.resource) {
            self.await_resource(stream.resource)?;
        }
        self.reply_stream.set(&self.shared.resources, stream.resource, stream.offset, stream.size)?;
        if let Origin::Ring(ring) = &self.origin {
            ring.reply_resource.store(stream.resource.0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// vkExecuteCommandStreamsMESA. `positions` is as long as `streams`, or empty.
    fn execute_streams(
        &mut self,
        streams: impl ExactSizeIterator<Item = StreamDescription> + Clone,
        positions: &[usize],
    ) -> Result<(), Interrupt> {
        if streams.len() == 0 || streams.len() > limits::INDIRECT_STREAMS {
            let reason = format!("{} is not between 1 and {}", streams.len(), limits::INDIRECT_STREAMS);
            return Err(self.fatal(reason).member("streamCount").into());
        }
        if self.is_indirect() {
            return Err(self.fatal("is not legal inside an indirect stream").into());
        }
        // Before any is executed: a ring that cannot wait begins again with the first.
        for stream in streams.clone().filter(|stream| stream.size != 0) {
            self.await_resource(stream.resource)?;
        }
        let outcome = self.execute_each(streams, positions);
        self.announce_stream(0);
        outcome
    }

    fn execute_each(
        &mut self,
        streams: impl Iterator<Item = StreamDescription>,
        positions: &[usize],
    ) -> Result<(), Interrupt> {
        let mut positions = positions.iter();
        for stream in streams {
            if (self.shared.abandoned)() {
                return Err(Interrupt::Stopped);
            }
            if let Some(position) = positions.next() {
                self.reply_stream.seek(bytes(*position))?;
            }
            if stream.size == 0 {
                continue;
            }
            let (mapping, resource_size) =
                lookup_shmem(&self.shared.resources, stream.resource, self.command(), "pStreams[].resourceId")?;
            let (offset, size) = shmem_range(stream.offset, stream.size, resource_size).ok_or_else(|| {
                let StreamDescription { resource, offset, size } = stream;
                let reason = format!("{size} bytes at {offset} exceed the {resource_size} of resource {resource}");
                self.fatal(reason).member("pStreams[].size")
            })?;
            self.announce_stream(stream.resource.0);
            self.execute_indirect((stream.resource, &mapping), offset, size)?;
        }
        Ok(())
    }

    /// Names the resource that is being executed to those who may destroy it; 0 for none.
    fn announce_stream(&self, resource: u32) {
        if let Origin::Ring(ring) = &self.origin {
            ring.indirect_resource.store(resource, Ordering::Relaxed);
        }
    }

    /// vkCreateRingMESA.
    fn create_ring(
        &mut self,
        id: u64,
        resource: ResourceId,
        info: &CreateInfo,
        idle_timeout: Duration,
        monitor_period: Option<Duration>,
    ) -> Result<(), Interrupt> {
        self.require_context()?;
        if monitor_period == Some(Duration::ZERO) {
            return Err(self
                .fatal("is 0")
                .member("pCreateInfo->pNext<VkRingMonitorInfoMESA>.maxReportingPeriodMicroseconds")
                .into());
        }
        let (mapping, size) =
            lookup_shmem(&self.shared.resources, resource, self.command(), "pCreateInfo->resourceId")?;
        let layout = Layout::new(info, size)?;
        let region = Region::new(mapping, layout).map_err(|error| self.fatal(error.to_string()))?;
        for (member, word) in
            [("pCreateInfo->headOffset", region.published_head()), ("pCreateInfo->statusOffset", region.status())]
        {
            if word != 0 {
                return Err(self.fatal(format!("the word there is {word:#x}, must be 0")).member(member).into());
            }
        }
        let settings = Settings { idle_timeout: idle_timeout.min(limits::RING_IDLE_TIMEOUT), monitor_period };
        let mode = self.shared.rings.mode(self.shared.ring_mode);
        let control = Arc::new(Control::new(RingId(id), region, mode, resource, settings));
        let endpoint = Self::new(Arc::clone(&self.shared), Origin::Ring(Arc::clone(&control)));
        let created = self.shared.rings.create(control, endpoint);
        created.map_err(|error| error.into_fatal(self.command()).into())
    }

    /// vkDestroyRingMESA. The ring has ended and its memory is not touched any more when this returns.
    fn destroy_ring(&mut self, id: u64) -> Result<(), Interrupt> {
        self.ring(id)?;
        self.while_absent("end of ring", |endpoint| {
            endpoint.shared.rings.destroy(RingId(id));
            Ok(())
        })
    }

    /// vkNotifyRingMESA.
    fn notify_ring(&mut self, id: u64) -> Result<(), Interrupt> {
        self.ring(id)?.notify();
        Ok(())
    }

    /// vkWriteRingExtraMESA.
    fn write_ring_extra(&mut self, id: u64, offset: u64, value: u32) -> Result<(), Interrupt> {
        let ring = self.ring(id)?;
        let written = ring.region.write_extra(offset, value);
        written.ok_or_else(|| {
            let reason = format!("no word of the extra region of {} is at {offset}", ring.name());
            self.fatal(reason).member("offset").into()
        })
    }

    /// vkSubmitVirtqueueSeqnoMESA.
    fn submit_virtqueue_seqno(&mut self, id: u64, seqno: u64) -> Result<(), Interrupt> {
        self.ring(id)?.submit_virtqueue_seqno(seqno);
        Ok(())
    }

    /// vkWaitVirtqueueSeqnoMESA.
    fn wait_virtqueue_seqno(&mut self, seqno: u64) -> Result<(), Interrupt> {
        let Origin::Ring(ring) = &self.origin else {
            return Err(self.fatal("is only legal on a ring").into());
        };
        if ring.virtqueue_reached(seqno) {
            return Ok(());
        }
        if matches!(ring.mode, Mode::Polled | Mode::Shared) {
            return Err(Interrupt::Blocked);
        }
        let ring = Arc::clone(ring);
        self.while_absent("direct submission", |endpoint| {
            ring.wait_virtqueue_seqno(seqno, || endpoint.shared.is_lost())
        })
    }

    /// vkWaitRingSeqnoMESA. Only the low 32 bits of the sequence number count.
    fn wait_ring_seqno(&mut self, id: u64, seqno: u64) -> Result<(), Interrupt> {
        let ring = self.ring(id)?;
        let seqno = u32::try_from(seqno & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        if ring.has_consumed(seqno) {
            return Ok(());
        }
        let outcome = match ring.mode {
            Mode::Thread | Mode::Shared | Mode::Fed => self.while_absent("ring position", |endpoint| {
                let shared = &endpoint.shared;
                Ok(ring.wait_consumed(seqno, || shared.is_lost(), || (shared.abandoned)()))
            })?,
            Mode::Polled => self.poll_until_consumed(&ring, seqno),
        };
        match outcome {
            Ok(()) => Ok(()),
            // If the context is lost, it is so for a better reason than this.
            Err(WaitError::Ended) if self.shared.is_lost() || (self.shared.abandoned)() => Err(Interrupt::Stopped),
            Err(WaitError::Ended) => Err(self.fatal(format!("{} ended before position {seqno}", ring.name())).into()),
            Err(WaitError::Deadlock) => {
                let reason = format!(
                    "{} does not reach position {seqno}: it waits for a later direct submission, or nothing is in it",
                    ring.name()
                );
                Err(self.fatal(reason).into())
            }
        }
    }

    /// The wait of a context whose rings have no threads: nobody else is going to execute the commands waited for.
    fn poll_until_consumed(&mut self, ring: &Control, seqno: u32) -> Result<(), WaitError> {
        self.while_absent("ring position", |endpoint| {
            let progress = endpoint.shared.rings.poll_one(ring.id);
            Ok(match progress {
                _ if ring.has_consumed(seqno) => Ok(()),
                Some(ring::Progress::Ended) | None => Err(WaitError::Ended),
                Some(_) => Err(WaitError::Deadlock),
            })
        })
        .unwrap_or(Err(WaitError::Ended))
    }

    /// Runs something that may take long and holds no object, without keeping others from freeing theirs.
    /// `what` is waited for.
    pub(super) fn while_absent<T>(
        &mut self,
        what: &'static str,
        run: impl FnOnce(&Self) -> Result<T, Interrupt>,
    ) -> Result<T, Interrupt> {
        self.shared.objects.leave(&mut self.presence);
        let outcome = self.within(Span::Wait(what), run);
        self.shared.objects.enter(&mut self.presence);
        outcome
    }
}
