//! Protocol Buffers by a table: any message of Perfetto's that the table has, and nothing that it does not have.

use std::{collections::BTreeMap, sync::LazyLock};

/// The table.
const FIELDS: &str = include_str!("perfetto.fields");

struct Field {
    name: &'static str,
    kind: &'static str,
    is_repeated: bool,
}

static SCHEMA: LazyLock<BTreeMap<&'static str, BTreeMap<u64, Field>>> = LazyLock::new(|| {
    let mut schema = BTreeMap::<_, BTreeMap<_, _>>::new();
    let mut message = "";
    for line in FIELDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') {
            message = line;
            continue;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let field = Field { name: words[1], kind: words[2], is_repeated: words.get(3) == Some(&"repeated") };
        schema.entry(message).or_default().insert(words[0].parse().expect("a number"), field);
    }
    schema
});

#[derive(Debug)]
pub(super) enum Value {
    Number(u64),
    Text(String),
    Message(Message),
}

/// A message: names and values of its fields, in their order.
#[derive(Debug)]
pub(super) struct Message(Vec<(&'static str, Value)>);

impl Message {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    pub(super) fn messages<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Message> {
        self.all(name).filter_map(|value| if let Value::Message(message) = value { Some(message) } else { None })
    }

    pub(super) fn message<'a>(&'a self, name: &'a str) -> Option<&'a Message> {
        self.messages(name).next()
    }

    pub(super) fn numbers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u64> + 'a {
        self.all(name).filter_map(|value| if let Value::Number(number) = value { Some(*number) } else { None })
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.numbers(name).next()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all(name).find_map(|value| if let Value::Text(text) = value { Some(text.clone()) } else { None })
    }

    /// All fields with another name.
    pub(super) fn fields_but(&self, name: &str) -> Vec<(&'static str, &Value)> {
        self.0.iter().filter(|(other, _)| *other != name).map(|(name, value)| (*name, value)).collect()
    }
}

/// Reads a message of that type. An error says which field is not as the schema has it.
pub(super) fn parse(kind: &str, mut bytes: &[u8]) -> Result<Message, String> {
    let fields = SCHEMA.get(kind).ok_or_else(|| format!("the schema has no {kind}"))?;
    let mut message = Message(Vec::new());
    while !bytes.is_empty() {
        let tag = read_number(&mut bytes)?;
        let field = fields.get(&(tag >> 3)).ok_or_else(|| format!("{kind} has no field {}", tag >> 3))?;
        let name = field.name;
        if !field.is_repeated && message.all(name).next().is_some() {
            return Err(format!("{kind}.{name} is there twice"));
        }
        let value = match (tag & 7, field.kind) {
            (0, "uint32" | "int32" | "uint64" | "int64" | "bool" | "enum") => Value::Number(read_number(&mut bytes)?),
            (2, kind) if SCHEMA.contains_key(kind) => Value::Message(parse(kind, read_bytes(&mut bytes)?)?),
            (2, "string" | "bytes") => {
                let text = String::from_utf8(read_bytes(&mut bytes)?.to_vec());
                Value::Text(text.map_err(|error| format!("{kind}.{name}: {error}"))?)
            }
            (wire, other) => return Err(format!("{kind}.{name} of type {other} is written as wire type {wire}")),
        };
        message.0.push((name, value));
    }
    Ok(message)
}

/// The bytes without a field at their end that is cut off. Fields have to be messages, as those of a trace are.
pub(super) fn whole_fields(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    let mut whole = 0;
    while read_number(&mut rest).is_ok() && read_bytes(&mut rest).is_ok() {
        whole = bytes.len() - rest.len();
    }
    &bytes[..whole]
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or("a number is cut off")?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("a number has no end".to_owned())
}

fn read_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let len = usize::try_from(read_number(bytes)?).map_err(|error| error.to_string())?;
    let (value, rest) = bytes.split_at_checked(len).ok_or_else(|| format!("{len} bytes are cut off"))?;
    *bytes = rest;
    Ok(value)
}
