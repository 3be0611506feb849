//! A guest at the vtest socket: messages as its protocol has them, then anything.

use std::{io::Write as _, net::Shutdown, os::unix::net::UnixStream};

use mock_driver::Mock;
use venus_host::vtest::{SessionOptions, serve_connection};
use venus_verify::generate;

use crate::{
    codec::Chosen,
    guest::{budget, config},
    source::{Damage, Source},
};

/// Messages of one guest: all answers fit the socket's buffer, since nobody reads them.
const MESSAGES: usize = 32;
/// Bytes of all messages, which have to fit as well.
const BYTES: usize = 64 << 10;

/// How an input begins that is bytes as they are, and not choices.
pub(crate) const AS_IT_IS: u8 = 0xff;

/// Numbers of messages, and how many words follow each; none where that differs.
const FIXED: [(u32, usize); 12] =
    [(3, 1), (7, 2), (10, 0), (11, 1), (15, 1), (16, 2), (17, 1), (18, 6), (19, 2), (20, 1), (21, 1), (22, 3)];
const CREATE_RENDERER: u32 = 8;
const BLOB: u32 = 18;
const SYNC_WAIT: u32 = 23;
const SUBMIT: u32 = 24;

/// An input of the target `vtest`.
pub fn serve(data: &[u8]) {
    let mut source = Source::new(data);
    let bytes = match source.byte() {
        AS_IT_IS => source.take(BYTES).to_vec(),
        _ => messages(&mut source),
    };
    let mock = Mock::take();
    let (mut guest, host) = UnixStream::pair().expect("a pair of sockets");
    guest.set_nonblocking(true).expect("a socket can do that");
    // What does not fit is cut off.
    drop(guest.write(&bytes));
    drop(guest.shutdown(Shutdown::Write));
    serve_connection(host, SessionOptions::new(config(&mock)).budget(budget()));
    drop(guest);
    mock.assert_clean();
}

/// What a guest sends in all.
fn messages(source: &mut Source<'_>) -> Vec<u8> {
    // Nearly all begin as guests do.
    let mut bytes = if source.byte() < 0xf0 { greeting("fuz") } else { Vec::new() };
    for _ in 0..MESSAGES {
        if source.is_empty() || bytes.len() > BYTES {
            break;
        }
        let damage = Damage::read(source);
        let mut message = message(source);
        damage.apply(&mut message);
        bytes.extend(message);
    }
    bytes
}

/// How guests begin: a name, the protocol's version, Venus.
pub(crate) fn greeting(name: &str) -> Vec<u8> {
    // The one length that counts bytes; a NUL ends the name.
    let mut bytes = [1 + name.len() as u32, CREATE_RENDERER].map(u32::to_le_bytes).concat();
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    put(&mut bytes, 11, 1, &[3]);
    put(&mut bytes, 17, 1, &[4]);
    bytes
}

/// One batch of commands, whose fence nobody waits for.
pub(crate) fn put_submission(bytes: &mut Vec<u8>, commands: &[u8]) {
    let words = (commands.len() / 4) as u32;
    put(bytes, SUBMIT, 7 + words, &[1, 0, 7, words, 0, 0, 0]);
    bytes.extend_from_slice(commands);
}

/// Device memory that the guest wants to map.
pub(crate) fn put_blob(bytes: &mut Vec<u8>, memory: u64, size: u64) {
    let halves = |wide: u64| [wide as u32, (wide >> 32) as u32];
    put(bytes, BLOB, 6, &[&[2, 1], &halves(size)[..], &halves(memory)].concat());
}

/// Header and payload.
fn put(bytes: &mut Vec<u8>, number: u32, length: u32, payload: &[u32]) {
    let words = [length, number].into_iter().chain(payload.iter().copied());
    bytes.extend(words.flat_map(|word| word.to_le_bytes()));
}

fn message(source: &mut Source<'_>) -> Vec<u8> {
    let kind = usize::from(source.byte()) % (FIXED.len() + 8);
    let (number, words) = match FIXED.get(kind) {
        Some(&(BLOB, _)) => (BLOB, blob(source)),
        Some(&(number, words)) => (number, (0..words).map(|_| small(source)).collect()),
        None if kind < FIXED.len() + 2 => (SYNC_WAIT, wait(source)),
        None => (SUBMIT, submission(source)),
    };
    let mut bytes = Vec::new();
    put(&mut bytes, number, words.len() as u32, &words);
    bytes
}

/// A number that is most often that of something which exists.
fn small(source: &mut Source<'_>) -> u32 {
    match source.byte() {
        number @ 0..0xe0 => u32::from(number % 8),
        _ => source.number() as u32,
    }
}

/// Memory: plain if nothing is chosen.
fn blob(source: &mut Source<'_>) -> Vec<u32> {
    let (size, id) = match source.byte() {
        0..0xc0 => (4096, 0),
        0xc0..0xe0 => (4096, source.number()),
        _ => (source.number(), source.number()),
    };
    let (kind, flags) = match source.byte() {
        0..0xf0 => (2, 1),
        _ => (small(source), small(source)),
    };
    vec![kind, flags, size as u32, (size >> 32) as u32, id as u32, (id >> 32) as u32]
}

/// A wait, which is over soon.
fn wait(source: &mut Source<'_>) -> Vec<u32> {
    let syncs = usize::from(source.byte() % 4);
    let mut words = vec![small(source), u32::from(source.byte() & 1)];
    for _ in 0..syncs {
        words.extend([small(source), small(source), 0]);
    }
    words
}

/// Batches of commands, with syncs.
fn submission(source: &mut Source<'_>) -> Vec<u32> {
    let batches = 1 + usize::from(source.byte() % 3);
    let mut words = vec![batches as u32];
    words.resize(1 + 6 * batches, 0);
    for nth in 0..batches {
        let mut commands = Vec::new();
        for _ in 0..source.byte() % 4 {
            let row = source.command();
            commands.extend(generate::request(row, 0, &mut Chosen(Source::new(source.take(64)))));
        }
        let commands_at = words.len() as u32;
        words.extend(commands.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)));
        let syncs_at = words.len() as u32;
        let syncs = u32::from(source.byte() % 3);
        for _ in 0..syncs {
            words.extend([small(source), small(source), 0]);
        }
        let (flags, ring_idx) = (u32::from(source.byte() & 1), small(source));
        let record = [flags, commands_at, syncs_at - commands_at, syncs_at, syncs, ring_idx];
        words[1 + 6 * nth..7 + 6 * nth].copy_from_slice(&record);
    }
    words
}
