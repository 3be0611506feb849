//! What a worker in its guest's hands says to its monitor: messages as the two have them, then anything.

use venus_host::{
    resource::HostMapping,
    worker::fuzzing::{Along, Asked, hear},
};

use crate::source::{Damage, Source};

/// Messages of one worker. Few bytes each, so that the socket takes them.
const MESSAGES: usize = 32;

/// How an input begins that is bytes as they are, and not choices.
pub(crate) const AS_IT_IS: u8 = 0xff;

/// Most bytes of one message.
const BYTES: usize = 16 << 10;

/// An input of the target `worker`.
pub fn say(data: &[u8]) {
    let mut source = Source::new(data);
    let how = source.byte();
    let asked = Asked {
        blob: (how & 1 == 0).then_some(4096),
        statistics: how & 2 == 0,
        maps_opaque: how & 4 == 4,
        fences: (0..how >> 5).map(|nth| u32::from(nth % 3)).collect(),
    };
    let pieces = if how == AS_IT_IS {
        vec![(source.take(BYTES).to_vec(), Along::Nothing)]
    } else {
        std::iter::from_fn(|| (!source.is_empty()).then(|| piece(&mut source))).take(MESSAGES).collect()
    };
    let made = hear(&pieces, &asked);
    // What others are given can be touched from one end to the other.
    let mapping = made.blob.as_ref().and_then(|blob| Some((blob.map().ok()?, blob.size)));
    if let Some((mapping, size)) = mapping {
        touch(&mapping, size);
    }
    assert!(made.malformed.is_none_or(|reason| !reason.is_empty()));
    assert!(made.lost.is_none_or(|reason| reason.chars().all(|c| !c.is_control())), "a terminal would obey that");
}

fn touch(mapping: &HostMapping, size: u64) {
    let last = usize::try_from(size).expect("it is mapped") - 1;
    for at in [0, last] {
        mapping.copy_in(at, &[1]).expect("it is mapped");
    }
}

/// A message, and what comes along.
fn piece(source: &mut Source<'_>) -> (Vec<u8>, Along) {
    let damage = Damage::read(source);
    let mut along = Along::Nothing;
    let mut payload = Vec::new();
    match source.byte() % 8 {
        0 | 1 => {
            payload.push(b'r');
            payload.extend(u32::from(source.byte() % 4).to_le_bytes());
            payload.extend(u64::from(source.byte() % 10).to_le_bytes());
            payload.push(source.byte() % 4);
        }
        2 | 3 => {
            let kind = source.byte() % 4;
            along = memory(source);
            payload.extend([b'b', kind, source.byte() % 5]);
            let size = match source.byte() {
                0..0xc0 => 4096,
                _ => source.number(),
            };
            payload.extend(size.to_le_bytes());
            if kind == 2 {
                payload.extend([7; 32]);
                payload.extend(size.to_le_bytes());
                payload.extend(u32::from(source.byte()).to_le_bytes());
            }
        }
        4 => payload.extend([&b"n"[..], text(source)].concat()),
        5 => payload.extend([&b"l"[..], text(source)].concat()),
        6 => payload.extend([&[b'g', source.byte() % 7], text(source)].concat()),
        _ => payload.extend([&b"s"[..], text(source)].concat()),
    }
    let fds = match source.byte() {
        0..0xf0 => u8::from(along != Along::Nothing),
        other => other % 4,
    };
    let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
    frame.push(fds);
    frame.extend(payload);
    damage.apply(&mut frame);
    frame.truncate(BYTES);
    (frame, along)
}

/// What is to be mapped: memory as ours is, if nothing else is chosen.
fn memory(source: &mut Source<'_>) -> Along {
    match source.byte() {
        0..0x80 => Along::Memory(4096, 0b10),
        0x80..0xe0 => Along::Memory(source.short(), source.byte()),
        0xe0..0xf0 => Along::Socket,
        _ => Along::Nothing,
    }
}

fn text<'d>(source: &mut Source<'d>) -> &'d [u8] {
    let most = usize::from(source.byte());
    source.take(most)
}
