//! Files and streams: whole, cut, damaged, and any bytes.

use std::io;

use venus_host::{
    driver,
    endpoint::{Command, Observer as _, Outcome, Place},
};
use venus_protocol::wire::{CommandHeader, CommandType};
use venus_verify::vectors;

use super::{Bytes, RING, buffer_reply, create_buffer, destroy_buffer, print, push_constants, wait_idle};
use crate::{
    dump::{Detail, End, Input, Options, dump},
    recording::{Ending, Recorder, Settings},
};

fn dump_bytes(bytes: &[u8], options: &Options) -> (String, Option<End>) {
    let mut out = Vec::new();
    let end = Input::open(bytes).ok().map(|input| dump(input, options, &mut out).unwrap());
    (String::from_utf8(out).unwrap(), end)
}

/// Every form that there is.
fn forms() -> [Options; 5] {
    let text = |detail| Options { detail, ..Options::default() };
    [
        text(Detail::Brief),
        text(Detail::Full),
        Options { json: true, ..Options::default() },
        Options { statistics: true, ..Options::default() },
        Options { json: true, statistics: true, detail: Detail::Full, ..Options::default() },
    ]
}

/// A recording as the recorder writes it.
fn recording() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(folder.path()).immediate(true);
    let recorder = Recorder::create(&settings, "test", &driver::Config::default()).unwrap();
    let place = Place { source: RING, depth: 0, position: 0 };
    let mut ring = recorder.endpoint(RING, true).unwrap();
    let mut execute = |request: &Bytes, reply: &Bytes| {
        let header = CommandHeader { command: CommandType::CREATE_BUFFER, flags: 1 };
        ring.begin(&Command::new(place, header, &request.0));
        ring.end(place, Outcome::Done, &reply.0);
    };
    execute(&create_buffer(0x12, 65536), &buffer_reply(0x12, 0));
    execute(&destroy_buffer(0x12), &Bytes::default());
    recorder.left();
    let path = recorder.path().to_owned();
    drop(recorder);
    std::fs::read(path).unwrap()
}

#[test]
fn a_cut_file_is_printed_up_to_the_cut() {
    let whole = recording();
    let (printed, end) = dump_bytes(&whole, &Options::default());
    assert_eq!(end, Some(End::Recording(Ending::Complete)));
    assert!(printed.starts_with("recording of \"test\" by venus-host") && printed.contains("#1 "), "{printed}");
    let mut longest = 0;
    for cut in 0..whole.len() {
        let (printed, end) = dump_bytes(&whole[..cut], &Options { detail: Detail::Brief, ..Options::default() });
        assert!(end.is_none_or(|end| !end.is_complete()), "cut at byte {cut}: {printed}");
        let commands = printed.matches('#').count();
        assert!(commands >= longest, "cut at byte {cut} there are fewer commands: {printed}");
        longest = commands;
        if !printed.is_empty() {
            let last = printed.lines().last().unwrap();
            assert!(last.contains("; cut: ") || last.contains("; ends at byte"), "cut at byte {cut}: {last}");
        }
    }
    assert_eq!(longest, 2);
}

#[test]
fn the_first_bytes_say_what_it_is() {
    let kind = |bytes: &[u8]| match Input::open(bytes) {
        Ok(Input::Recording(_)) => "recording".to_owned(),
        Ok(Input::Raw(_)) => "raw".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(kind(&recording()), "recording");
    assert_eq!(kind(&wait_idle().0), "raw");
    assert!(kind(b"").contains("no header"), "{}", kind(b""));
    assert!(kind(b"VENUSR").contains("no header"), "{}", kind(b"VENUSR"));
}

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(7);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn plain_streams() {
    let commands = [create_buffer(0x12, 1), push_constants(300 << 10), destroy_buffer(0x12)];
    let stream: Vec<u8> = commands.iter().flat_map(|command| command.0.clone()).collect();
    let options = Options { detail: Detail::Brief, ..Options::default() };
    let mut out = Vec::new();
    let end = dump(Input::raw(Trickle(&stream)), &options, &mut out).unwrap();
    let bytes = stream.len() as u64;
    assert_eq!(end, End::Stream { bytes });
    let expected = format!(
        "\
#0      @0  vkCreateBuffer(device=0x3, pCreateInfo=VkBufferCreateInfo{{…}}, pBuffer=0x12)
#1      @108  vkCmdPushConstants(commandBuffer=0x10, layout=NULL, stageFlags=VK_SHADER_STAGE_VERTEX_BIT, offset=0, \
size=307200, pValues=307200 bytes)
#2      @307352  vkDestroyBuffer(device=0x3, buffer=0x12)
3 commands; the stream is complete: {bytes} bytes
"
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);

    let mut out = Vec::new();
    let end = dump(Input::raw(&stream[..stream.len() - 3]), &options, &mut out).unwrap();
    assert_eq!(end, End::Damaged { at: 307_352 });
    let out = String::from_utf8(out).unwrap();
    let expected = "\
!       @307352  vkDestroyBuffer(device=0x3, buffer=0x12)
  ! stops at byte 24, pAllocator: the bytes end inside it
    00000000 00
2 commands; the stream stops making sense at the command at byte 307352
";
    assert!(out.ends_with(expected), "{out}");
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

#[test]
fn any_bytes_are_printed() {
    let mut random = Random(1);
    let whole = recording();
    for round in 0..400 {
        let mut bytes: Vec<u8> = (0..random.below(200)).map(|_| u8::try_from(random.below(4)).unwrap()).collect();
        if round % 2 == 0 {
            bytes = whole.clone();
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        for options in &forms() {
            let (printed, end) = dump_bytes(&bytes, options);
            assert_eq!(printed.is_empty(), end.is_none());
        }
    }
}

/// A request of each command that travels, and all of them once more with damage.
#[test]
fn all_commands_are_printed_even_damaged() {
    const REQUESTS: &str = include_str!("../../../../../venus-protocol/tests/golden/requests.tsv");
    let mut random = Random(2);
    for options in &forms() {
        let printed = print(options, Ending::Complete, |script| {
            for (_, vector) in vectors::parse(REQUESTS) {
                let vector = vector.unwrap();
                let mut damaged = vector.request.clone();
                let at = random.below(damaged.len());
                damaged[at] ^= 1 << random.below(8);
                for bytes in [vector.request, damaged] {
                    // As a request it has an answer of its own bytes, which is seldom one.
                    script.execute(&Bytes(bytes.clone()), &Bytes(bytes));
                }
            }
        });
        if options.json {
            for line in printed.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            }
        }
        let names = vectors::parse(REQUESTS).into_iter().map(|(_, vector)| vector.unwrap().command);
        let missing: Vec<_> = names.filter(|name| !printed.contains(name.as_str())).collect();
        assert_eq!(missing, Vec::<String>::new());
    }
}
