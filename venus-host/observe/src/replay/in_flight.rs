//! Submissions that are still executing, and commands that have to wait for them.
//!
//! A guest need not ask the host when its work is done: Mesa lets the GPU write that to memory and looks there. So it
//! is not in the recording, but later commands rely on it: the program resets a fence, records a command buffer anew or
//! destroys an object because it knows that the GPU no longer uses it. A replay may be faster than the GPU. It
//! therefore puts a fence of its own behind every submission, and such commands wait for it:
//!
//! | command | waits for |
//! |---|---|
//! | vkBeginCommandBuffer, vkResetCommandBuffer, vkFreeCommandBuffers | the last submission of these command buffers |
//! | vkQueueSubmit, vkQueueSubmit2 | the same, unless they may be used several times at once |
//! | vkResetFences | the last submission that signals these fences |
//! | everything else that destroys, frees, resets or overwrites | all submissions |
//!
//! The last row waits for more than it has to, since what is destroyed may not be in use. If a submission itself waits
//! for something that the guest does only later, the wait ends after [`LIMIT`] and is not repeated.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use venus_host::context::Feed;
use venus_protocol::{reflect::value::Request, vk, wire::CommandType};

use super::request;

/// How long a command waits for work at most. Work of a CPU driver takes seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// Most submissions that execute at a time. Each costs a fence of the driver.
const SUBMISSIONS: usize = 256;

/// `VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT`.
const SIMULTANEOUS_USE: u64 = 0x4;

/// Commands that overwrite what a submission may be using, besides those whose names say that they destroy, free or
/// reset.
const OVERWRITING: &[CommandType] = &[
    CommandType::UPDATE_DESCRIPTOR_SETS,
    CommandType::COPY_MEMORY_TO_IMAGE_MESA,
    CommandType::COPY_IMAGE_TO_MEMORY_MESA,
    CommandType::COPY_IMAGE_TO_IMAGE,
    CommandType::TRANSITION_IMAGE_LAYOUT,
];

/// The executing submissions of one context.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// How many submissions are pending; read before each command without the lock.
    pending: AtomicUsize,
    finished: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    pending: BTreeSet<u64>,
    /// The last submission that uses a command buffer or signals a fence.
    last_use: BTreeMap<u64, u64>,
    simultaneous: BTreeSet<u64>,
    /// The timeline of each queue.
    ring_idx: BTreeMap<u64, u32>,
    given_up: u64,
}

/// What a command has to wait for.
#[derive(Debug, PartialEq, Eq)]
enum Wait {
    Nothing,
    LastUse(Vec<u64>),
    All,
}

impl InFlight {
    /// Waits for the submissions that a command must not disturb.
    pub(super) fn before(&self, command: CommandType, bytes: &[u8]) {
        if command == CommandType::BEGIN_COMMAND_BUFFER {
            self.note_usage(bytes);
        }
        if self.shared.pending.load(Ordering::Acquire) == 0 {
            return;
        }
        let state = self.shared.state.lock();
        let wanted: BTreeSet<u64> = match waits_for(command, bytes) {
            Wait::Nothing => return,
            Wait::All => state.pending.clone(),
            Wait::LastUse(ids) => {
                let is_submit = is_submission(command);
                let counts = |id: &&u64| !(is_submit && state.simultaneous.contains(*id));
                ids.iter().filter(counts).filter_map(|id| state.last_use.get(id).copied()).collect()
            }
        };
        drop(state);
        self.wait_for(&wanted);
    }

    /// Waits for submissions. False if they take too long; they are not waited for again.
    pub(super) fn wait_for(&self, wanted: &BTreeSet<u64>) -> bool {
        let since = Instant::now();
        let mut state = self.shared.state.lock();
        while wanted.iter().any(|submission| state.pending.contains(submission)) {
            if self.shared.finished.wait_for(&mut state, LIMIT.saturating_sub(since.elapsed())).timed_out() {
                let late: Vec<u64> = wanted.iter().copied().filter(|one| state.pending.remove(one)).collect();
                state.given_up = state.given_up.saturating_add(late.len() as u64);
                self.shared.pending.fetch_sub(late.len(), Ordering::Release);
                return late.is_empty();
            }
        }
        true
    }

    /// Waits for everything, with the same limit.
    pub(super) fn wait_for_all(&self) -> bool {
        let pending = self.shared.state.lock().pending.clone();
        self.wait_for(&pending)
    }

    /// Submissions that were not waited for to the end.
    pub(super) fn given_up(&self) -> u64 {
        self.shared.state.lock().given_up
    }

    /// Notes a command that was executed. Returns the number of its submission, if it is one.
    pub(super) fn after(&self, command: CommandType, bytes: &[u8], feed: &Feed) -> Option<u64> {
        if command == CommandType::GET_DEVICE_QUEUE2 {
            self.note_queue(bytes);
        }
        if !is_submission(command) {
            return None;
        }
        let request = Request::read(bytes).ok()?;
        let mut state = self.shared.state.lock();
        let ring_idx = *state.ring_idx.get(&request::param_number(&request, "queue")?)?;
        let submission = state.next;
        state.next = state.next.saturating_add(1);
        for kind in [vk::ObjectType::COMMAND_BUFFER, vk::ObjectType::FENCE] {
            let used = request::handles(&request.params, kind);
            state.last_use.extend(used.into_iter().map(|id| (id, submission)));
        }
        state.pending.insert(submission);
        self.shared.pending.fetch_add(1, Ordering::Release);
        let is_full = state.pending.len() > SUBMISSIONS;
        drop(state);
        let shared = Arc::clone(&self.shared);
        if let Err(error) = feed.create_fence(ring_idx, Box::new(move |_| shared.finish(submission))) {
            tracing::debug!("cannot tell when a submission is done: {error}");
        }
        if is_full {
            self.wait_for_all();
        }
        Some(submission)
    }

    fn note_queue(&self, bytes: &[u8]) {
        let Ok(request) = Request::read(bytes) else { return };
        let info = request::param(&request, "pQueueInfo");
        let timeline = info
            .and_then(|info| info.chain.iter().find_map(|node| u32::try_from(request::member(node, "ringIdx")?).ok()));
        if let (Some(queue), Some(ring_idx)) = (request::param_number(&request, "pQueue"), timeline) {
            self.shared.state.lock().ring_idx.insert(queue, ring_idx);
        }
    }

    fn note_usage(&self, bytes: &[u8]) {
        let Ok(request) = Request::read(bytes) else { return };
        let Some(id) = request::param_number(&request, "commandBuffer") else { return };
        let flags = request::param(&request, "pBeginInfo").and_then(|info| request::member(info, "flags"));
        let mut state = self.shared.state.lock();
        if flags.unwrap_or(0) & SIMULTANEOUS_USE == 0 {
            state.simultaneous.remove(&id);
        } else {
            state.simultaneous.insert(id);
        }
    }
}

impl Shared {
    fn finish(&self, submission: u64) {
        let mut state = self.state.lock();
        if state.pending.remove(&submission) {
            self.pending.fetch_sub(1, Ordering::Release);
        }
        drop(state);
        self.finished.notify_all();
    }
}

/// Whether a command hands work to a queue.
pub(super) fn is_submission(command: CommandType) -> bool {
    [CommandType::QUEUE_SUBMIT, CommandType::QUEUE_SUBMIT2, CommandType::QUEUE_BIND_SPARSE].contains(&command)
}

fn waits_for(command: CommandType, bytes: &[u8]) -> Wait {
    let handles = |kind| match Request::read(bytes) {
        Ok(request) => Wait::LastUse(request::handles(&request.params, kind)),
        Err(_) => Wait::Nothing,
    };
    match command {
        CommandType::BEGIN_COMMAND_BUFFER
        | CommandType::RESET_COMMAND_BUFFER
        | CommandType::FREE_COMMAND_BUFFERS
        | CommandType::QUEUE_SUBMIT
        | CommandType::QUEUE_SUBMIT2 => handles(vk::ObjectType::COMMAND_BUFFER),
        CommandType::RESET_FENCES => handles(vk::ObjectType::FENCE),
        // It waits for the commands of its ring, not for their submissions.
        CommandType::DESTROY_RING_MESA => Wait::Nothing,
        _ if OVERWRITING.contains(&command) => Wait::All,
        _ => match ["vkDestroy", "vkFree", "vkReset"].iter().any(|verb| command.name().starts_with(verb)) {
            true => Wait::All,
            false => Wait::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vkResetFences of one fence.
    fn reset_fence(fence: u64) -> Vec<u8> {
        let words = [u64::from(CommandType::RESET_FENCES.0), 1, 0];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(16);
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(fence.to_le_bytes());
        bytes
    }

    #[test]
    fn commands_wait_for_what_they_may_pull_away() {
        assert_eq!(waits_for(CommandType::RESET_FENCES, &reset_fence(7)), Wait::LastUse(vec![7]));
        for (command, expected) in [
            (CommandType::DESTROY_BUFFER, Wait::All),
            (CommandType::RESET_COMMAND_POOL, Wait::All),
            (CommandType::UPDATE_DESCRIPTOR_SETS, Wait::All),
            (CommandType::CMD_DRAW, Wait::Nothing),
            (CommandType::CREATE_BUFFER, Wait::Nothing),
            (CommandType::DESTROY_RING_MESA, Wait::Nothing),
        ] {
            assert_eq!(waits_for(command, &[]), expected, "{command}");
        }
    }

    #[test]
    fn a_fence_is_reset_once_its_submission_is_done() {
        let in_flight = InFlight::default();
        {
            let mut state = in_flight.shared.state.lock();
            state.pending.insert(0);
            state.last_use.insert(7, 0);
        }
        in_flight.shared.pending.store(1, Ordering::Release);
        in_flight.before(CommandType::RESET_FENCES, &reset_fence(8));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| in_flight.before(CommandType::RESET_FENCES, &reset_fence(7)));
            in_flight.shared.finish(0);
            waiter.join().unwrap();
        });
        assert_eq!(in_flight.given_up(), 0);
        assert_eq!(in_flight.shared.pending.load(Ordering::Acquire), 0);
    }
}
