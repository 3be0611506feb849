//! In steady state the codec does not allocate: the arena and the encoder keep what they once needed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use venus_protocol::dispatch::{Visitor, visit_command};
use venus_protocol::wire::{Arena, Command, CommandHeader, Decoder, Encoder, IdentityResolver, Returned};
use venus_verify::vectors;

const REQUESTS: &str = include_str!("golden/requests.tsv");

/// The system's allocator, counting what the current thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every method hands its arguments to `System` unchanged, which keeps the trait's contract; counting neither
// allocates (the cell is `const`, without a destructor) nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps this method's contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as above; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Encodes what was decoded, and its reply, like a host that forwards and answers.
struct Recode(Encoder);

impl Visitor for Recode {
    type Output = usize;

    fn visit<'a, C: Command<'a>>(&mut self, header: CommandHeader, args: C) -> usize {
        self.0.clear();
        args.encode(&mut self.0, header.flags);
        C::encode_reply(&mut self.0, &args.reply(C::Return::success()));
        self.0.bytes().len()
    }
}

#[test]
fn steady_state_allocates_nothing() {
    let rows = vectors::parse(REQUESTS).into_iter();
    let requests: Vec<Vec<u8>> = rows.map(|(_, row)| row.expect("the file is well formed").request).collect();
    let mut arena = Arena::default();
    // SAFETY: the only values given to this encoder are ones that the decoder returned.
    let mut recode = Recode(unsafe { Encoder::new() });
    let mut pass = || {
        let (before, mut bytes) = (ALLOCATIONS.get(), 0);
        for request in &requests {
            let decoded = visit_command(&mut recode, &mut Decoder::new(request, &arena, &IdentityResolver));
            bytes += decoded.expect("a valid request");
            arena.reset();
        }
        (ALLOCATIONS.get() - before, bytes)
    };
    // The first pass grows the arena block by block and keeps the last; the second may need one block more, so that the
    // longest command fits into one.
    let warm_up = [pass(), pass()];
    assert!(warm_up[0].0 > 0, "the allocator counts");
    for nth in 3..9 {
        let (allocations, bytes) = pass();
        assert_eq!(allocations, 0, "allocations and releases in pass {nth}, after {warm_up:?}");
        assert_eq!(bytes, warm_up[0].1);
    }
}

#[test]
fn errors_allocate_nothing() {
    let rows = vectors::parse(REQUESTS).into_iter();
    let requests: Vec<Vec<u8>> = rows.map(|(_, row)| row.expect("the file is well formed").request).collect();
    let mut arena = Arena::new(1 << 20);
    // SAFETY: nothing is given to this encoder but what the decoder returned.
    let mut recode = Recode(unsafe { Encoder::new() });
    let mut pass = || {
        let before = ALLOCATIONS.get();
        for request in &requests {
            let cut = &request[..request.len() - 4];
            let decoded = visit_command(&mut recode, &mut Decoder::new(cut, &arena, &IdentityResolver));
            assert!(decoded.is_err_and(|error| error.member.is_some()));
            arena.reset();
        }
        ALLOCATIONS.get() - before
    };
    // As above: the second pass may need one block more.
    let warm_up = [pass(), pass()];
    assert_eq!(pass(), 0, "after {warm_up:?}");
}
