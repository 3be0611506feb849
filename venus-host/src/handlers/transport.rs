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
    context::{
        Dispatcher, Endpoint,
        age::Sign,
        interpreter::{Indirect, Interpreter},
        reply::{lookup_shmem, shmem_range},
    },
    driver::chain,
    endpoint::Span,
    error::{Fatal, HostError},
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

impl TransportCommands for Dispatcher {
    fn set_reply_command_stream_mesa(&mut self, args: &mut SetReplyCommandStreamMESAArgs<'_>) -> Result<(), HostError> {
        self.set_reply_stream(args.p_stream.into())
    }

    fn seek_reply_command_stream_mesa(&mut self, args: &mut SeekReplyCommandStreamMESAArgs) -> Result<(), HostError> {
        Ok(self.reply_stream.seek(bytes(args.position))?)
    }

    /// Dependencies and flags only permit what we do anyway: one stream after the other.
    fn execute_command_streams_mesa(&mut self, args: &mut ExecuteCommandStreamsMESAArgs<'_>) -> Result<(), HostError> {
        self.execute_streams(args.p_streams.iter().map(StreamDescription::from), args.p_reply_positions)
    }

    fn create_ring_mesa(&mut self, args: &mut CreateRingMESAArgs<'_>) -> Result<(), HostError> {
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
            self.note_age(Sign::Unmonitored);
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

    fn destroy_ring_mesa(&mut self, args: &mut DestroyRingMESAArgs) -> Result<(), HostError> {
        self.destroy_ring(args.ring)
    }

    /// The sequence number and the flags say nothing that the ring does not find out itself.
    fn notify_ring_mesa(&mut self, args: &mut NotifyRingMESAArgs) -> Result<(), HostError> {
        self.notify_ring(args.ring)
    }

    fn write_ring_extra_mesa(&mut self, args: &mut WriteRingExtraMESAArgs) -> Result<(), HostError> {
        self.note_age(Sign::PollsExtra);
        self.write_ring_extra(args.ring, bytes(args.offset), args.value)
    }

    fn submit_virtqueue_seqno_mesa(&mut self, args: &mut SubmitVirtqueueSeqnoMESAArgs) -> Result<(), HostError> {
        self.submit_virtqueue_seqno(args.ring, args.seqno)
    }

    fn wait_virtqueue_seqno_mesa(&mut self, args: &mut WaitVirtqueueSeqnoMESAArgs) -> Result<(), HostError> {
        self.wait_virtqueue_seqno(args.seqno)
    }

    fn wait_ring_seqno_mesa(&mut self, args: &mut WaitRingSeqnoMESAArgs) -> Result<(), HostError> {
        self.wait_ring_seqno(args.ring, args.seqno)
    }
}

impl Dispatcher {
    /// Fails unless the command came with a direct submission.
    fn require_context(&self, command: &'static str) -> Result<(), HostError> {
        match self.endpoint {
            Endpoint::Context => Ok(()),
            Endpoint::Ring(_) => Err(Fatal::new(command, "is only legal in a direct submission").into()),
        }
    }

    /// The ring `id`, for a command of the context.
    fn ring(&self, command: &'static str, id: u64) -> Result<Arc<Control>, HostError> {
        self.require_context(command)?;
        let ring = self.shared.rings.lookup(RingId(id));
        ring.ok_or_else(|| Fatal::new(command, format!("no ring has id {id:#x}")).member("ring").into())
    }

    /// vkSetReplyCommandStreamMESA.
    fn set_reply_stream(&mut self, stream: StreamDescription) -> Result<(), HostError> {
        self.reply_stream.set(&self.shared.resources, stream.resource, stream.offset, stream.size)?;
        if let Endpoint::Ring(ring) = &self.endpoint {
            ring.reply_resource.store(stream.resource.0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// vkExecuteCommandStreamsMESA. `positions` is as long as `streams`, or empty.
    fn execute_streams(
        &mut self,
        streams: impl ExactSizeIterator<Item = StreamDescription>,
        positions: &[usize],
    ) -> Result<(), HostError> {
        const COMMAND: &str = "vkExecuteCommandStreamsMESA";
        if streams.len() == 0 || streams.len() > limits::INDIRECT_STREAMS {
            let reason = format!("{} is not between 1 and {}", streams.len(), limits::INDIRECT_STREAMS);
            return Err(Fatal::new(COMMAND, reason).member("streamCount").into());
        }
        let Some(mut indirect) = self.indirect.take() else {
            return Err(Fatal::new(COMMAND, "is not legal inside an indirect stream").into());
        };
        let outcome = self.execute_streams_with(&mut indirect, streams, positions);
        Indirect::announce(&self.endpoint, 0);
        self.indirect = Some(indirect);
        outcome
    }

    fn execute_streams_with(
        &mut self,
        indirect: &mut Indirect,
        streams: impl Iterator<Item = StreamDescription>,
        positions: &[usize],
    ) -> Result<(), HostError> {
        const COMMAND: &str = "vkExecuteCommandStreamsMESA";
        let shared = Arc::clone(&self.shared);
        let mut positions = positions.iter();
        for stream in streams {
            if (shared.abandoned)() {
                return Err(HostError::Stopped);
            }
            if let Some(position) = positions.next() {
                self.reply_stream.seek(bytes(*position))?;
            }
            if stream.size == 0 {
                continue;
            }
            let (mapping, resource_size) =
                lookup_shmem(&shared.resources, stream.resource, COMMAND, "pStreams[].resourceId")?;
            let (offset, size) = shmem_range(stream.offset, stream.size, resource_size)
                .filter(|_| stream.size <= limits::INDIRECT_STREAM_BYTES)
                .ok_or_else(|| {
                    let StreamDescription { resource, offset, size } = stream;
                    let reason = format!(
                        "{size} bytes at {offset} exceed resource {resource} of {resource_size} bytes, or the limit"
                    );
                    Fatal::new(COMMAND, reason).member("pStreams[].size")
                })?;
            Indirect::announce(&self.endpoint, stream.resource.0);
            indirect.execute(&shared, self, (stream.resource, &mapping), offset, size)?;
        }
        Ok(())
    }

    /// vkCreateRingMESA.
    fn create_ring(
        &mut self,
        id: u64,
        resource: ResourceId,
        info: &CreateInfo,
        idle_timeout: Duration,
        monitor_period: Option<Duration>,
    ) -> Result<(), HostError> {
        const COMMAND: &str = "vkCreateRingMESA";
        self.require_context(COMMAND)?;
        if monitor_period == Some(Duration::ZERO) {
            return Err(Fatal::new(COMMAND, "is 0")
                .member("pCreateInfo->pNext<VkRingMonitorInfoMESA>.maxReportingPeriodMicroseconds")
                .into());
        }
        let (mapping, size) = lookup_shmem(&self.shared.resources, resource, COMMAND, "pCreateInfo->resourceId")?;
        let layout = Layout::new(info, size)?;
        let region = Region::new(mapping, layout).map_err(|error| Fatal::new(COMMAND, error.to_string()))?;
        for (member, word) in
            [("pCreateInfo->headOffset", region.published_head()), ("pCreateInfo->statusOffset", region.status())]
        {
            if word != 0 {
                return Err(Fatal::new(COMMAND, format!("the word there is {word:#x}, must be 0"))
                    .member(member)
                    .into());
            }
        }
        let settings = Settings { idle_timeout: idle_timeout.min(limits::RING_IDLE_TIMEOUT), monitor_period };
        let control = Arc::new(Control::new(RingId(id), region, self.shared.ring_mode, resource, settings));
        let interpreter = Interpreter::new(Arc::clone(&self.shared), Endpoint::Ring(Arc::clone(&control)));
        self.shared.rings.create(control, interpreter)
    }

    /// vkDestroyRingMESA. The ring has ended and its memory is not touched any more when this returns.
    fn destroy_ring(&mut self, id: u64) -> Result<(), HostError> {
        const COMMAND: &str = "vkDestroyRingMESA";
        self.ring(COMMAND, id)?;
        self.while_absent("end of ring", |dispatcher| {
            dispatcher.shared.rings.destroy(RingId(id));
            Ok(())
        })
    }

    /// vkNotifyRingMESA.
    fn notify_ring(&mut self, id: u64) -> Result<(), HostError> {
        self.ring("vkNotifyRingMESA", id)?.notify();
        Ok(())
    }

    /// vkWriteRingExtraMESA.
    fn write_ring_extra(&mut self, id: u64, offset: u64, value: u32) -> Result<(), HostError> {
        const COMMAND: &str = "vkWriteRingExtraMESA";
        let ring = self.ring(COMMAND, id)?;
        let written = ring.region.write_extra(offset, value);
        written.ok_or_else(|| {
            let reason = format!("no word of the extra region of {} is at {offset}", ring.name());
            Fatal::new(COMMAND, reason).member("offset").into()
        })
    }

    /// vkSubmitVirtqueueSeqnoMESA.
    fn submit_virtqueue_seqno(&mut self, id: u64, seqno: u64) -> Result<(), HostError> {
        self.ring("vkSubmitVirtqueueSeqnoMESA", id)?.submit_virtqueue_seqno(seqno);
        Ok(())
    }

    /// vkWaitVirtqueueSeqnoMESA.
    fn wait_virtqueue_seqno(&mut self, seqno: u64) -> Result<(), HostError> {
        let Endpoint::Ring(ring) = &self.endpoint else {
            return Err(Fatal::new("vkWaitVirtqueueSeqnoMESA", "is only legal on a ring").into());
        };
        if ring.virtqueue_reached(seqno) {
            return Ok(());
        }
        if ring.mode == Mode::Polled {
            return Err(HostError::Blocked);
        }
        let ring = Arc::clone(ring);
        self.while_absent("direct submission", |dispatcher| {
            ring.wait_virtqueue_seqno(seqno, || dispatcher.shared.fatal.is_set())
        })
    }

    /// vkWaitRingSeqnoMESA. Only the low 32 bits of the sequence number count.
    fn wait_ring_seqno(&mut self, id: u64, seqno: u64) -> Result<(), HostError> {
        const COMMAND: &str = "vkWaitRingSeqnoMESA";
        let ring = self.ring(COMMAND, id)?;
        let seqno = u32::try_from(seqno & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        if ring.has_consumed(seqno) {
            return Ok(());
        }
        let outcome = match ring.mode {
            Mode::Thread | Mode::Fed => self.while_absent("ring position", |dispatcher| {
                let shared = &dispatcher.shared;
                Ok(ring.wait_consumed(seqno, || shared.fatal.is_set(), || (shared.abandoned)()))
            })?,
            Mode::Polled => self.poll_until_consumed(&ring, seqno),
        };
        match outcome {
            Ok(()) => Ok(()),
            // If the context is lost, it is so for a better reason than this.
            Err(WaitError::Ended) if self.shared.fatal.is_set() || (self.shared.abandoned)() => Err(HostError::Stopped),
            Err(WaitError::Ended) => {
                Err(Fatal::new(COMMAND, format!("{} ended before position {seqno}", ring.name())).into())
            }
            Err(WaitError::Deadlock) => {
                let reason = format!(
                    "{} does not reach position {seqno}: it waits for a later direct submission, or nothing is in it",
                    ring.name()
                );
                Err(Fatal::new(COMMAND, reason).into())
            }
        }
    }

    /// The wait of a context whose rings have no threads: nobody else is going to execute the commands waited for.
    fn poll_until_consumed(&mut self, ring: &Control, seqno: u32) -> Result<(), WaitError> {
        self.while_absent("ring position", |dispatcher| {
            let progress = dispatcher.shared.rings.poll_one(ring.id);
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
    fn while_absent<T>(
        &mut self,
        what: &'static str,
        run: impl FnOnce(&Self) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        self.shared.objects.leave(&mut self.presence);
        let outcome = self.within(Span::Wait(what), run);
        self.shared.objects.enter(&mut self.presence);
        outcome
    }
}
