//! The payload of SUBMIT_CMD2: batches of commands, each with the syncs to signal when it is done.
//!
//! All offsets count words from the start of the payload:
//!
//! | word | what |
//! |-----:|------|
//! | 0 | number of batches |
//! | 1 + 6 i | batch i: flags, command offset, command words, sync offset, sync count, `ring_idx` |
//! | wherever the batches say | commands, and syncs as (id, value low, value high) |
//!
//! A guest of protocol version 3 packs batches of 6 words. (Version 4 has 8; the two only agree for a single batch,
//! which is all that Mesa sends.) The offsets in the batches are honoured, not computed, and checked in 64 bits: sums
//! of 32-bit words overflow.

use super::framing::{FramingError, sync_value};
use crate::limits;

/// Words per batch in protocol version 3.
const BATCH_WORDS: usize = 6;

/// The batch names a timeline in `ring_idx`.
const FLAG_RING_IDX: u32 = 0x1;

/// One batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    /// Commands of a direct submission; may be empty.
    pub(super) commands: &'a [u8],
    /// Syncs and the values they get.
    pub(super) syncs: Vec<(u32, u64)>,
    /// The timeline on which they get them; without one, they get them at once.
    pub(super) ring_idx: Option<u32>,
}

/// The batches of a payload. All are checked before the first is executed.
pub(super) fn parse(payload: &[u8]) -> Result<Vec<Batch<'_>>, FramingError> {
    let (words, _) = payload.as_chunks::<4>();
    let count = words.first().map_or(0, |word| u32::from_le_bytes(*word));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count == 0 || count > limits::BATCHES_PER_SUBMIT {
        return Err(FramingError::Illegal(format!(
            "a submission of {count} batches (at most {} are accepted)",
            limits::BATCHES_PER_SUBMIT
        )));
    }
    let (records, _) = words.get(1..).unwrap_or_default().as_chunks::<BATCH_WORDS>();
    let records = records
        .get(..count)
        .ok_or_else(|| FramingError::Illegal(format!("{count} batches do not fit their submission")))?;
    records.iter().map(|record| parse_batch(payload, record.map(u32::from_le_bytes))).collect()
}

fn parse_batch(payload: &[u8], record: [u32; BATCH_WORDS]) -> Result<Batch<'_>, FramingError> {
    let [flags, command_offset, command_words, sync_offset, sync_count, ring_idx] = record;
    if flags & !FLAG_RING_IDX != 0 {
        return Err(FramingError::Illegal(format!(
            "batch flags {flags:#x} (file descriptors need protocol version 4)"
        )));
    }
    let outside = |what| FramingError::Illegal(format!("the {what} of a batch lie outside its submission"));
    let commands = slice(payload, command_offset, u64::from(command_words)).ok_or_else(|| outside("commands"))?;
    let syncs = match sync_count {
        0 => &[],
        count => slice(payload, sync_offset, u64::from(count).saturating_mul(3)).ok_or_else(|| outside("syncs"))?,
    };
    let (syncs, _) = syncs.as_chunks::<12>();
    let syncs = syncs.iter().map(sync_value).collect();
    Ok(Batch { commands, syncs, ring_idx: (flags & FLAG_RING_IDX != 0).then_some(ring_idx) })
}

/// `words` words of the payload from word `offset` on.
fn slice(payload: &[u8], offset: u32, words: u64) -> Option<&[u8]> {
    let start = u64::from(offset).checked_mul(4)?;
    let end = start.checked_add(words.checked_mul(4)?)?;
    payload.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn one_batch_as_mesa_sends_it() {
        let bytes = payload(&[1, 1, 7, 4, 11, 1, 0, 0xa, 0xb, 0xc, 0xd, 5, 1, 0]);
        let batches = parse(&bytes).unwrap();
        let expected = Batch { commands: &bytes[28..44], syncs: vec![(5, 1)], ring_idx: Some(0) };
        assert_eq!(batches, [expected]);
    }

    #[test]
    fn two_batches_are_six_words_apart() {
        let bytes = payload(&[2, 0, 13, 1, 0, 0, 9, 1, 14, 1, 15, 1, 3, 0xa, 0xb, 7, 2, 1]);
        let batches = parse(&bytes).unwrap();
        assert_eq!(batches[0], Batch { commands: &bytes[52..56], syncs: vec![], ring_idx: None });
        assert_eq!(batches[1], Batch { commands: &bytes[56..60], syncs: vec![(7, 0x1_0000_0002)], ring_idx: Some(3) });
    }

    #[test]
    fn nothing_outside_the_payload_is_named() {
        for words in [
            &[][..],
            &[0],
            &[1],
            &[u32::MAX],
            &[1, 1, 7, 0, 7, 0],
            &[2, 1, 7, 0, 7, 0, 0],
            &[1, 1, 7, 1, 7, 0, 0],
            &[1, 1, u32::MAX, u32::MAX, 7, 0, 0],
            &[1, 1, 7, 0, 7, u32::MAX, 0],
            &[1, 1, 7, 0, 7, 1, 0, 1, 1],
            &[1, 3, 7, 0, 7, 0, 0],
        ] {
            assert!(matches!(parse(&payload(words)), Err(FramingError::Illegal(_))), "{words:?}");
        }
        assert_eq!(parse(&payload(&[1, 1, 7, 0, u32::MAX, 0, 0])).unwrap().len(), 1, "no syncs, no sync offset");
    }
}
