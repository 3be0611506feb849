//! What real guests did, changed here and there, at the socket of a server with a real driver.
//!
//! The noting driver of the other targets believes nothing that it is not told to believe. A real one believes its caller, so
//! here the sanitizer is the worker's own death: a step is cut out for as long as the worker still dies, and what is left
//! is a recording that the server has written.
//!
//! Nothing here is shared with the server but its socket and files, and what is changed follows from a number.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    io::{self, Read as _, Write as _},
    net::Shutdown,
    ops::ControlFlow,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use venus_observe::recording::{Event, Reader};
use venus_protocol::{
    reflect::{self, Item, Piece},
    wire::{CommandType, Member},
};
use venus_verify::named::{Nobody, command_of, named, new_ids, silent};

use crate::{seeds::Noise, source::Source, vtest};

/// How long a guest's requests may take.
const PLAY_LIMIT: Duration = Duration::from_secs(20);
/// How long a server may take to tell of a guest that has left.
const ACCOUNT_LIMIT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);
/// How often steps are cut out of a guest's life that a worker has died of.
const CUTS: usize = 60;
/// Changes to one guest's life, at most.
const CHANGES: usize = 3;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// The server's socket.
    pub socket: PathBuf,
    /// Where it tells of guests that have left, a line each.
    pub accounts: PathBuf,
    /// Where it records.
    pub records: PathBuf,
    /// Where recordings are kept of workers that died.
    pub found: PathBuf,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Guests that were served, those of which something was cut included.
    pub guests: u64,
    /// Requests that they sent.
    pub requests: u64,
    /// Contexts that were ended for what they sent.
    pub refused: u64,
    /// Guests that were not served to their ends in time.
    pub stuck: u64,
    /// Deaths of workers: how often each, and the recording of the shortest.
    pub deaths: BTreeMap<String, (u64, PathBuf)>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guests, requests, refused, stuck, deaths } = self;
        let times: u64 = deaths.values().map(|(times, _)| times).sum();
        write!(
            f,
            "driver: {guests} guests with {requests} requests, {refused} refused, {stuck} stuck; workers died {times} times"
        )?;
        deaths.iter().try_for_each(|(place, (times, file))| write!(f, "\n  {times} x {place}\n    {}", file.display()))
    }
}

/// What a guest sends: a message of the vtest socket.
#[derive(Clone, Debug)]
enum Step {
    Request(Vec<u8>),
    /// Memory that it wants to see.
    Blob {
        memory: u64,
        size: u64,
    },
}

/// What became of a guest.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Left,
    Refused,
    Stuck,
    /// Its worker died: how, and in which command.
    Died(String),
}

/// Plays lives of guests for so long, which follow from the number.
///
/// # Errors
///
/// A file cannot be read or written, or the server is gone.
pub fn run(places: &Places, recordings: &Path, time: Duration, seed: u64) -> io::Result<Outcome> {
    let lives = lives(recordings)?;
    let end = Instant::now() + time;
    let (mut noise, mut outcome) = (Noise(seed), Outcome::default());
    while Instant::now() < end {
        let choices = noise.bytes(64 * CHANGES);
        let mut source = Source::new(&choices);
        let mut life = lives[source.below(lives.len())].clone();
        change(&mut life, &mut source);
        if let Fate::Died(place) = play(places, &life, &mut outcome)? {
            if let Some((times, _)) = outcome.deaths.get_mut(&place) {
                *times += 1;
                forget_records(places)?;
            } else {
                let file = shorten(places, life, &place, &mut outcome)?;
                outcome.deaths.insert(place, (1, file));
            }
        }
    }
    Ok(outcome)
}

/// What is recorded of real guests, without what is about rings.
fn lives(recordings: &Path) -> io::Result<Vec<Vec<Step>>> {
    let mut files: Vec<_> = fs::read_dir(recordings)?.map(|file| Ok(file?.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "venusrec"));
    files.sort();
    let mut lives = Vec::new();
    for file in files {
        let mut reader = Reader::open(&file).map_err(|error| io::Error::other(error.to_string()))?;
        let (mut life, mut device) = (Vec::new(), 0);
        while let Some(record) = reader.next_record()? {
            match &record.event {
                Event::Begin { request, .. } if !command_of(request).name().ends_with("MESA") => {
                    life.push(Step::Request(silent(request.to_vec())));
                    let command = command_of(request);
                    if command == CommandType::CREATE_DEVICE {
                        device = new_ids(request)[0];
                        life.push(create_fence(device));
                    } else if command.name().starts_with("vkQueueSubmit") {
                        life.extend(wait_for_queue(device, named(request)[0].id));
                    }
                }
                Event::Blob { blob_id: memory @ 1.., size, .. } => {
                    life.push(Step::Blob { memory: *memory, size: *size });
                }
                _ => {}
            }
        }
        if !life.is_empty() {
            lives.push(life);
        }
    }
    if lives.is_empty() {
        return Err(io::Error::other(format!("there is no recording of a guest in {}", recordings.display())));
    }
    Ok(lives)
}

/// The id of the fence that a life waits for after each submission. Guests wait by looking at memory, which is not recorded
/// as something that they did.
const FENCE: u64 = 0x7fff_0001;
/// How long that may take, in nanoseconds.
const FENCE_LIMIT: u64 = 5_000_000_000;

/// A request without a wish for a reply, of words.
fn request(command: CommandType, words: &[u32]) -> Step {
    let bytes: Vec<u8> = [command.0, 0].iter().chain(words).flat_map(|word| word.to_le_bytes()).collect();
    debug_assert!(reflect::walk_request(&bytes, &mut Nobody).is_ok(), "{command}");
    Step::Request(bytes)
}

fn halves(wide: u64) -> [u32; 2] {
    [wide as u32, (wide >> 32) as u32]
}

/// vkCreateFence on a device.
fn create_fence(device: u64) -> Step {
    const FENCE_CREATE_INFO: u32 = 8;
    let ([device, high], [fence, _]) = (halves(device), halves(FENCE));
    let info = [1, 0, FENCE_CREATE_INFO, 0, 0, 0];
    request(CommandType::CREATE_FENCE, &[&[device, high], &info[..], &[0, 0, 1, 0, fence, 0]].concat())
}

/// Waits for all that was submitted to a queue.
fn wait_for_queue(device: u64, queue: u64) -> [Step; 3] {
    let ([device, high], [fence, _]) = (halves(device), halves(FENCE));
    let ([queue, queue_high], [limit, limit_high]) = (halves(queue), halves(FENCE_LIMIT));
    let one = [device, high, 1, 1, 0, fence, 0];
    [
        request(CommandType::QUEUE_SUBMIT, &[queue, queue_high, 0, 0, 0, fence, 0]),
        request(CommandType::WAIT_FOR_FENCES, &[&one[..], &[1, limit, limit_high]].concat()),
        request(CommandType::RESET_FENCES, &one),
    ]
}

/// Where the numbers and ids of a request are, how wide, and whether it is an id.
#[derive(Default)]
struct Members(Vec<(usize, usize, bool)>);

impl reflect::Visitor for Members {
    fn visit(&mut self, at: usize, _len: usize, _member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        if let Piece::Value(item, bytes) | Piece::Values(item, bytes) = piece
            && let Some(width) = item.packed_bytes()
        {
            let is_id = matches!(item, Item::Handle(_));
            self.0.extend((0..bytes.len() / width).map(|nth| (at + nth * width, width, is_id)));
        }
        ControlFlow::Continue(())
    }
}

/// Changes a life here and there.
fn change(life: &mut Vec<Step>, source: &mut Source<'_>) {
    for _ in 0..=source.below(CHANGES) {
        let at = usize::from(source.short()) % life.len();
        let other = usize::from(source.short()) % life.len();
        match source.byte() {
            // Once more, or not at all.
            0..0x10 => life.insert(at, life[other].clone()),
            0x10..0x20 if life.len() > 1 => drop(life.remove(at)),
            // Earlier than it should be, as what destroys something.
            0x20..0x40 => {
                let step = life.remove(at.max(other));
                life.insert(at.min(other), step);
            }
            _ => {
                let ids: Vec<u64> = match &life[other] {
                    Step::Request(request) => named(request).iter().map(|named| named.id).collect(),
                    Step::Blob { memory, .. } => vec![*memory],
                };
                match &mut life[at] {
                    Step::Request(request) => change_member(request, &ids, source),
                    Step::Blob { size, .. } => *size = source.number() % (1 << 32),
                }
            }
        }
    }
}

/// Gives one member of a request another value: for ids, one of these.
fn change_member(request: &mut [u8], ids: &[u64], source: &mut Source<'_>) {
    let mut members = Members::default();
    // As far as it is well formed.
    if reflect::walk_request(request, &mut members).is_err() || members.0.is_empty() {
        return;
    }
    let (at, width, is_id) = members.0[usize::from(source.short()) % members.0.len()];
    let value = match (is_id, ids) {
        (true, [_, ..]) => ids[source.below(ids.len())],
        (true, []) => 0,
        (false, _) => source.number(),
    };
    request[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Lives a life.
fn play(places: &Places, life: &[Step], outcome: &mut Outcome) -> io::Result<Fate> {
    outcome.guests += 1;
    let name = format!("fuzz-{}", outcome.guests);
    let mut bytes = vtest::greeting(&name);
    for step in life {
        match step {
            Step::Request(request) => {
                outcome.requests += 1;
                vtest::put_submission(&mut bytes, request);
            }
            Step::Blob { memory, size } => vtest::put_blob(&mut bytes, *memory, *size),
        }
    }
    let mut socket = UnixStream::connect(&places.socket)?;
    socket.set_write_timeout(Some(PLAY_LIMIT))?;
    let mut answers = socket.try_clone()?;
    answers.set_read_timeout(Some(PLAY_LIMIT))?;
    // What is answered matters to nobody, but has to be taken, and its end is the end of the guest.
    let reader = thread::spawn(move || {
        let mut some = [0; 4096];
        loop {
            match answers.read(&mut some) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    });
    // A guest that is refused cannot send the rest.
    drop(socket.write_all(&bytes));
    drop(socket.shutdown(Shutdown::Write));
    let is_over = reader.join().expect("it does not panic");
    drop(socket);
    let fate = account(places, &name, is_over)?;
    match &fate {
        Fate::Left => {}
        Fate::Refused => outcome.refused += 1,
        Fate::Stuck => outcome.stuck += 1,
        Fate::Died(_) => return Ok(fate),
    }
    forget_records(places)?;
    Ok(fate)
}

/// What the server tells of a guest that has left.
fn account(places: &Places, name: &str, is_over: bool) -> io::Result<Fate> {
    let begin = format!("\"name\":\"{name}\"");
    let end = Instant::now() + ACCOUNT_LIMIT;
    while Instant::now() < end {
        let accounts = fs::read_to_string(&places.accounts).unwrap_or_default();
        if let Some(line) = accounts.lines().rev().find(|line| line.contains(&begin)) {
            return Ok(match line.split_once("\"lost\":\"") {
                Some((_, lost)) if lost.starts_with("its worker ended") => {
                    Fate::Died(lost.split('"').next().unwrap_or(lost).to_owned())
                }
                Some(_) => Fate::Refused,
                None if is_over => Fate::Left,
                None => Fate::Stuck,
            });
        }
        thread::sleep(LOOK);
    }
    Ok(Fate::Stuck)
}

/// The recordings that there are.
fn records(places: &Places) -> io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(&places.records)?.map(|file| Ok(file?.path())).collect()
}

fn forget_records(places: &Places) -> io::Result<()> {
    records(places)?.iter().try_for_each(fs::remove_file)
}

/// Cuts out of a life what a worker dies without, and keeps the recording.
fn shorten(places: &Places, mut life: Vec<Step>, place: &str, outcome: &mut Outcome) -> io::Result<PathBuf> {
    let keep = |nth| -> io::Result<PathBuf> {
        let name: String = command_in(place).chars().filter(char::is_ascii_alphanumeric).collect();
        let kept = places.found.join(format!("{name}-{nth}.venusrec"));
        if let Some(record) = records(places)?.last() {
            fs::copy(record, &kept)?;
        }
        forget_records(places)?;
        Ok(kept)
    };
    let nth = outcome.deaths.len();
    let kept = keep(nth)?;
    let mut part = life.len() / 2;
    let mut cuts = 0;
    while part > 0 && cuts < CUTS {
        let mut at = 0;
        while at < life.len() && cuts < CUTS {
            let mut shorter = life.clone();
            shorter.drain(at..(at + part).min(life.len()));
            cuts += 1;
            match play(places, &shorter, outcome)? {
                Fate::Died(other) if is_same(&other, place) => {
                    life = shorter;
                    keep(nth)?;
                }
                Fate::Died(_) => {
                    forget_records(places)?;
                    at += part;
                }
                _ => at += part,
            }
        }
        part /= 2;
    }
    Ok(kept)
}

/// Whether two workers died of the same, as far as their server can say. A thread of the driver's own, which executes what
/// was submitted, dies whenever it comes to that.
fn is_same(one: &str, other: &str) -> bool {
    const ELSEWHERE: &str = "between commands";
    one.contains(ELSEWHERE) && other.contains(ELSEWHERE) || command_in(one) == command_in(other)
}

/// The command in which a worker ended, as its server says.
fn command_in(place: &str) -> &str {
    place.split(' ').find(|word| word.starts_with("vk")).unwrap_or("nowhere")
}
