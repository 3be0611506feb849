//! Properties of the codec over all commands: what the tables say can be sent, survives decoding and encoding.
//!
//! The bytes come from [`generate`], which knows the protocol from the reflection tables alone: it and the codec are two
//! accounts of the same wire.

mod generate;
mod tree;

use core::ops::ControlFlow;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use venus_protocol::dispatch::{Visitor, visit_command};
use venus_protocol::reflect::{self, CommandRow, Piece};
use venus_protocol::wire::{Arena, Command, CommandHeader, Decoder, ErrorClass, IdentityResolver, Member};
use venus_verify::{check_reply, check_request};

use generate::{reply, request};

/// Cases of each of the 329 commands, for each property.
const CASES: u32 = 128;

/// Runs a property for every command, over seeds and sizes. Failures name the command and the smallest case.
fn for_all_commands(property: impl Fn(&'static CommandRow, u64, u64) -> Result<(), String>) {
    let mut commands = 0;
    for row in reflect::commands() {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let cases = (any::<u64>(), 0..4_u64);
        let outcome =
            TestRunner::new(config).run(&cases, |(seed, size)| property(row, seed, size).map_err(TestCaseError::fail));
        match outcome {
            Ok(()) => commands += 1,
            Err(TestError::Fail(reason, (seed, size))) => panic!("{}, seed {seed}, size {size}: {reason}", row.command),
            Err(TestError::Abort(reason)) => panic!("{}: {reason}", row.command),
        }
    }
    assert_eq!(commands, 329);
}

fn hex(bytes: &[u8]) -> String {
    bytes.chunks(4).flat_map(|word| word.iter().map(|byte| format!("{byte:02x}")).chain([" ".to_owned()])).collect()
}

#[test]
fn requests_survive() {
    for_all_commands(|row, seed, size| {
        let bytes = request(row, seed, size);
        let verified = check_request(&bytes, &Arena::default());
        let verified = verified.map_err(|mismatch| format!("{mismatch}\n{}", hex(&bytes)))?;
        if verified.command != row.command {
            return Err(format!("decodes as {}", verified.command));
        }
        // The reply that a host without a driver would give is well formed, too.
        if verified.reply.is_empty() {
            return Ok(());
        }
        check_reply(row.command, &verified.reply, &Arena::default()).map_err(|mismatch| mismatch.to_string())
    });
}

#[test]
fn replies_survive() {
    for_all_commands(|row, seed, size| {
        let bytes = reply(row, seed, size);
        check_reply(row.command, &bytes, &Arena::default()).map_err(|mismatch| format!("{mismatch}\n{}", hex(&bytes)))
    });
}

/// Checks that pieces tile a command.
#[derive(Default)]
struct Tile {
    end: usize,
    gap: bool,
    open: usize,
}

impl reflect::Visitor for Tile {
    fn visit(&mut self, at: usize, len: usize, _member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        self.gap |= at != self.end && self.end != 0;
        self.end = at + len;
        match piece {
            Piece::Begin(_) | Piece::BeginNode(_) => self.open += 1,
            Piece::End => self.open -= 1,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn walks_cover_every_byte() {
    for_all_commands(|row, seed, size| {
        let mut tile = Tile::default();
        let bytes = request(row, seed, size);
        let walked = reflect::walk_request(&bytes, &mut tile);
        if walked != Ok(bytes.len()) || tile.gap || tile.open > 0 {
            return Err(format!("request: {walked:?} of {}, gap: {}\n{}", bytes.len(), tile.gap, hex(&bytes)));
        }
        let mut tile = Tile::default();
        let bytes = reply(row, seed, size);
        let walked = reflect::walk_reply(&bytes, &mut tile);
        if walked != Ok(bytes.len()) || tile.gap || tile.open > 0 {
            return Err(format!("reply: {walked:?} of {}, gap: {}\n{}", bytes.len(), tile.gap, hex(&bytes)));
        }
        Ok(())
    });
}

/// Which member each piece belongs to.
#[derive(Default)]
struct Owners(Vec<(usize, usize, Member)>);

impl reflect::Visitor for Owners {
    fn visit(&mut self, at: usize, len: usize, member: Member, _piece: Piece<'_>) -> ControlFlow<()> {
        self.0.push((at, len, member));
        ControlFlow::Continue(())
    }
}

/// The last name of a path.
fn last_name(path: &str) -> &str {
    let name = path.rsplit(['.', '>']).next().unwrap_or_default();
    name.split('[').next().unwrap_or_default()
}

#[test]
fn paths_lead_to_the_located_member() {
    type Of<T> = fn(&[u8], usize) -> Option<T>;
    let check = |bytes: &[u8], owners: &Owners, locate: Of<Member>, path: Of<String>| {
        let begin = owners.0.first().map_or(bytes.len(), |(at, ..)| *at);
        for offset in [0, begin - 1, bytes.len()] {
            if let (None, None) = (locate(bytes, offset), path(bytes, offset)) {
                continue;
            }
            return Err(format!("byte {offset} belongs to a member"));
        }
        // One byte of each of up to so many items, or the time grows with the square of the size.
        let items: Vec<_> = owners.0.iter().filter(|(_, len, _)| *len > 0).collect();
        for (at, len, member) in items.iter().step_by(items.len() / 64 + 1) {
            let offset = at + len / 2;
            if locate(bytes, offset) != Some(*member) {
                return Err(format!("byte {offset} is of {member}, not of {:?}", locate(bytes, offset)));
            }
            let path = path(bytes, offset).unwrap_or_default();
            if last_name(&path) != member.name {
                return Err(format!("byte {offset} is of {member}, not of {path}"));
            }
        }
        Ok(())
    };
    for_all_commands(|row, seed, size| {
        let (bytes, mut owners) = (request(row, seed, size), Owners::default());
        reflect::walk_request(&bytes, &mut owners).map_err(|stop| format!("{stop:?}"))?;
        check(&bytes, &owners, reflect::locate, reflect::path)?;
        let (bytes, mut owners) = (reply(row, seed, size), Owners::default());
        reflect::walk_reply(&bytes, &mut owners).map_err(|stop| format!("{stop:?}"))?;
        check(&bytes, &owners, reflect::locate_reply, reflect::path_reply)
    });
}

/// As far as bytes make sense, whatever they are.
#[test]
fn paths_of_damaged_requests() {
    for_all_commands(|row, seed, size| {
        let mut bytes = request(row, seed, size);
        let damaged = 8 + usize::try_from(seed % 4096).unwrap_or(0) % bytes.len().saturating_sub(8).max(1);
        if let Some(byte) = bytes.get_mut(damaged) {
            *byte ^= 0xff;
        }
        for offset in [8, damaged, bytes.len() - 1, usize::MAX] {
            let (member, path) = (reflect::locate(&bytes, offset), reflect::path(&bytes, offset));
            if member.map(|member| member.name) != path.as_deref().map(last_name) {
                return Err(format!("byte {offset} is of {member:?}, not of {path:?}\n{}", hex(&bytes)));
            }
        }
        Ok(())
    });
}

/// Decodes and looks at nothing.
struct Decode;

impl Visitor for Decode {
    type Output = ();

    fn visit<'a, C: Command<'a>>(&mut self, _header: CommandHeader, _args: C) {}
}

#[test]
fn cut_requests_are_truncated() {
    for_all_commands(|row, seed, size| {
        let bytes = request(row, seed, size);
        let len = usize::try_from(seed).unwrap_or(0) % bytes.len();
        let arena = Arena::default();
        let Err(error) = visit_command(&mut Decode, &mut Decoder::new(&bytes[..len], &arena, &IdentityResolver)) else {
            return Err(format!("{len} of {} bytes decode", bytes.len()));
        };
        if error.kind.class() != ErrorClass::Truncated || (len >= 8) != error.member.is_some() {
            return Err(format!("{len} of {} bytes: {error}", bytes.len()));
        }
        Ok(())
    });
}
