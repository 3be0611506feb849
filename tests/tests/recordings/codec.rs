//! Every request and reply of a real guest comes back from the codec byte for byte.

use crate::common::{fixtures, read};
use std::collections::BTreeMap;
use std::path::Path;
use venus_observe::recording::{Ending, Event, Record, Source};
use venus_protocol::wire::{Arena, CommandType};
use venus_tests::padding::{without_pads_in_reply, without_pads_in_request};
use venus_verify::{check_reply, check_request};

/// Follows one recording and compares what is in it.
#[derive(Default)]
struct Check {
    arena: Arena,
    /// The commands that have begun and not ended, of each endpoint, outermost first.
    open: BTreeMap<Source, Vec<CommandType>>,
    /// The stream that each endpoint executes commands of.
    streams: BTreeMap<Source, Vec<u8>>,
    requests: usize,
    replies: usize,
    problems: Vec<String>,
}

impl Check {
    fn note(&mut self, record: &Record<'_>) {
        match &record.event {
            Event::Begin { place, request } => {
                let number = self.requests;
                self.requests += 1;
                if place.depth > 0 {
                    let at = usize::try_from(place.position).expect("a position in memory");
                    let stream = self.streams.get(&place.source).map_or(&[][..], Vec::as_slice);
                    if stream.get(at..at + request.len()) != Some(&**request) {
                        self.problems.push(format!("#{number} is not what its stream holds at byte {at}"));
                    }
                }
                match self.request(request) {
                    Ok(command) => self.open.entry(place.source).or_default().push(command),
                    Err(problem) => self.problems.push(format!("#{number}: {problem}")),
                }
            }
            Event::End { source, reply, .. } => {
                let Some(command) = self.open.entry(*source).or_default().pop() else {
                    self.problems.push(format!("something ends on {source} that never began"));
                    return;
                };
                if !reply.is_empty() {
                    self.replies += 1;
                    if let Err(problem) = self.reply(command, reply) {
                        self.problems.push(format!("reply to {command}: {problem}"));
                    }
                }
            }
            Event::Stream { source, bytes, .. } => {
                self.streams.insert(*source, bytes.to_vec());
            }
            _ => {}
        }
    }

    fn request(&mut self, bytes: &[u8]) -> Result<CommandType, String> {
        let (clean, len) = without_pads_in_request(bytes).map_err(|stop| format!("{stop:?}"))?;
        if len != bytes.len() {
            return Err(format!("the tables see {len} of {} bytes", bytes.len()));
        }
        let verified = check_request(&clean, &self.arena).map_err(|mismatch| mismatch.to_string());
        self.arena.reset();
        Ok(verified?.command)
    }

    fn reply(&mut self, command: CommandType, bytes: &[u8]) -> Result<(), String> {
        let (clean, len) = without_pads_in_reply(bytes).map_err(|stop| format!("{stop:?}"))?;
        if len != bytes.len() {
            return Err(format!("the tables see {len} of {} bytes", bytes.len()));
        }
        let checked = check_reply(command, &clean, &self.arena).map_err(|mismatch| mismatch.to_string());
        self.arena.reset();
        checked
    }
}

/// Checks a whole recording and returns how many requests and replies it holds.
pub(crate) fn check(path: &Path) -> (usize, usize) {
    let name = path.display();
    let mut check = Check::default();
    let ending = read(&std::fs::read(path).unwrap(), |record| check.note(record));
    assert_eq!(ending, Ending::Complete, "{name}");
    assert!(check.problems.is_empty(), "{name}:\n{}", check.problems.join("\n"));
    assert!(check.open.values().all(Vec::is_empty), "{name}: commands that never ended: {:?}", check.open);
    (check.requests, check.replies)
}

#[test]
fn every_command_decodes_and_encodes_to_the_same_bytes() {
    for path in fixtures() {
        let (requests, replies) = check(&path);
        // A recording without either would prove nothing.
        assert!(requests > 50 && replies > 10, "{}: {requests} and {replies}", path.display());
    }
}
