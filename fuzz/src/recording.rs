//! Recordings, as `venus dump` reads and prints them.
//!
//! A chunk has a checksum, which no fuzzer would guess. So most inputs are the payloads of chunks, and are made chunks
//! here; those that are files as they are reach the reader of chunks itself.

use std::io;

use venus_observe::{
    dump::{Detail, Input, Options, dump},
    recording::{Event, MAGIC, Outcome, Place, Source as Origin, VERSION},
};
use venus_verify::generate;

use crate::{
    codec::Chosen,
    source::{Damage, Source},
};

/// How an input begins that is a file as it is.
pub(crate) const AS_IT_IS: u8 = 0xff;
/// How one begins that is a stream of commands as it is.
pub(crate) const COMMANDS: u8 = 0xfe;
/// How one begins that is the payload of a recording's chunk.
pub(crate) const PAYLOAD: u8 = 0xfd;

/// How one begins that is a chunk as it is stored, after the length that it says that it has decompressed.
pub(crate) const STORED: u8 = 0xfc;

/// Events of one recording.
const EVENTS: usize = 64;

/// An input of the target `recording`.
pub fn read(data: &[u8]) {
    let mut source = Source::new(data);
    let kind = source.byte();
    let how = source.byte();
    let detail = [Detail::Usual, Detail::Full, Detail::Brief][usize::from(how >> 2) % 3];
    let options = Options::new().json(how & 1 == 1).statistics(how & 2 == 2).detail(detail);
    let file = match kind {
        AS_IT_IS | COMMANDS => source.take(usize::MAX).to_vec(),
        PAYLOAD => of_chunks(&[source.take(usize::MAX)]),
        STORED => {
            let plain = source.number() as u32;
            [of_chunks(&[]), chunk(plain, source.take(usize::MAX))].concat()
        }
        _ => made_up(&mut source),
    };
    let input = match kind {
        COMMANDS => Input::raw(&file[..]),
        // What is refused at once has been read.
        _ => match Input::open(&file[..]) {
            Ok(input) => input,
            Err(error) => return assert!(!error.to_string().is_empty()),
        },
    };
    dump(input, &options, io::sink()).expect("neither memory nor a sink fails");
}

/// A file of chunks that hold this, after the header.
pub(crate) fn of_chunks(payloads: &[&[u8]]) -> Vec<u8> {
    let mut file = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
    // Name, recorder, time, profile, and whether it has memory.
    let header = postcard::to_stdvec(&("fuzz", "fuzz", 1_u64, "all", true)).expect("it is serialised");
    for payload in [&[&header[..]], payloads].concat() {
        file.extend(chunk(payload.len() as u32, payload));
    }
    file
}

/// A chunk that says that it is so long decompressed, with the sum that belongs to it.
fn chunk(plain: u32, stored: &[u8]) -> Vec<u8> {
    let begin = [&b"VNRC"[..], &(stored.len() as u32).to_le_bytes(), &plain.to_le_bytes()].concat();
    let mut sum = crc32fast::Hasher::new();
    sum.update(&begin);
    sum.update(stored);
    [&begin[..], &sum.finalize().to_le_bytes(), stored].concat()
}

/// A recording whose records are well formed, before they are damaged.
fn made_up(source: &mut Source<'_>) -> Vec<u8> {
    let damage = Damage::read(source);
    let mut payload = Vec::new();
    let mut time_ns = 0;
    for _ in 0..EVENTS {
        if source.is_empty() {
            break;
        }
        time_ns += source.number() % (1 << 40);
        let request = request(source);
        let Some(record) = record(source, time_ns, &request) else { break };
        payload.extend(record);
    }
    damage.apply(&mut payload);
    of_chunks(&[&payload])
}

fn request(source: &mut Source<'_>) -> Vec<u8> {
    let damage = Damage::read(source);
    let row = source.command();
    let how = source.byte();
    let most = source.byte().into();
    let mut chosen = Chosen(Source::new(source.take(most)));
    let mut bytes = if how & 2 == 2 {
        generate::reply(row, &mut chosen)
    } else {
        generate::request(row, (how & 1).into(), &mut chosen)
    };
    damage.apply(&mut bytes);
    bytes
}

fn record(source: &mut Source<'_>, time_ns: u64, bytes: &[u8]) -> Option<Vec<u8>> {
    let ring = Origin::Ring(u64::from(source.byte() % 4));
    let origin = if source.byte() & 1 == 0 { Origin::Direct } else { ring };
    let depth = source.byte() % 3;
    let place = Place { source: origin, depth, position: source.number() };
    let resource = source.byte().into();
    let reason = || "it is made up".to_owned();
    let event = match source.byte() % 16 {
        0..=4 => Event::Begin { place, request: bytes.into() },
        kind @ 5..=7 => {
            let outcome = match (kind, resource) {
                (5, _) => Outcome::Done,
                (6, 0..128) => Outcome::Again,
                (6, _) => Outcome::LeftOut(reason()),
                _ => Outcome::Failed(reason()),
            };
            Event::End { source: origin, depth, outcome, reply: bytes.into() }
        }
        8 => Event::Undecodable { place, bytes: bytes.into(), reason: reason() },
        9 => Event::Stream { source: origin, resource, offset: source.number(), bytes: bytes.into() },
        10 => {
            let error = (resource & 1 == 1).then(reason);
            Event::Blob { resource, flags: depth.into(), blob_id: source.number(), size: source.number(), error }
        }
        11 => Event::Unref { resource },
        12 => Event::Fence { ring_idx: resource, number: source.number() },
        13 => Event::Retired { number: source.number() },
        14 => Event::Memory { resource, offset: source.number(), bytes: bytes.into() },
        _ if resource & 1 == 1 => Event::Lost { reason: reason() },
        _ => Event::Left,
    };
    // A record, which is serialised as a pair.
    postcard::to_stdvec(&(time_ns, event)).ok()
}
