//! Chunks: they keep a recording readable when its writer was killed.
//!
//! A chunk is written by one system call and has a checksum, so a file is valid up to its last complete chunk. Byte
//! layout, little-endian:
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 4 | magic | `VNRC` |
//! | 4 | 4 | stored | length of the payload in the file |
//! | 8 | 4 | plain | length of the payload once decompressed; equal to `stored` if it is not compressed |
//! | 12 | 4 | checksum | CRC-32 (IEEE) of bytes 0 to 11 and of the payload as stored |
//! | 16 | `stored` | payload | an LZ4 block, or the bytes themselves |

use std::io::{self, Read};

/// Bytes of a chunk's header.
pub(super) const HEADER_BYTES: usize = 16;

/// Bytes of it that the checksum covers, besides the payload.
const CHECKED_BYTES: usize = 12;

/// Most bytes that one byte of an LZ4 block can decompress to. A chunk that claims more is refused before memory is
/// allocated for it.
const LARGEST_RATIO: usize = 255;

/// The largest payload, decompressed, that a reader accepts; far above [`CHUNK_BYTES`] because one record may hold the
/// largest command stream that a guest can send.
pub(super) const PLAIN_BYTES: usize = 1 << 30;

/// A chunk is closed once it holds this much.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

/// Payloads below this are not worth compressing.
const COMPRESSED_FROM: usize = 256;

const MAGIC: [u8; 4] = *b"VNRC";

/// Encodes one chunk that holds `plain`.
pub(super) fn encode(plain: &[u8]) -> io::Result<Vec<u8>> {
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "a record exceeds the limit of a recording's chunk");
    if plain.len() > PLAIN_BYTES {
        return Err(too_long(()));
    }
    let compressed = (plain.len() >= COMPRESSED_FROM).then(|| lz4_flex::block::compress(plain));
    let payload = compressed.as_deref().filter(|bytes| bytes.len() < plain.len()).unwrap_or(plain);
    let stored = u32::try_from(payload.len()).map_err(|_| too_long(()))?;
    let plain_len = u32::try_from(plain.len()).map_err(|_| too_long(()))?;
    let mut chunk = Vec::with_capacity(HEADER_BYTES.saturating_add(payload.len()));
    chunk.extend_from_slice(&MAGIC);
    chunk.extend_from_slice(&stored.to_le_bytes());
    chunk.extend_from_slice(&plain_len.to_le_bytes());
    let sum = checksum(&chunk, payload);
    chunk.extend_from_slice(&sum.to_le_bytes());
    chunk.extend_from_slice(payload);
    Ok(chunk)
}

fn checksum(start_of_header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(start_of_header);
    hasher.update(payload);
    hasher.finalize()
}

/// What is found where a chunk should begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A valid chunk, of so many bytes in the file; its payload is in the buffer.
    Chunk(u64),
    /// The end of the file.
    Nothing,
    /// An incomplete chunk, of so many bytes.
    Partial(u64),
    /// No valid chunk, for this reason.
    Damaged(&'static str),
}

/// Reads the chunk that begins at the reader's position and leaves its payload in `plain`.
pub(super) fn decode(reader: &mut impl Read, plain: &mut Vec<u8>) -> io::Result<Found> {
    plain.clear();
    let mut header = [0; HEADER_BYTES];
    let read = read_up_to(reader, &mut header)?;
    if read == 0 {
        return Ok(Found::Nothing);
    }
    if read < HEADER_BYTES {
        return Ok(Found::Partial(count(read)));
    }
    // Always four words.
    let [magic, stored, plain_len, sum] = header.as_chunks().0 else {
        return Ok(Found::Nothing);
    };
    if *magic != MAGIC {
        return Ok(Found::Damaged("no chunk begins there"));
    }
    let length = |word: &[u8; 4]| usize::try_from(u32::from_le_bytes(*word)).unwrap_or(usize::MAX);
    let (stored, plain_len) = (length(stored), length(plain_len));
    if plain_len > PLAIN_BYTES || stored > plain_len {
        return Ok(Found::Damaged("a chunk's lengths are out of range"));
    }
    let mut payload = Vec::new();
    Read::take(&mut *reader, count(stored)).read_to_end(&mut payload)?;
    let found = count(HEADER_BYTES).saturating_add(count(payload.len()));
    if payload.len() < stored {
        return Ok(Found::Partial(found));
    }
    let (start_of_header, _sum) = header.split_at(CHECKED_BYTES);
    if checksum(start_of_header, &payload) != u32::from_le_bytes(*sum) {
        return Ok(Found::Damaged("a chunk's checksum is wrong"));
    }
    if stored == plain_len {
        *plain = payload;
    } else if plain_len > stored.saturating_mul(LARGEST_RATIO) {
        return Ok(Found::Damaged("a chunk does not decompress"));
    } else {
        *plain = match lz4_flex::block::decompress(&payload, plain_len) {
            Ok(bytes) if bytes.len() == plain_len => bytes,
            Ok(_) | Err(_) => return Ok(Found::Damaged("a chunk does not decompress")),
        };
    }
    Ok(Found::Chunk(found))
}

/// A length as a number of the file's bytes.
fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(plain: &[u8]) {
        let chunk = encode(plain).unwrap();
        let mut back = Vec::new();
        assert_eq!(decode(&mut &*chunk, &mut back).unwrap(), Found::Chunk(chunk.len() as u64));
        assert_eq!(back, plain);
        for cut in 0..chunk.len() {
            let found = decode(&mut &chunk[..cut], &mut back).unwrap();
            assert_eq!(found, if cut == 0 { Found::Nothing } else { Found::Partial(cut as u64) }, "cut at {cut}");
        }
        for flipped in 0..chunk.len() {
            let mut chunk = chunk.clone();
            chunk[flipped] ^= 0x10;
            let found = decode(&mut &*chunk, &mut back).unwrap();
            assert!(!matches!(found, Found::Chunk(_)), "byte {flipped} flipped goes unnoticed");
        }
    }

    #[test]
    fn chunks_come_back_and_notice_damage() {
        check(b"short");
        check(&[7; 3000]);
        check(&(0..2000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>());
    }
}
