//! The codec's jobs: requests that stay in the cache, 256 variants of one command again and again.
//!
//! Decoding is what a host does for each command, less the driver: reset the arena, find the command in the table,
//! decode it, look its handles up, and hand the arguments to an empty handler.

use std::hint::black_box;

use anyhow::{Context as _, Result, ensure};
use parking_lot::RwLock;
use venus_protocol::dispatch::{Visitor, visit_command};
use venus_protocol::wire::{
    Arena, Command, CommandHeader, Decoder, Encoder, HandleResolver, IdentityResolver, Returned,
};

use crate::cases::{self, CASES, Case};
use crate::objects::{Locked, Objects};
use crate::{Job, Kind, Visit, Work};

/// Variants of each command.
const VARIANTS: u64 = 256;

/// What a host does with a command's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Decode,
    Encode,
}

/// Visits all jobs.
pub(crate) fn each(room: usize, visit: &mut Visit<'_>) -> Result<()> {
    let (plain, locked) = (Objects::new(), Locked(RwLock::new(Objects::new())));
    for case in &CASES {
        let (bytes, commands) = requests(case, room)?;
        if case.host == Direction::Decode {
            let objects: [(Kind, &dyn HandleResolver); 2] = [(Kind::Decode, &plain), (Kind::DecodeLocked, &locked)];
            for (kind, objects) in objects {
                let mut work = Decoding { bytes: &bytes, objects, arena: Arena::default() };
                work.try_pass().with_context(|| format!("decoding what was encoded of {}", case.name))?;
                let reference = Some(&case.reference);
                visit(Job { kind, name: case.name, commands, reference, work: &mut work })?;
            }
        }
        let arena = cases::roomy_arena();
        (case.encode)(Encoding { case, bytes: &bytes, commands, arena: &arena }, visit)?;
    }
    Ok(())
}

/// A buffer of requests, and how many they are.
fn requests(case: &Case, room: usize) -> Result<(Vec<u8>, usize)> {
    let mut encoder = new_encoder();
    let (mut bytes, mut commands) = (Vec::new(), 0);
    for i in (0..VARIANTS).cycle() {
        encoder.clear();
        (case.request)(&mut encoder, i);
        if bytes.len() + encoder.bytes().len() > room {
            break;
        }
        bytes.extend_from_slice(encoder.bytes());
        commands += 1;
    }
    ensure!(commands > 0, "a request of {} is larger than the buffer", case.name);
    if case.host == Direction::Decode {
        let (found, expected) = (encoder.bytes().len(), case.reference.bytes);
        ensure!(found == expected, "{} has {found} bytes, the reference's has {expected}", case.name);
    }
    Ok((bytes, commands))
}

/// Decodes a buffer of requests.
struct Decoding<'a> {
    bytes: &'a [u8],
    objects: &'a dyn HandleResolver,
    arena: Arena,
}

impl Decoding<'_> {
    fn try_pass(&mut self) -> Result<usize> {
        let mut at = 0;
        while at < self.bytes.len() {
            self.arena.reset();
            let mut decoder = Decoder::at(self.bytes, at, &self.arena, self.objects);
            visit_command(&mut Ignore, &mut decoder)?;
            at = decoder.offset();
        }
        Ok(self.bytes.len())
    }
}

impl Work for Decoding<'_> {
    fn pass(&mut self) -> usize {
        self.try_pass().unwrap_or_default()
    }
}

/// A handler that does nothing.
struct Ignore;

impl Visitor for Ignore {
    type Output = ();

    #[inline]
    fn visit<'a, C: Command<'a>>(&mut self, _header: CommandHeader, args: C) {
        black_box(&args);
    }
}

/// What to encode: the arguments that `bytes` hold.
pub(crate) struct Encoding<'a> {
    case: &'static Case,
    bytes: &'a [u8],
    commands: usize,
    arena: &'a Arena,
}

impl<'a> Encoding<'a> {
    /// As requests, like a guest.
    pub(crate) fn requests<C: Command<'a>>(self, visit: &mut Visit<'_>) -> Result<()> {
        self.visit(visit, |args: &C, encoder| args.encode(encoder, 0))
    }

    /// As replies, like a host.
    pub(crate) fn replies<C: Command<'a>>(self, visit: &mut Visit<'_>) -> Result<()> {
        self.visit(visit, |args: &C, encoder| C::encode_reply(encoder, &args.reply(C::Return::success())))
    }

    fn visit<C: Command<'a>>(self, visit: &mut Visit<'_>, encode: impl Fn(&C, &mut Encoder)) -> Result<()> {
        let mut work = Encoded { all: self.decoded(), encoder: new_encoder(), encode };
        let Self { case: Case { name, reference, .. }, commands, .. } = self;
        visit(Job { kind: Kind::Encode, name, commands, reference: Some(reference), work: &mut work })
    }

    fn decoded<C: Command<'a>>(&self) -> Vec<C> {
        let mut decoder = Decoder::new(self.bytes, self.arena, &IdentityResolver);
        let args = (0..self.commands).map_while(|_| {
            decoder.read_header().ok()?;
            C::decode(&mut decoder).ok()
        });
        args.collect()
    }
}

/// Encodes these arguments.
struct Encoded<C, F> {
    all: Vec<C>,
    encoder: Encoder,
    encode: F,
}

impl<C, F: Fn(&C, &mut Encoder)> Work for Encoded<C, F> {
    fn pass(&mut self) -> usize {
        let mut bytes = 0;
        for args in &self.all {
            self.encoder.clear();
            (self.encode)(black_box(args), &mut self.encoder);
            bytes += black_box(self.encoder.bytes()).len();
        }
        bytes
    }
}

#[expect(unsafe_code, reason = "the encoder reads through the pointers of what it is given")]
fn new_encoder() -> Encoder {
    // SAFETY: what these encoders are given was either filled through ash's setters in `cases.rs`, which tie every
    // pointer to what it leads to, or comes from the decoder.
    unsafe { Encoder::new() }
}
