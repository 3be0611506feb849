//! Reads a recording, chunk by chunk, up to its end or to the first damage.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use super::{
    MAGIC,
    event::{Header, Record, VERSION},
    format::{self, Found},
};

/// Why a file cannot be read as a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system cannot read it.
    #[error("cannot read the recording: {0}")]
    Io(#[from] io::Error),
    /// It does not begin as recordings do.
    #[error("this is no recording: it does not begin with {:?}", String::from_utf8_lossy(&MAGIC))]
    NotARecording,
    /// Another version of this program wrote it.
    #[error(
        "the recording has version {0} of the format, this program reads version {VERSION}; use the program that wrote it"
    )]
    Version(u32),
    /// It was cut or damaged before anything was recorded.
    #[error("the recording has no header: {0}")]
    NoHeader(Ending),
}

/// How a recording ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The guest left; the recording is complete.
    Complete,
    /// At a chunk's border, without the guest having left: the server was killed, or is still writing.
    Open {
        /// Bytes of the file.
        bytes: u64,
    },
    /// In the middle of a chunk.
    Cut {
        /// Where the incomplete chunk begins.
        at: u64,
        /// How many bytes of it there are.
        bytes: u64,
    },
    /// At bytes that are no valid chunk, or no record.
    Damaged {
        /// Where the damaged chunk begins.
        at: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete: the guest left"),
            Self::Open { bytes } => {
                write!(f, "ends at byte {bytes} before the guest left: the server was killed or is still recording")
            }
            Self::Cut { at, bytes } => {
                write!(f, "cut: the chunk at byte {at} is incomplete, its {bytes} bytes are left out")
            }
            Self::Damaged { at, reason } => write!(f, "damaged at byte {at}: {reason}; nothing after that is read"),
        }
    }
}

/// A recording being read.
pub struct Reader<R = BufReader<File>> {
    input: R,
    header: Header,
    /// The records of the current chunk, and how many of their bytes are read.
    chunk: Vec<u8>,
    at: usize,
    /// Where the current chunk begins in the file, and where the next one does.
    chunk_at: u64,
    next_chunk_at: u64,
    left: bool,
    ending: Option<Ending>,
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or does not begin like a recording.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::new(BufReader::new(File::open(path)?))
    }
}

impl<R: Read> Reader<R> {
    /// Reads a recording from its beginning.
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`].
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let mut start = [0; MAGIC.len() + 4];
        let read = input.read_exact(&mut start);
        let (magic, version) = start.split_at(MAGIC.len());
        match read {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
            Ok(()) if magic == MAGIC => {}
            _ => return Err(ReadError::NotARecording),
        }
        let version = version.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if version != VERSION {
            return Err(ReadError::Version(version));
        }
        let at = u64::try_from(start.len()).unwrap_or(u64::MAX);
        let mut chunk = Vec::new();
        let header = match format::decode(&mut input, &mut chunk)? {
            Found::Chunk(bytes) => match postcard::from_bytes(&chunk) {
                Ok(header) => Ok((header, at.saturating_add(bytes))),
                Err(_) => Err(Ending::Damaged { at, reason: "the first chunk holds no header" }),
            },
            Found::Nothing => Err(Ending::Open { bytes: at }),
            Found::Partial(bytes) => Err(Ending::Cut { at, bytes }),
            Found::Damaged(reason) => Err(Ending::Damaged { at, reason }),
        };
        let (header, next_chunk_at) = header.map_err(ReadError::NoHeader)?;
        chunk.clear();
        Ok(Self { input, header, chunk, at: 0, chunk_at: at, next_chunk_at, left: false, ending: None })
    }

    /// What was recorded, and by what.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next record; `None` at the end, of which [`Reader::ending`] says more.
    ///
    /// # Errors
    ///
    /// The system cannot read the file. Damage of the file is no error but its ending.
    pub fn next_record(&mut self) -> io::Result<Option<Record<'_>>> {
        while self.ending.is_none() && self.at >= self.chunk.len() {
            self.next_chunk()?;
        }
        if self.ending.is_some() {
            return Ok(None);
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        match postcard::take_from_bytes::<Record<'_>>(rest) {
            Ok((record, after)) => {
                self.at = self.chunk.len().saturating_sub(after.len());
                self.left = matches!(record.event, super::Event::Left);
                Ok(Some(record))
            }
            Err(_) => {
                self.ending = Some(Ending::Damaged {
                    at: self.chunk_at,
                    reason: "a chunk holds something that this version does not know",
                });
                Ok(None)
            }
        }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        self.at = 0;
        self.chunk_at = self.next_chunk_at;
        let at = self.chunk_at;
        match format::decode(&mut self.input, &mut self.chunk)? {
            Found::Chunk(bytes) => self.next_chunk_at = at.saturating_add(bytes),
            Found::Nothing if self.left => self.ending = Some(Ending::Complete),
            Found::Nothing => self.ending = Some(Ending::Open { bytes: at }),
            Found::Partial(bytes) => self.ending = Some(Ending::Cut { at, bytes }),
            Found::Damaged(reason) => self.ending = Some(Ending::Damaged { at, reason }),
        }
        Ok(())
    }

    /// How the recording ends, once [`Reader::next_record`] has returned `None`.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Bytes of the file up to the end of the chunk that the last record came from; for progress.
    pub fn position(&self) -> u64 {
        self.next_chunk_at
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("header", &self.header).field("ending", &self.ending).finish_non_exhaustive()
    }
}
