//! Commands that are not executed, without an end of the context: those that name what the guest takes for an object and
//! what is none (`object/phantoms.rs`), those that name nothing where Vulkan asks for an object, and those that a handler
//! refuses.
//!
//! The decoder refuses a command that names a phantom before anything of it was executed. Here it gets a second look,
//! which no other command pays for:
//!
//! | command | what becomes of it |
//! |---|---|
//! | destroys or frees | executed: the handler knows phantoms |
//! | vkQueueSubmit, vkQueueSubmit2 | executed without the command buffers and semaphores that are phantoms |
//! | vkQueueBindSparse | executed without the resources and semaphores that are phantoms, and without memory where that is one |
//! | begins or resets a command buffer that was set aside, or writes to a descriptor set what it has missed | that is taken back into use first |
//! | derives a pipeline from a phantom | executed without that hint |
//! | binds memory to several resources, or writes several descriptors | executed without those parts; its result is as below |
//! | any other | left out; its result is the one that the phantom got |
//!
//! A command that its handler has refused, for a length that does not fit, say, is left out in the same way. So is one in
//! which the decoder has found a null handle where Vulkan asks for an object, but for submissions: of those the rest is
//! executed, as with phantoms.
//!
//! What a left-out command should have created is a phantom, too. What it should have changed is set aside: the command
//! buffer, the buffer or image without memory, the descriptor set. The log tells once of each phantom that is met.

use std::collections::BTreeSet;

use venus_protocol::{
    dispatch::{self, Visitor},
    vk,
    wire::{Arena, Command, CommandHeader, CommandType, DecodeErrorKind, Decoder, Encoder, HandleError, Returned as _},
};

use super::{
    explain::explain,
    request::{Name, Request},
};
use crate::{
    endpoint::{Endpoint, Shared, Shortfall},
    error::{Fatal, INVALID, Interrupt, MEMORY_NOT_ASKED_FOR, Refused, ResultName, hint},
    object::{Cause, LenientResolver, Missed, PhantomView, ResolveCache},
};

/// What decoding and answering takes.
pub(super) struct Tools<'a> {
    pub(super) shared: &'a Shared,
    pub(super) arena: &'a Arena,
    pub(super) resolved: &'a ResolveCache,
    pub(super) reply: &'a mut Encoder,
}

/// Whether the decoder refused a command for a handle, and for this reason.
fn has_handle(interrupt: &Interrupt, reason: HandleError) -> bool {
    let Interrupt::Undecodable(error) = interrupt else { return false };
    matches!(error.kind, DecodeErrorKind::Handle { error, .. } if error == reason)
}

/// Writes the reply of a command that is not executed.
struct Answer<'a> {
    result: vk::Result,
    reply: &'a mut Encoder,
}

impl Visitor for Answer<'_> {
    type Output = ();

    fn visit<'a, C: Command<'a>>(&mut self, header: CommandHeader, args: C) {
        if header.wants_reply() {
            C::encode_reply(self.reply, &args.reply(C::Return::unexecuted(self.result)));
        }
    }
}

/// Whether the command ends what it names.
fn destroys(command: CommandType) -> bool {
    let name = command.name();
    name.starts_with("vkDestroy") || name.starts_with("vkFree")
}

/// An interrupt of a command that was decoded by itself, with positions as in the stream where it begins at byte `at`.
fn moved(interrupt: Interrupt, at: usize) -> Interrupt {
    match interrupt {
        Interrupt::Undecodable(mut error) => {
            error.offset = error.offset.saturating_add(at);
            Interrupt::Undecodable(error)
        }
        other => other,
    }
}

impl Endpoint {
    /// Finds out whether the context can go on after the command at byte `at` of `stream`, which was interrupted. If so,
    /// returns where the next one starts.
    #[cold]
    pub(super) fn look_again(
        &mut self,
        tools: &mut Tools<'_>,
        (stream, at): (&[u8], usize),
        interrupt: Interrupt,
    ) -> Result<usize, Interrupt> {
        let is_null = has_handle(&interrupt, HandleError::Null);
        if !is_null && !has_handle(&interrupt, HandleError::Phantom) && !matches!(interrupt, Interrupt::Refused(_)) {
            return Err(interrupt);
        }
        let Some(request) = Request::of(stream.get(at..).unwrap_or_default()) else { return Err(interrupt) };
        let outcome = match interrupt {
            Interrupt::Refused(_) => Err(interrupt),
            null if is_null => {
                let why = explain(null, self.protocol, &tools.shared.objects, stream, at);
                self.execute_without_nulls(tools, &request, why)
            }
            _ => self.execute_without_phantoms(tools, &request),
        };
        // A null handle behind a phantom is found now, in bytes that may not be the guest's.
        let outcome = match outcome {
            Err(null) if has_handle(&null, HandleError::Null) => {
                let why = explain(moved(null, at), self.protocol, &tools.shared.objects, &[], at);
                self.execute_without_nulls(tools, &request, why)
            }
            outcome => outcome,
        };
        match outcome {
            Err(Interrupt::Refused(refused)) => self.leave_out_refused(tools, &request, *refused),
            outcome => outcome,
        }
        .map_err(|interrupt| moved(interrupt, at))?;
        Ok(at.saturating_add(request.bytes.len()))
    }

    /// Executes a submission as far as that can be done without what is null; refuses any other command. `why` is what
    /// would end the context.
    fn execute_without_nulls(
        &mut self,
        tools: &mut Tools<'_>,
        request: &Request<'_>,
        why: Interrupt,
    ) -> Result<(), Interrupt> {
        let reason = why.into_fatal(request.header.command.name());
        if can_submit(request.header.command) {
            tools.shared.log_failure(&self.locate(reason));
            return self.execute_rest(tools, request);
        }
        self.begin_unhandled(request.header, request.bytes);
        Err(Refused { result: INVALID, reason }.into())
    }

    /// Executes a command as far as that can be done without phantoms.
    fn execute_without_phantoms(&mut self, tools: &mut Tools<'_>, request: &Request<'_>) -> Result<(), Interrupt> {
        let missed = self.take_back(tools.shared, request)?;
        let owner = request.owner().map(|owner| owner.id);
        let still = still_missed(tools.shared, request, missed);
        let outcome = self.execute_rest(tools, request);
        still.iter().for_each(|missed| tools.shared.objects.miss(owner, missed));
        outcome
    }

    /// Takes what was set aside back into use, if the command makes it whole, or may do so. Answers what sets have missed.
    fn take_back(&mut self, shared: &Shared, request: &Request<'_>) -> Result<Vec<Missed>, Interrupt> {
        match request.header.command {
            CommandType::BEGIN_COMMAND_BUFFER | CommandType::RESET_COMMAND_BUFFER => {
                request.owner().map_or(Ok(()), |owner| self.restore_command_buffer(owner.id))?;
                Ok(Vec::new())
            }
            CommandType::UPDATE_DESCRIPTOR_SETS => {
                Ok(request.writes().filter_map(|(set, ..)| shared.objects.restore_set(set.id)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn execute_rest(&mut self, tools: &mut Tools<'_>, request: &Request<'_>) -> Result<(), Interrupt> {
        let command = request.header.command;
        let phantoms = request.phantoms(&tools.shared.objects);
        let has_owner = !phantoms.iter().any(|(name, _)| request.owner().is_some_and(|owner| owner.at == name.at));
        let is_base = |(name, _): &(Name, PhantomView)| name.member.name == "basePipelineHandle";
        if !destroys(command) {
            self.tell_of(tools.shared, request, &phantoms);
        }
        if has_owner && can_submit(command) {
            self.execute_leniently(tools, request.bytes)
        } else if phantoms.is_empty() {
            self.execute_again(tools, request.bytes)
        } else if has_owner && phantoms.iter().all(is_base) {
            self.execute_again(tools, &request.without_bases(&phantoms))
        } else if has_owner && destroys(command) {
            self.execute_leniently(tools, request.bytes)
        } else {
            let parts = phantoms.iter().filter_map(|(name, _)| name.part).collect();
            match request.without_parts(&parts).filter(|_| has_owner) {
                Some(rest) => self.execute_parts(tools, request, &rest, (&phantoms, &parts)),
                None => self.leave_out(tools, request, &phantoms),
            }
        }
    }

    /// Executes what is left of a command without the parts that name phantoms, and answers as if nothing was.
    fn execute_parts(
        &mut self,
        tools: &mut Tools<'_>,
        request: &Request<'_>,
        rest: &[u8],
        (phantoms, parts): (&[(Name, PhantomView)], &BTreeSet<usize>),
    ) -> Result<(), Interrupt> {
        self.execute_again(tools, rest)?;
        self.fall_short(Shortfall::Refused);
        answer(tools, request, answer_to(phantoms), Some(parts))
    }

    /// Executes what names objects only.
    fn execute_again(&mut self, tools: &mut Tools<'_>, bytes: &[u8]) -> Result<(), Interrupt> {
        let resolver = tools.shared.objects.cached(tools.resolved);
        let mut decoder = Decoder::new(bytes, tools.arena, &resolver).at_level(self.protocol);
        dispatch::dispatch(self, &mut decoder, tools.reply).map(drop)
    }

    /// Executes a command whose handler knows phantoms. They are null handles.
    fn execute_leniently(&mut self, tools: &mut Tools<'_>, bytes: &[u8]) -> Result<(), Interrupt> {
        let resolver = LenientResolver(tools.shared.objects.cached(tools.resolved));
        let mut decoder = Decoder::new(bytes, tools.arena, &resolver).at_level(self.protocol);
        self.is_lenient = true;
        let outcome = dispatch::dispatch(self, &mut decoder, tools.reply);
        self.is_lenient = false;
        outcome.map(drop)
    }

    /// Answers a command that is not executed.
    fn leave_out(
        &mut self,
        tools: &mut Tools<'_>,
        request: &Request<'_>,
        phantoms: &[(Name, PhantomView)],
    ) -> Result<(), Interrupt> {
        answer(tools, request, answer_to(phantoms), None)?;
        self.begin_unhandled(request.header, request.bytes);
        self.fall_short(Shortfall::Refused);
        self.note_left_out(|| phantoms.first().map_or_else(String::new, |(_, phantom)| phantom.to_string()));
        Ok(())
    }

    /// Leaves out a command that its handler has refused.
    fn leave_out_refused(
        &mut self,
        tools: &mut Tools<'_>,
        request: &Request<'_>,
        refused: Refused,
    ) -> Result<(), Interrupt> {
        self.fall_short(Shortfall::Refused);
        let Refused { result, mut reason } = refused;
        reason.reason = format!("{}; refused with {}", reason.reason, ResultName(result)).into();
        self.note_left_out(|| reason.reason.to_string());
        tools.shared.log_failure(&self.locate(reason));
        answer(tools, request, result, None)
    }

    /// Has observers told why the current command is not executed.
    fn note_left_out(&mut self, reason: impl FnOnce() -> String) {
        if self.observers.is_some() {
            self.left_out = Some(reason());
        }
    }

    /// Tells the log of phantoms that it does not know yet.
    fn tell_of(&self, shared: &Shared, request: &Request<'_>, phantoms: &[(Name, PhantomView)]) {
        for (name, phantom) in phantoms.iter().filter(|(name, _)| shared.objects.is_news(name.id)) {
            let member = venus_protocol::reflect::path(request.bytes, name.at);
            let reason = format!("{phantom}; what uses it is left out");
            let line = Fatal::new(request.header.command.name(), reason).advice(advice(phantom));
            let line = match member {
                Some(member) => line.member(member),
                None => line,
            };
            shared.log_failure(&self.locate(line));
        }
    }
}

/// Whether the command is a submission, of which the rest is executed: somebody may wait for what it signals.
fn can_submit(command: CommandType) -> bool {
    matches!(command, CommandType::QUEUE_SUBMIT | CommandType::QUEUE_SUBMIT2 | CommandType::QUEUE_BIND_SPARSE)
}

/// What a command is answered that names these.
fn answer_to(phantoms: &[(Name, PhantomView)]) -> vk::Result {
    phantoms.first().map_or(vk::Result::ERROR_UNKNOWN, |(_, phantom)| phantom.cause.answer())
}

/// Answers a command that is not executed, or some parts of which are not, and writes down what follows from that.
fn answer(
    tools: &mut Tools<'_>,
    request: &Request<'_>,
    result: vk::Result,
    parts: Option<&BTreeSet<usize>>,
) -> Result<(), Interrupt> {
    let bytes = request.without_new_ids();
    let resolver = LenientResolver(tools.shared.objects.cached(tools.resolved));
    let mut decoder = Decoder::new(&bytes, tools.arena, &resolver).at_level(tools.shared.vulkan.config().protocol);
    dispatch::visit_command(&mut Answer { result, reply: tools.reply }, &mut decoder)?;
    note_consequences(tools.shared, request, result, parts);
    Ok(())
}

/// Writes down what must not be used any more because a command was left out.
fn note_consequences(shared: &Shared, request: &Request<'_>, result: vk::Result, parts: Option<&BTreeSet<usize>>) {
    let command = request.header.command;
    if destroys(command) {
        request.used().for_each(|name| shared.objects.forget_phantom(name.kind, name.id));
    }
    let device = request.owner().map_or(0, |owner| owner.id);
    for name in request.created() {
        shared.objects.record_uncreated(name.kind, device, &[name.id], Cause::never_created(command.name(), result));
    }
    let cause = Cause { command: command.name(), result, is_invalidated: true };
    let owner = request.owner().filter(|owner| owner.kind == vk::ObjectType::DEVICE).map(|owner| owner.id);
    let is_left_out = |name: &&Name| parts.is_none_or(|parts| name.part.is_some_and(|part| parts.contains(&part)));
    for name in request.used().filter(is_left_out).filter(|name| invalidates(command, request, name)) {
        shared.objects.set_aside(name.kind, name.id, owner, cause);
    }
    for (name, _, binding) in request.writes().filter(|(name, ..)| is_left_out(name)) {
        shared.objects.miss(owner, &Missed { set: name.id, cause, bindings: BTreeSet::from([binding]) });
    }
}

/// What sets miss after this command, of what they have missed before it.
fn still_missed(shared: &Shared, request: &Request<'_>, mut missed: Vec<Missed>) -> Vec<Missed> {
    if missed.is_empty() {
        return missed;
    }
    let phantoms = request.phantoms(&shared.objects);
    let left_out: BTreeSet<_> = phantoms.iter().filter_map(|(name, _)| name.part).collect();
    let written: BTreeSet<_> = request
        .writes()
        .filter(|(_, part, _)| !left_out.contains(part))
        .map(|(name, _, binding)| (name.id, binding))
        .collect();
    for Missed { set, bindings, .. } in &mut missed {
        bindings.retain(|binding| !written.contains(&(*set, *binding)));
    }
    missed
}

/// Whether the command, left out, leaves an object in a state that nobody can use.
fn invalidates(command: CommandType, request: &Request<'_>, name: &Name) -> bool {
    match command {
        CommandType::BIND_BUFFER_MEMORY | CommandType::BIND_BUFFER_MEMORY2 => name.kind == vk::ObjectType::BUFFER,
        CommandType::BIND_IMAGE_MEMORY | CommandType::BIND_IMAGE_MEMORY2 => name.kind == vk::ObjectType::IMAGE,
        // Sets are: see `note_consequences`.
        CommandType::UPDATE_DESCRIPTOR_SETS => false,
        _ => {
            let is_owner = request.owner().is_some_and(|owner| owner.at == name.at);
            let records = command.name().starts_with("vkCmd") || command == CommandType::BEGIN_COMMAND_BUFFER;
            is_owner && records
        }
    }
}

/// What a person can do about a phantom that a guest uses.
fn advice(phantom: &PhantomView) -> &'static str {
    match phantom.kind {
        vk::ObjectType::DEVICE_MEMORY => MEMORY_NOT_ASKED_FOR,
        vk::ObjectType::BUFFER => {
            "its driver does not ask whether the buffer was created: start it with VN_PERF=no_async_buffer_create"
        }
        vk::ObjectType::IMAGE => {
            "its driver does not ask whether the image was created: start it with VN_PERF=no_async_image_create"
        }
        vk::ObjectType::DESCRIPTOR_SET => {
            "its driver does not ask whether the set was allocated: start it with VN_PERF=no_async_set_alloc"
        }
        vk::ObjectType::PIPELINE => {
            "the host's driver does not take the pipeline, and the guest's does not ask: threads that create pipelines \
             and do nothing else are told; --validate says what is wrong with it"
        }
        _ => hint(phantom.cause.result),
    }
}
