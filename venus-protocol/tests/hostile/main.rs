//! Hostile bytes: every prefix, every mutated byte, every impossible value. Decoding them fails cleanly or succeeds; it
//! never panics, and it never takes more memory than the arena's limit.

mod faults;
mod nulls;
mod sweep;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use venus_protocol::dispatch::{Visitor, visit_command};
use venus_protocol::wire::{
    Arena, Command, CommandHeader, DecodeError, Decoder, Encoder, HandleResolver, IdentityResolver,
};

/// What one command may take in these tests.
const ARENA_BYTES: usize = 1 << 20;

/// What decoding one of these small requests may take of the processor, in a debug build. The sum over a test is what shows
/// a slow path; this shows a loop that a count has sent round four billion times.
const LONGEST: Duration = Duration::from_secs(5);

/// Encodes what was decoded.
struct Encode;

impl Visitor for Encode {
    type Output = Vec<u8>;

    fn visit<'a, C: Command<'a>>(&mut self, header: CommandHeader, args: C) -> Vec<u8> {
        // SAFETY: the only values given to this encoder are ones that the decoder returned.
        let mut encoder = unsafe { Encoder::new() };
        args.encode(&mut encoder, header.flags);
        encoder.bytes().to_vec()
    }
}

/// What this thread has had of the processor, which does not depend on what else runs.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Decodes one command and encodes it again, within the arena's limit and in bounded time.
fn decode(bytes: &[u8], arena: &mut Arena, resolver: &dyn HandleResolver) -> Result<Vec<u8>, DecodeError> {
    let start = processor_time();
    let outcome = visit_command(&mut Encode, &mut Decoder::new(bytes, arena, resolver));
    let took = processor_time().saturating_sub(start);
    assert!(took < LONGEST, "{outcome:?} took {took:?}");
    assert!(arena.allocated_bytes() <= arena.limit_bytes(), "{outcome:?} took {} bytes", arena.allocated_bytes());
    arena.reset();
    outcome
}

/// As [`decode`], where any id resolves.
fn check(bytes: &[u8], arena: &mut Arena) -> Result<Vec<u8>, DecodeError> {
    decode(bytes, arena, &IdentityResolver)
}
