//! Vector files: known requests with the size of their replies.
//!
//! A file is a table, separated by tabs, with a heading line:
//!
//! | column | meaning |
//! |---|---|
//! | `command` | canonical name |
//! | `id` | number on the wire |
//! | `request_bytes` | length of the request |
//! | `reply_bytes` | length of the successful reply, 0 if the request asks for none |
//! | `request_hex` | the request |

use std::fmt;

use venus_protocol::wire::Arena;

use super::{Mismatch, check_request};

/// One row of a vector file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// Line in the file, from 1.
    pub line: usize,
    /// Canonical name.
    pub command: String,
    /// Number on the wire.
    pub id: u32,
    /// Length of the successful reply.
    pub reply_bytes: usize,
    /// The request.
    pub request: Vec<u8>,
}

/// Why a row failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The line is not a row.
    Malformed(String),
    /// The codec disagrees with the bytes.
    Mismatch(Mismatch),
    /// The request is of another command than the row says.
    OtherCommand(String),
    /// The reply has another length.
    ReplySize {
        /// According to the row.
        expected: usize,
        /// According to the codec.
        found: usize,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed row: {what}"),
            Self::Mismatch(mismatch) => write!(f, "{mismatch}"),
            Self::OtherCommand(name) => write!(f, "the request is of {name}"),
            Self::ReplySize { expected, found } => write!(f, "reply takes {found} bytes, must take {expected}"),
        }
    }
}

/// Reads the rows of a file, skipping the heading; a malformed line is a failure of its own.
pub fn parse(text: &str) -> Vec<(usize, Result<Vector, Failure>)> {
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("command\t"));
    rows.map(|(index, line)| (index + 1, parse_row(index + 1, line))).collect()
}

fn parse_row(line: usize, text: &str) -> Result<Vector, Failure> {
    let malformed = |what: &str| Failure::Malformed(what.to_owned());
    let columns: Vec<&str> = text.split('\t').collect();
    let [command, id, request_bytes, reply_bytes, hex] = columns.as_slice() else {
        return Err(malformed(&format!("{} columns, must be 5", columns.len())));
    };
    let number = |column: &str, name: &str| {
        column.trim().parse::<usize>().map_err(|_| malformed(&format!("{name} is {column:?}")))
    };
    let request = bytes(hex.trim()).ok_or_else(|| malformed("request_hex is not hex"))?;
    if number(request_bytes, "request_bytes")? != request.len() {
        return Err(malformed("request_bytes differs from the length of request_hex"));
    }
    let id = u32::try_from(number(id, "id")?).map_err(|_| malformed("id is out of range"))?;
    Ok(Vector { line, command: (*command).to_owned(), id, reply_bytes: number(reply_bytes, "reply_bytes")?, request })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Checks one row: the request decodes, encodes to the same bytes, and its reply has the stated size.
pub fn check(vector: &Vector, arena: &Arena) -> Result<(), Failure> {
    let verified = check_request(&vector.request, arena).map_err(Failure::Mismatch)?;
    if verified.command.0 != vector.id || verified.command.name() != vector.command {
        return Err(Failure::OtherCommand(verified.command.to_string()));
    }
    match verified.reply.len() {
        found if found == vector.reply_bytes => Ok(()),
        found => Err(Failure::ReplySize { expected: vector.reply_bytes, found }),
    }
}
