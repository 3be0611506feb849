//! Inputs to begin with: every command once, and what real guests did, from their recordings.

use std::{collections::BTreeMap, io, path::Path};

use venus_observe::recording::{Event, Reader, Source as Origin};
use venus_protocol::{
    reflect::{self, CommandRow, Item, MemberRow},
    vk,
    wire::CommandType,
};
use venus_verify::named::{command_of, silent};

use crate::{codec, guest::step, library::call, recording, vtest};

/// The targets, and the inputs of each by their names.
pub type Seeds = BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>;

/// Longest input that is cut from a recording.
const LONGEST: usize = 24 << 10;

/// How an input of `library` begins: a host that is polled, and a first guest of context 0, who takes a step.
const A_GUEST: [u8; 6] = [0, call::GUEST, 0, 0, 0, 0];

/// SplitMix64, for what means nothing.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        let next = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)) as u8
        };
        std::iter::repeat_with(next).take(n).collect()
    }
}

/// All seeds, with those from the recordings in a folder.
///
/// # Errors
///
/// A recording cannot be read.
pub fn all(recordings: &Path) -> io::Result<Seeds> {
    let mut seeds = Seeds::new();
    of_commands(&mut seeds);
    let mut files: Vec<_> = std::fs::read_dir(recordings)?.collect::<Result<_, _>>()?;
    files.sort_by_key(|file| file.file_name());
    for file in
        files.iter().map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "venusrec"))
    {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        of_recording(&mut seeds, &name, &std::fs::read(&file)?)?;
    }
    Ok(seeds)
}

fn put(seeds: &mut Seeds, target: &'static str, name: String, parts: &[&[u8]]) {
    seeds.entry(target).or_default().insert(name, parts.concat());
}

/// Each command by itself: plain, and with whatever content.
fn of_commands(seeds: &mut Seeds) {
    let mut noise = Noise(1);
    for (nth, row) in (0_u16..).zip(reflect::commands()) {
        let (name, nth) = (row.command.name(), nth.to_le_bytes());
        for target in ["request", "reply"] {
            put(seeds, target, format!("{name}-plain"), &[&[1], &nth, &[0]]);
            put(seeds, target, format!("{name}-any"), &[&[1], &nth, &[0], &noise.bytes(96)]);
        }
        // A second time, and then on a ring.
        put(seeds, "stream", format!("{name}-plain"), &[&[0], &nth, &[0, 0]]);
        let any = noise.bytes(24);
        put(seeds, "stream", format!("{name}-any"), &[&[0], &nth, &[0], &any, &[step::ON_RING], &nth, &[0]]);
        for destroyer in destroyers(row) {
            let plain = |nth: [u8; 2]| [&[step::PLAIN][..], &nth].concat();
            let steps = [&plain(nth)[..], &plain(destroyer), &[step::AGAIN, 1]];
            put(seeds, "stream", format!("{name}-after-{}", u16::from_le_bytes(destroyer)), &steps);
        }
        // On a ring, whose tail is moved meanwhile, or its first commands changed; and for a monitor's guest.
        let on_ring = [&[step::ON_RING], &nth[..], &[0], &any, &[step::ON_RING], &nth, &[0]].concat();
        put(seeds, "ring", format!("{name}-tail"), &[&[1, 0, 0xc7, 0x20], &on_ring]);
        put(seeds, "ring", format!("{name}-command"), &[&[2, 0x70, 0, 0, 1, 0, 0x70, 4, 0, 0x7f, 0], &on_ring]);
        put(seeds, "library", format!("{name}-plain"), &[&A_GUEST, &[step::PLAIN], &nth]);
        put(seeds, "recording", name.to_owned(), &[&[0, 0, 0, 1, 0], &nth, &[1, 64], &noise.bytes(64), &[0; 8]]);
    }
    // Lengths that a chunk may claim, of a block that holds one byte.
    for claim in 0xc0..0xcc {
        put(seeds, "recording", format!("claim-{claim}"), &[&[recording::STORED, 0, claim, 0x10, b'x']]);
    }
    for kind in (0..=u8::MAX).step_by(4) {
        let calls = [&[kind][..], &noise.bytes(12), &[kind], &noise.bytes(12)].concat();
        put(seeds, "library", format!("call-{kind}"), &[&A_GUEST, &[step::PLAIN, 0, 0], &calls]);
        put(seeds, "library", format!("call-{kind}-told"), &[&[1], &A_GUEST[1..], &[step::FENCE, 1], &calls]);
    }
    for kind in 0..8 {
        put(seeds, "worker", format!("message-{kind}"), &[&[0x40, 0, kind], &noise.bytes(40)]);
    }
    for kind in 0..20 {
        put(seeds, "vtest", format!("message-{kind}"), &[&[0, 0, 0, kind], &noise.bytes(40)]);
    }
}

/// The commands that destroy what a command names, by their places among all.
fn destroyers(row: &CommandRow) -> Vec<[u8; 2]> {
    let kind = |param: &MemberRow| match param.item {
        Item::Handle(handle) => Some(handle.object_type),
        _ => None,
    };
    let destroys = |other: &CommandRow| {
        let destroyed = other.params.iter().rev().find_map(kind);
        let is_kept = [vk::ObjectType::INSTANCE, vk::ObjectType::DEVICE].map(Some).contains(&destroyed);
        let ends = other.command.name().starts_with("vkDestroy") && !is_kept;
        ends && row.params.iter().any(|param| kind(param).is_some() && kind(param) == destroyed)
    };
    let is_destroyer = row.command.name().starts_with("vkDestroy");
    let all = (0_u16..).zip(reflect::commands()).filter(|(_, other)| !is_destroyer && destroys(other));
    all.map(|(nth, _)| nth.to_le_bytes()).collect()
}

/// What a real guest sent.
fn of_recording(seeds: &mut Seeds, name: &str, file: &[u8]) -> io::Result<()> {
    let wrong = |error: venus_observe::recording::ReadError| io::Error::other(error.to_string());
    let mut reader = Reader::new(file).map_err(wrong)?;
    let (mut steps, mut commands, mut number) = (Vec::new(), Vec::new(), 0);
    let mut messages = vtest::greeting("fuz");
    let mut open: BTreeMap<Origin, Vec<CommandType>> = BTreeMap::new();
    let mut seen: BTreeMap<(&str, CommandType), usize> = BTreeMap::new();
    while let Some(record) = reader.next_record()? {
        match &record.event {
            Event::Begin { place, request } => {
                let command = command_of(request);
                open.entry(place.source).or_default().push(command);
                commands.extend_from_slice(request);
                number += 1;
                if is_first(&mut seen, "request", command) {
                    put(seeds, "request", format!("{name}-{number}"), &[&[codec::AS_IT_IS], request]);
                }
                // What is about rings that nobody has is left out, and so are replies.
                if command.name().ends_with("MESA") || steps.len() + request.len() > LONGEST {
                    continue;
                }
                let Ok(length) = u16::try_from(request.len()) else { continue };
                steps.extend(
                    [&[step::AS_IT_IS][..], &length.to_le_bytes(), &request[..4], &[0; 4], &request[8..]].concat(),
                );
                vtest::put_submission(&mut messages, &silent(request.to_vec()));
            }
            Event::End { source, reply, .. } => {
                let Some(command) = open.entry(*source).or_default().pop() else { continue };
                let nth = reflect::commands().position(|row| row.command == command).unwrap_or(0) as u16;
                if !reply.is_empty() && is_first(&mut seen, "reply", command) {
                    put(seeds, "reply", format!("{name}-{number}"), &[&[codec::AS_IT_IS], &nth.to_le_bytes(), reply]);
                }
            }
            Event::Blob { resource, blob_id: 0, size, .. } => {
                let Ok(resource) = u16::try_from(*resource) else { continue };
                steps.extend([&[step::PLAIN_MEMORY][..], &resource.to_le_bytes(), &size.to_le_bytes()].concat());
            }
            _ => {}
        }
    }
    put(seeds, "stream", name.to_owned(), &[&steps]);
    put(seeds, "ring", name.to_owned(), &[&[0], &steps]);
    put(seeds, "vtest", name.to_owned(), &[&[vtest::AS_IT_IS], &messages]);
    commands.truncate(LONGEST);
    for how in [0, 1, 2] {
        put(seeds, "recording", format!("{name}-{how}"), &[&[recording::COMMANDS, how], &commands]);
    }
    let file = &file[..file.len().min(2 * LONGEST)];
    put(seeds, "recording", format!("{name}-file"), &[&[recording::AS_IT_IS, 1], file]);
    if let Some((plain, stored)) = compressed(file) {
        put(
            seeds,
            "recording",
            format!("{name}-stored"),
            &[&[recording::STORED, 0, 0xff], &plain.to_le_bytes(), stored],
        );
    }
    put(seeds, "recording", format!("{name}-payload"), &[&[recording::PAYLOAD, 0], &payload(file)]);
    Ok(())
}

/// Whether a command is seen there for the first time.
fn is_first<'t>(seen: &mut BTreeMap<(&'t str, CommandType), usize>, target: &'t str, command: CommandType) -> bool {
    let times = seen.entry((target, command)).or_default();
    *times += 1;
    *times == 1
}

/// The first chunk of a recording that is compressed: its length when it is not, and what is stored.
fn compressed(file: &[u8]) -> Option<(u64, &[u8])> {
    let word = |at: usize| Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?));
    let chunks = file.windows(4).enumerate().filter(|(_, bytes)| bytes == b"VNRC").map(|(at, _)| at);
    chunks
        .filter_map(|at| Some((word(at + 8)?, file.get(at + 16..)?.get(..word(at + 4)? as usize)?)))
        .find_map(|(plain, stored)| (stored.len() < plain as usize).then_some((plain.into(), stored)))
}

/// The first records of a recording, as a chunk holds them.
fn payload(file: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(mut reader) = Reader::new(file) {
        while let Ok(Some(record)) = reader.next_record() {
            bytes.extend(postcard::to_stdvec(&record).unwrap_or_default());
            if bytes.len() > LONGEST {
                break;
            }
        }
    }
    bytes
}
