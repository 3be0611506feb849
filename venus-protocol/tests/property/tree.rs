//! Properties of the tree of values: it holds what a walk shows, whatever the bytes are.

use core::ops::ControlFlow;

use proptest::prelude::*;
use venus_protocol::reflect::value::{Field, Reply, Request, Struct, Value};
use venus_protocol::reflect::{self, Direction, Item, Partial, Piece, Shape, Stop, Why};
use venus_protocol::wire::{Member, limits};

use crate::generate::{reply, request};
use crate::{for_all_commands, hex};

/// A piece of a command that takes bytes. Numbers are here as their bytes, without padding.
#[derive(Clone, Debug, PartialEq)]
enum Leaf {
    StructureType(i32),
    Marker(bool),
    Count(u64),
    Tag(u32),
    Bytes(Vec<u8>),
}

/// What a walk shows.
#[derive(Default)]
struct Shown(Vec<Leaf>);

impl reflect::Visitor for Shown {
    fn visit(&mut self, _at: usize, _len: usize, _member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        self.0.extend(match piece {
            Piece::Begin(_) | Piece::BeginNode(_) | Piece::End => None,
            Piece::StructureType(s_type) => Some(Leaf::StructureType(s_type)),
            Piece::Marker(is_present) => Some(Leaf::Marker(is_present)),
            Piece::Count(count) => Some(Leaf::Count(count)),
            Piece::Tag(tag) => Some(Leaf::Tag(tag)),
            Piece::Value(item, bytes) => Some(Leaf::Bytes(bytes[..item.packed_bytes().unwrap()].to_vec())),
            Piece::Values(_, bytes) | Piece::Bytes(_, bytes) => Some(Leaf::Bytes(bytes.to_vec())),
        });
        ControlFlow::Continue(())
    }
}

/// What a tree holds.
#[derive(Default)]
struct Held(Vec<Leaf>);

impl Held {
    fn fields(&mut self, fields: &[Field<'_>]) {
        fields.iter().for_each(|field| self.field(field));
    }

    fn field(&mut self, Field { row, value }: &Field<'_>) {
        let is_pointer = matches!(row.shape, Shape::Pointer | Shape::Null);
        match (row.shape, value) {
            (Shape::Value, value) => self.value(value),
            (_, Value::Null) if is_pointer || is_marker(row) => self.0.push(Leaf::Marker(false)),
            (Shape::Pointer, Value::Room) => self.0.push(Leaf::Marker(true)),
            (Shape::Pointer, value) => {
                self.0.push(Leaf::Marker(true));
                self.value(value);
            }
            (_, value) => self.array(value),
        }
    }

    fn array(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => {
                self.0.push(Leaf::Count(0));
            }
            Value::Capacity(count) => self.0.push(Leaf::Count(*count)),
            Value::Packed(item, bytes) => {
                self.0.push(Leaf::Count((bytes.len() / item.packed_bytes().unwrap()) as u64));
                self.0.push(Leaf::Bytes(bytes.to_vec()));
            }
            Value::Text(bytes) | Value::Bytes(bytes) => {
                self.0.push(Leaf::Count(bytes.len() as u64));
                self.0.push(Leaf::Bytes(bytes.to_vec()));
            }
            Value::List { count, items } => {
                self.0.push(Leaf::Count(*count));
                for element in items {
                    match element {
                        Value::Struct(_) | Value::Union(_) => self.value(element),
                        _ => self.array(element),
                    }
                }
            }
            other => panic!("{other:?} is no array"),
        }
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Number(kind, bits) => {
                let size = Item::Scalar(*kind).packed_bytes().unwrap();
                self.0.push(Leaf::Bytes(bits.to_le_bytes()[..size].to_vec()));
            }
            Value::Enum(row, value) => {
                let size = if row.is_wide { 8 } else { 4 };
                self.0.push(Leaf::Bytes(value.to_le_bytes()[..size].to_vec()));
            }
            Value::Handle(_, id) => self.0.push(Leaf::Bytes(id.to_le_bytes().to_vec())),
            Value::Struct(value) => self.structure(value),
            Value::Union(value) => {
                self.0.push(Leaf::Tag(value.tag));
                value.field.iter().for_each(|field| self.field(field));
            }
            other => panic!("{other:?} is no single value"),
        }
    }

    fn structure(&mut self, value: &Struct<'_>) {
        if let Some(s_type) = value.row.s_type {
            self.0.push(Leaf::StructureType(s_type));
            for node in &value.chain {
                self.0.push(Leaf::Marker(true));
                self.0.push(Leaf::StructureType(node.row.s_type.unwrap()));
            }
            self.0.push(Leaf::Marker(false));
            value.chain.iter().rev().for_each(|node| self.fields(&node.fields));
        }
        self.fields(&value.fields);
    }
}

/// Whether of an output only a marker is in the request.
fn is_marker(row: &reflect::MemberRow) -> bool {
    row.direction == Direction::Out && row.partial() == Partial::Marker
}

/// Empty arrays look the same whether or not their nothing is shown as a piece.
fn without_nothing(leaves: &[Leaf]) -> Vec<Leaf> {
    leaves.iter().filter(|leaf| !matches!(leaf, Leaf::Bytes(bytes) if bytes.is_empty())).cloned().collect()
}

fn compare(shown: &Shown, fields: &[Field<'_>], returned: Option<&Value<'_>>, bytes: &[u8]) -> Result<(), String> {
    let mut held = Held::default();
    returned.into_iter().for_each(|value| held.value(value));
    held.fields(fields);
    let (shown, held) = (without_nothing(&shown.0), without_nothing(&held.0));
    match shown.iter().zip(&held).position(|(shown, held)| shown != held) {
        Some(at) => Err(format!("leaf {at} is {:?}, not {:?}\n{}", held[at], shown[at], hex(bytes))),
        None if shown.len() != held.len() => Err(format!("{} leaves of {}\n{}", held.len(), shown.len(), hex(bytes))),
        None => Ok(()),
    }
}

#[test]
fn trees_hold_what_walks_show() {
    for_all_commands(|row, seed, size| {
        let (bytes, mut shown) = (request(row, seed, size), Shown::default());
        reflect::walk_request(&bytes, &mut shown).map_err(|stop| format!("{stop:?}"))?;
        let tree = Request::read(&bytes).map_err(|stop| format!("{stop:?}"))?;
        if tree.stop.is_some() || tree.len != bytes.len() {
            return Err(format!("stops at byte {} of {}: {:?}", tree.len, bytes.len(), tree.stop));
        }
        compare(&shown, &tree.params, None, &bytes)?;

        let (bytes, mut shown) = (reply(row, seed, size), Shown::default());
        reflect::walk_reply(&bytes, &mut shown).map_err(|stop| format!("{stop:?}"))?;
        let tree = Reply::read(&bytes).map_err(|stop| format!("{stop:?}"))?;
        if tree.stop.is_some() || tree.len != bytes.len() {
            return Err(format!("stops at byte {} of {}: {:?}", tree.len, bytes.len(), tree.stop));
        }
        compare(&shown, &tree.outputs, tree.returned.as_ref(), &bytes)
    });
}

/// Where a walk stops, the tree does, with everything before that.
fn stops_alike(bytes: &[u8]) -> Result<(), String> {
    let mut shown = Shown::default();
    let walked = reflect::walk_request(bytes, &mut shown);
    let tree = match (Request::read(bytes), walked) {
        (Ok(tree), _) => tree,
        (Err(stop), Err(walked)) if stop == walked => return Ok(()),
        (Err(stop), walked) => return Err(format!("{stop:?}, the walk {walked:?}\n{}", hex(bytes))),
    };
    match (tree.stop, walked) {
        (None, Ok(len)) if len == tree.len => compare(&shown, &tree.params, None, bytes),
        (Some(stop), Err(walked)) if stop == walked => Ok(()),
        // A chain of more nodes than there are structures: the walk's limit is a little higher.
        (Some(Stop { why: Why::Unreadable, .. }), _) if bytes.len() > 12 * limits::MAX_CHAIN_NODES as usize => Ok(()),
        (stop, walked) => Err(format!("stops with {stop:?}, the walk {walked:?}\n{}", hex(bytes))),
    }
}

#[test]
fn cut_and_damaged_requests_stop_trees_where_they_stop_walks() {
    for_all_commands(|row, seed, size| {
        let mut bytes = request(row, seed, size);
        let at = usize::try_from(seed % (1 << 20)).unwrap() % bytes.len();
        stops_alike(&bytes[..at])?;
        bytes[at] ^= (seed >> 32) as u8 | 1;
        stops_alike(&bytes)
    });
}

#[test]
fn counts_without_bytes_take_no_memory() {
    // Partial structures that take no bytes, as many as fit in 64 bits.
    let mut bytes = Vec::new();
    bytes.extend(venus_protocol::wire::CommandType::GET_PHYSICAL_DEVICE_QUEUE_FAMILY_PROPERTIES.0.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend(u64::MAX.to_le_bytes());
    let tree = Request::read(&bytes).unwrap();
    assert_eq!((tree.stop, tree.len), (None, bytes.len()));
    assert!(matches!(tree.param("pQueueFamilyProperties"), Some(Value::Capacity(u64::MAX))));
}

proptest! {
    #[test]
    fn any_bytes_make_a_tree(number in 0..340_u32, rest in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..300)) {
        let bytes = [&number.to_le_bytes()[..], &rest].concat();
        prop_assert_eq!(stops_alike(&bytes), Ok(()));
        if let Ok(tree) = Reply::read(&bytes) {
            prop_assert!(tree.len <= bytes.len());
        }
    }
}
