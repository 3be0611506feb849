//! Values as text: `name = value`, and lines below for what has parts.

use std::fmt::Write as _;

use venus_protocol::reflect::{
    self, Choice, HandleRow, Item, MemberRow, Scalar, Shape, StructRow,
    value::{Field, Struct, Union, Value},
};

use super::{
    Detail,
    objects::{End as ObjectEnd, Objects},
    text::STEP,
    units,
    view::is_identity,
};

/// How much of long values is shown, unless all of it is asked for.
const SHOWN_ITEMS: usize = 16;
const SHOWN_BYTES: usize = 32;
const SHOWN_CHARS: usize = 256;

/// Structures of numbers that are no longer than this stand on one line.
const PLAIN_CHARS: usize = 110;
const PLAIN_MEMBERS: usize = 8;

/// The first word of every SPIR-V module.
const SPIRV_MAGIC: u32 = 0x0723_0203;

/// Parameters on one line.
pub(super) fn push_brief(text: &mut String, params: &[Field<'_>], detail: Detail) {
    text.push('(');
    let mut separator = "";
    for field in params.iter().filter(|field| !is_always_null(field)) {
        push(text, format_args!("{separator}{}=", field.row.name));
        Writer { text, detail, objects: None }.brief(field.row, &field.value);
        separator = ", ";
    }
    text.push(')');
}

/// Whether a parameter can only be null, like every `pAllocator`.
fn is_always_null(field: &Field<'_>) -> bool {
    matches!(field.row.shape, Shape::Null)
}

/// Whether a structure is nothing but numbers and enums.
fn is_plain(value: &Struct<'_>) -> bool {
    let is_number = |field: &Field<'_>| match &field.value {
        Value::Number(..) | Value::Enum(..) => true,
        Value::Struct(value) => is_plain(value),
        _ => false,
    };
    let is_short = (1..=PLAIN_MEMBERS).contains(&value.fields.len());
    value.row.s_type.is_none() && is_short && value.fields.iter().all(is_number)
}

/// Whether nothing of a structure that the command will fill is there yet, not even the type of a node.
fn is_blank(value: &Struct<'_>) -> bool {
    let is_blank = |field: &Field<'_>| matches!(&field.value, Value::Struct(value) if is_blank(value));
    value.is_partial && value.row.s_type.is_none() && value.fields.iter().all(is_blank)
}

/// Whether a member is an array of floats that is part of its structure.
fn is_floats(row: &MemberRow) -> bool {
    matches!((row.item, row.shape), (Item::Scalar(Scalar::F32), Shape::Fixed(_)))
}

/// The words of a union's member, if that is what it consists of, perhaps as a union in the union.
fn words<'v>(value: &'v Union<'_>) -> Option<&'v [u8]> {
    match &value.field.as_ref()?.value {
        Value::Packed(Item::Scalar(Scalar::U32), bits) => Some(bits),
        Value::Union(inner) => words(inner),
        _ => None,
    }
}

/// The members of a structure of 32-bit numbers that lies where `bits` are; `None` if it is another kind of structure.
fn overlay(row: &'static StructRow, bits: &[u8]) -> Option<Vec<Field<'static>>> {
    let (words, _) = bits.as_chunks::<4>();
    let field = |(row, word): (&'static MemberRow, &[u8; 4])| match (row.item, row.shape) {
        (Item::Scalar(kind @ (Scalar::F32 | Scalar::U32)), Shape::Value) => {
            Some(Field { row, value: Value::Number(kind, u64::from(u32::from_le_bytes(*word))) })
        }
        _ => None,
    };
    let fields: Option<Vec<_>> = row.members.iter().zip(words).map(field).collect();
    fields.filter(|fields| fields.len() == row.members.len())
}

/// Writes values.
pub(super) struct Writer<'w> {
    pub(super) text: &'w mut String,
    pub(super) detail: Detail,
    /// Where ids are looked up, if their history is to be told.
    pub(super) objects: Option<&'w Objects>,
}

impl Writer<'_> {
    pub(super) fn fields(&mut self, fields: &[Field<'_>], indent: usize) {
        fields.iter().for_each(|field| self.field(field, indent));
    }

    pub(super) fn field(&mut self, field: &Field<'_>, indent: usize) {
        pad(self.text, indent);
        self.text.push_str(field.row.name);
        self.text.push_str(" = ");
        self.rest(Some(field.row), &field.value, indent);
    }

    /// What follows `name = `, up to the end of the line, and the lines below.
    fn rest(&mut self, row: Option<&MemberRow>, value: &Value<'_>, indent: usize) {
        match value {
            Value::Struct(value) => self.structure(value, indent),
            Value::Union(value) => self.union(value, indent),
            Value::List { count, .. } => self.list(row, value, *count, indent),
            Value::Packed(Item::Handle(_), _) => {
                let count = value.elements();
                self.list(row, value, count as u64, indent);
            }
            value => {
                self.inline(row, value);
                self.text.push('\n');
            }
        }
    }

    fn structure(&mut self, value: &Struct<'_>, indent: usize) {
        self.text.push_str(value.row.name);
        if is_blank(value) {
            return self.text.push_str(", to be filled\n");
        }
        if is_plain(value) {
            let before = self.text.len();
            self.text.push(' ');
            self.plain(value);
            if self.text.len().saturating_sub(before) <= PLAIN_CHARS {
                return self.text.push('\n');
            }
            self.text.truncate(before);
        }
        if value.is_partial {
            self.text.push_str(", to be filled");
        }
        self.text.push('\n');
        let inner = indent.saturating_add(STEP);
        if let Some(s_type) = value.row.s_type {
            let name = reflect::STRUCTURE_TYPE.display(s_type.into());
            line(self.text, inner, |text| write!(text, "sType = {name}"));
        }
        if value.row.children().len() > 0 {
            pad(self.text, inner);
            self.text.push_str("pNext = ");
            if value.chain.is_empty() {
                self.text.push_str("NULL\n");
            } else {
                push(self.text, format_args!("[{}]\n", value.chain.len()));
            }
            for (index, node) in value.chain.iter().enumerate() {
                let inner = inner.saturating_add(STEP);
                pad(self.text, inner);
                push(self.text, format_args!("[{index}] = "));
                self.structure(node, inner);
            }
        }
        self.fields(&value.fields, inner);
    }

    /// A structure of numbers on one line: `{x = 0, y = 0}`.
    fn plain(&mut self, value: &Struct<'_>) {
        let mut separator = "{";
        for field in &value.fields {
            push(self.text, format_args!("{separator}{} = ", field.row.name));
            match &field.value {
                Value::Struct(value) => self.plain(value),
                value => self.inline(Some(field.row), value),
            }
            separator = ", ";
        }
        self.text.push('}');
    }

    fn union(&mut self, value: &Union<'_>, indent: usize) {
        self.text.push_str(value.row.name);
        self.text.push('\n');
        let inner = indent.saturating_add(STEP);
        value.field.iter().for_each(|field| self.field(field, inner));
        // Senders that cannot know which member is meant copy the bits of one that is as long as all.
        let (Choice::Always(_), Some(bits)) = (value.row.choice, words(value)) else { return };
        for (_, row) in value.row.members {
            if is_floats(row) {
                pad(self.text, inner);
                push(self.text, format_args!("{} = ", row.name));
                self.packed(row.item, bits, &Value::Packed(row.item, bits));
            } else if let Item::Struct(structure) = row.item
                && let Some(fields) = overlay(structure, bits)
            {
                pad(self.text, inner);
                push(self.text, format_args!("{} = {} ", row.name, structure.name));
                self.plain(&Struct { row: structure, is_partial: false, chain: Vec::new(), fields });
            } else {
                continue;
            }
            self.text.push_str(" (the same bits)\n");
        }
    }

    /// Elements on lines of their own.
    fn list(&mut self, row: Option<&MemberRow>, value: &Value<'_>, count: u64, indent: usize) {
        push(self.text, format_args!("[{count}]\n"));
        let inner = indent.saturating_add(STEP);
        let shown = self.shown(value.elements(), SHOWN_ITEMS);
        for index in 0..shown {
            let Some(element) = value.element(index) else { break };
            pad(self.text, inner);
            push(self.text, format_args!("[{index}] = "));
            self.rest(row, &element, inner);
        }
        let more = value.elements().saturating_sub(shown);
        if more > 0 {
            line(self.text, inner, |text| write!(text, "… {more} more"));
        }
    }

    /// How many of so many things are shown.
    fn shown(&self, count: usize, limit: usize) -> usize {
        if self.detail == Detail::Full { count } else { count.min(limit) }
    }

    /// A value that needs no lines of its own.
    pub(super) fn inline(&mut self, row: Option<&MemberRow>, value: &Value<'_>) {
        match value {
            Value::Number(kind, bits) => push_number(self.text, row, *kind, *bits),
            Value::Enum(row, value) => push(self.text, format_args!("{}", row.display(*value))),
            Value::Handle(_, 0) | Value::Null => self.text.push_str("NULL"),
            Value::Handle(row, id) => {
                push(self.text, format_args!("{} {id:#x}", row.name));
                self.history(row, *id);
            }
            Value::Room => self.text.push_str("to be filled"),
            Value::Capacity(count) => push(self.text, format_args!("[{count}], to be filled")),
            Value::Packed(item, bytes) => self.packed(*item, bytes, value),
            Value::Text(bytes) => push_string(self.text, bytes, self.detail),
            Value::Bytes(bytes) => push_bytes(self.text, bytes, self.detail),
            Value::List { count, .. } => push(self.text, format_args!("[{count}]")),
            Value::Struct(value) => push(self.text, format_args!("{}{{…}}", value.row.name)),
            Value::Union(value) => push(self.text, format_args!("{}{{…}}", value.row.name)),
        }
    }

    fn packed(&mut self, item: Item, bytes: &[u8], value: &Value<'_>) {
        if let (Item::Scalar(Scalar::U32), Some(version)) = (item, spirv_version(bytes)) {
            push(self.text, format_args!("{version}"));
            if self.detail != Detail::Full {
                return;
            }
            self.text.push_str(": ");
            return units::push_hex(self.text, bytes);
        }
        if matches!(item, Item::Scalar(Scalar::U8)) {
            return push_bytes(self.text, bytes, self.detail);
        }
        self.text.push('[');
        let shown = self.shown(value.elements(), SHOWN_ITEMS);
        for index in 0..shown {
            if index > 0 {
                self.text.push_str(", ");
            }
            if let Some(element) = value.element(index) {
                self.inline(None, &element);
            }
        }
        let more = value.elements().saturating_sub(shown);
        if more > 0 {
            push(self.text, format_args!(", … {more} more"));
        }
        self.text.push(']');
    }

    /// A parameter on the line of its command.
    fn brief(&mut self, row: &MemberRow, value: &Value<'_>) {
        match value {
            Value::Handle(_, id) if *id != 0 => push(self.text, format_args!("{id:#x}")),
            Value::Packed(Item::Handle(_), bytes) if bytes.len() == 8 => {
                let id = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                push(self.text, format_args!("[{id:#x}]"));
            }
            Value::Packed(_, bytes) if spirv_version(bytes).is_none() && value.elements() > 4 => {
                push(self.text, format_args!("[{}]", value.elements()));
            }
            Value::Packed(Item::Handle(_), _) => push(self.text, format_args!("[{}]", value.elements())),
            Value::Room => self.text.push('…'),
            Value::Struct(value) if is_blank(value) => self.text.push('…'),
            Value::Capacity(count) => push(self.text, format_args!("[{count}]")),
            Value::Bytes(bytes) => push(self.text, format_args!("{} bytes", bytes.len())),
            Value::Struct(value) if is_plain(value) => self.plain(value),
            value => self.inline(Some(row), value),
        }
    }

    /// The history of an object.
    fn history(&mut self, row: &'static HandleRow, id: u64) {
        if let Some(objects) = self.objects {
            push_origin(self.text, objects, row.name, id);
        }
    }
}

pub(super) fn push_origin(text: &mut String, objects: &Objects, name: &str, id: u64) {
    let Some(object) = objects.lookup(id) else { return };
    let created = object.created;
    if object.row.name != name {
        return push(text, format_args!(" (which is the {} of {created})", object.row.name));
    }
    match object.end {
        None => push(text, format_args!(" (created by {created})")),
        Some(ObjectEnd::Destroyed(by)) => push(text, format_args!(" (created by {created}, DESTROYED by {by})")),
        Some(ObjectEnd::Failed) => push(text, format_args!(" (NEVER CREATED: {created} failed)")),
    }
}

fn push_number(text: &mut String, row: Option<&MemberRow>, kind: Scalar, bits: u64) {
    let low = (bits & u64::from(u32::MAX)).try_into().unwrap_or(0_u32);
    match kind {
        Scalar::F32 => push(text, format_args!("{:?}", f32::from_bits(low))),
        Scalar::F64 => push(text, format_args!("{:?}", f64::from_bits(bits))),
        Scalar::I32 => push(text, format_args!("{}", low.cast_signed())),
        Scalar::I64 => push(text, format_args!("{}", bits.cast_signed())),
        Scalar::Bool32 if bits == 0 => text.push_str("VK_FALSE"),
        Scalar::Bool32 if bits == 1 => text.push_str("VK_TRUE"),
        Scalar::DeviceSize if bits == u64::MAX => text.push_str("VK_WHOLE_SIZE"),
        Scalar::DeviceAddress => push(text, format_args!("{bits:#x}")),
        Scalar::U64 if row.is_some_and(is_identity) => push(text, format_args!("{bits:#x}")),
        Scalar::U64 | Scalar::Size if bits == u64::MAX => push(text, format_args!("{bits:#x}")),
        Scalar::U32 | Scalar::Bool32 if low == u32::MAX => push(text, format_args!("{low:#x}")),
        _ => push(text, format_args!("{bits}")),
    }
    if row.is_some_and(|row| kind == Scalar::U32 && row.name.to_ascii_lowercase().ends_with("apiversion")) {
        push(text, format_args!(" ({}.{}.{})", low >> 22 & 0x7f, low >> 12 & 0x3ff, low & 0xfff));
    }
}

fn push_string(text: &mut String, bytes: &[u8], detail: Detail) {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let string = String::from_utf8_lossy(bytes);
    match string.char_indices().nth(SHOWN_CHARS).filter(|_| detail != Detail::Full) {
        Some((end, _)) => {
            let start = string.get(..end).unwrap_or_default();
            push(text, format_args!("{start:?}… ({} bytes)", bytes.len()));
        }
        None => push(text, format_args!("{string:?}")),
    }
}

pub(super) fn push_bytes(text: &mut String, bytes: &[u8], detail: Detail) {
    match spirv_version(bytes) {
        Some(version) => push(text, format_args!("{version}: ")),
        None => push(text, format_args!("{} bytes: ", bytes.len())),
    }
    let shown = if detail == Detail::Full { bytes.len() } else { bytes.len().min(SHOWN_BYTES) };
    units::push_hex(text, bytes.get(..shown).unwrap_or(bytes));
    if shown < bytes.len() {
        push(text, format_args!(" … {} more", bytes.len().saturating_sub(shown)));
    }
}

/// What bytes are if they are a shader.
fn spirv_version(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word));
    let version = word(4).filter(|_| word(0) == Some(SPIRV_MAGIC))?;
    Some(format!("SPIR-V {}.{}, {} bytes", version >> 16 & 0xff, version >> 8 & 0xff, bytes.len()))
}

pub(super) fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

pub(super) fn line(text: &mut String, indent: usize, write: impl FnOnce(&mut String) -> std::fmt::Result) {
    pad(text, indent);
    let _infallible = write(text);
    text.push('\n');
}

pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _infallible = text.write_fmt(arguments);
}
