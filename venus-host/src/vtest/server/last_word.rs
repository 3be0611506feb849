//! What came of a guest, by its worker's account: the last that a worker says.
//!
//! It stands behind whatever the server had asked and was not told yet, and is read when the worker has ended, so nobody
//! waits for it. A worker in its guest's hands says what it likes, or nothing: it is numbers and a line or two of words, once.

use std::os::unix::net::UnixStream;

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use super::{super::session::Summary, inquiry};
use crate::{limits, socket::SEND};

/// In the length of a message: that it is the last word, and no answer.
const LAST: u32 = 1 << 31;

/// Longest reason that travels. Those of the host's own are a line.
const REASON_BYTES: usize = 4096;

/// Longest last word, and what may stand before it.
const MOST_BYTES: usize =
    inquiry::ANSWER_BYTES + size_of::<u32>() + 8 * NUMBERS + limits::CONTEXT_NAME_BYTES + 1 + REASON_BYTES;

/// Numbers in a [`Summary`].
const NUMBERS: usize = 3;

/// Says it. Nobody is left to say anything else to the server, who is not waited for.
pub(super) fn say(control: &UnixStream, summary: &Summary) {
    let _gone = rustix::net::send(control, &encode(summary), SEND | SendFlags::DONTWAIT);
}

/// What a worker that has ended has said at last, if it has. `heard` is what was read of an answer before.
pub(super) fn read(worker: &UnixStream, mut heard: Vec<u8>) -> Option<Summary> {
    let mut bytes = [0; 1024];
    while heard.len() < MOST_BYTES {
        match rustix::net::recv(worker, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((count @ 1.., _)) => heard.extend_from_slice(bytes.get(..count)?),
            Err(Errno::INTR) => {}
            Ok((0, _)) | Err(_) => break,
        }
    }
    decode(&heard)
}

fn encode(summary: &Summary) -> Vec<u8> {
    let cut =
        |text: &str, most: usize| inquiry::printable(text.get(..text.floor_char_boundary(most)).unwrap_or_default());
    let mut body: Vec<u8> = [summary.commands, summary.failures, summary.findings].map(u64::to_le_bytes).concat();
    body.extend(cut(&summary.name, limits::CONTEXT_NAME_BYTES).as_bytes());
    if let Some(lost) = &summary.lost {
        body.push(b'\n');
        body.extend(cut(&lost.replace('\n', " "), REASON_BYTES).as_bytes());
    }
    let length = u32::try_from(body.len()).unwrap_or(0) | LAST;
    [&length.to_le_bytes()[..], &body].concat()
}

/// The last word in what a worker has said, behind any answers.
fn decode(mut said: &[u8]) -> Option<Summary> {
    loop {
        let (length, rest) = said.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        let (body, rest) = rest.split_at_checked(usize::try_from(length & !LAST).ok()?)?;
        if length & LAST != 0 {
            return summary(body);
        }
        said = rest;
    }
}

fn summary(body: &[u8]) -> Option<Summary> {
    let (numbers, text) = body.split_first_chunk::<{ 8 * NUMBERS }>()?;
    let text = String::from_utf8_lossy(text);
    let (name, lost) = match text.split_once('\n') {
        Some((name, lost)) => (name, Some(inquiry::printable(lost))),
        None => (&*text, None),
    };
    let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
    let mut number = || numbers.next().unwrap_or_default();
    let (commands, failures, findings) = (number(), number(), number());
    Some(Summary { name: inquiry::printable(name), commands, failures, findings, lost })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn some(lost: Option<&str>) -> Summary {
        Summary { name: "cube".to_owned(), commands: 1, failures: 2, findings: 3, lost: lost.map(str::to_owned) }
    }

    #[test]
    fn it_travels_behind_answers() {
        let answer = [&3_u32.to_le_bytes()[..], b"abc"].concat();
        for before in [&[][..], &answer] {
            for lost in [None, Some(""), Some("it was lost")] {
                let (server, mut worker) = UnixStream::pair().unwrap();
                let (heard, coming) = before.split_at(before.len() / 2);
                worker.write_all(coming).unwrap();
                say(&worker, &some(lost));
                drop(worker);
                assert_eq!(read(&server, heard.to_vec()), Some(some(lost)));
            }
        }
    }

    #[test]
    fn it_has_bounds_and_is_fit_for_a_terminal() {
        let name = "n".repeat(limits::CONTEXT_NAME_BYTES + 1);
        let lost = format!("a\nb\x1b[2J{}", "ä".repeat(REASON_BYTES));
        let said = decode(&encode(&Summary { name, lost: Some(lost), ..Summary::default() })).unwrap();
        assert_eq!(said.name.len(), limits::CONTEXT_NAME_BYTES);
        let lost = said.lost.unwrap();
        assert!(lost.starts_with("a b[2Jä") && lost.len() <= REASON_BYTES, "{lost}");
        assert!(encode(&some(None)).len() <= MOST_BYTES);
    }

    #[test]
    fn a_worker_that_says_something_else_or_nothing_is_not_waited_for() {
        let (server, worker) = UnixStream::pair().unwrap();
        assert_eq!(read(&server, Vec::new()), None, "it lives, and says nothing");
        let whole = encode(&some(Some("lost")));
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None);
        }
        worker.set_nonblocking(true).unwrap();
        while rustix::net::send(&worker, &[0; 4096], SEND).is_ok() {}
        assert_eq!(read(&server, Vec::new()), None);
        let left = rustix::io::ioctl_fionread(&server).unwrap();
        assert!(left > 4096, "{left}");
    }
}
