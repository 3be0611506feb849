//! Where the members of a structure lie, by the rules of C for 64-bit machines.

use crate::model::{Model, Scalar, Struct, Ty, Union, Var};

/// A type's size and alignment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) size: u64,
    pub(super) align: u64,
}

/// A structure with the offsets of its members, `sType` and `pNext` among them.
pub(super) struct Layout<'m> {
    pub(super) offsets: Vec<(&'m str, u64)>,
    pub(super) block: Block,
}

impl Block {
    const EMPTY: Self = Self { size: 0, align: 1 };
    const POINTER: Self = Self::scalar(8);

    const fn scalar(bytes: u64) -> Self {
        Self { size: bytes, align: bytes }
    }

    /// With another block behind it; returns where that is.
    fn push(&mut self, next: Self) -> u64 {
        let offset = self.size.next_multiple_of(next.align);
        *self = Self { size: offset.saturating_add(next.size), align: self.align.max(next.align) };
        offset
    }

    /// Long enough for elements of it to follow each other.
    fn padded(self) -> Self {
        Self { size: self.size.next_multiple_of(self.align), ..self }
    }
}

/// The layout of a structure; `None` if something in it has none that is known.
pub(super) fn of_struct<'m>(model: &Model, structure: &'m Struct) -> Option<Layout<'m>> {
    let (mut offsets, mut block) = (Vec::new(), Block::EMPTY);
    if structure.chain.is_some() {
        offsets.push(("sType", block.push(Block::scalar(4))));
        offsets.push(("pNext", block.push(Block::POINTER)));
    }
    for member in &structure.members {
        offsets.push((member.name.as_str(), block.push(of_var(model, member)?)));
    }
    Some(Layout { offsets, block: block.padded() })
}

fn of_union(model: &Model, union: &Union) -> Option<Block> {
    let members = union.members.iter().map(|member| of_var(model, &member.var));
    let blocks = members.collect::<Option<Vec<Block>>>()?.into_iter();
    let over = |one: Block, other: Block| Block { size: one.size.max(other.size), align: one.align.max(other.align) };
    Some(blocks.fold(Block::EMPTY, over).padded())
}

fn of_var(model: &Model, var: &Var) -> Option<Block> {
    let one = if var.pointee_const.is_empty() { of_type(model, &var.ty)? } else { Block::POINTER };
    let count = var.dimensions.iter().map(|dimension| dimension.size).fold(1, u64::saturating_mul);
    Some(Block { size: one.size.saturating_mul(count), ..one })
}

fn of_type(model: &Model, ty: &Ty) -> Option<Block> {
    Some(match ty {
        Ty::Char | Ty::Scalar(Scalar::U8) => Block::scalar(1),
        Ty::Scalar(Scalar::U16) => Block::scalar(2),
        Ty::Scalar(Scalar::U32 | Scalar::I32 | Scalar::F32) => Block::scalar(4),
        Ty::Scalar(Scalar::U64 | Scalar::I64 | Scalar::F64 | Scalar::Size) | Ty::Handle(_) => Block::scalar(8),
        Ty::Enum(id) => Block::scalar(u64::from(model.enums[id.0].bit_width / 8)),
        Ty::Bitmask(id) => Block::scalar(u64::from(model.bitmasks[id.0].bit_width / 8)),
        Ty::Struct(id) => of_struct(model, model.structure(*id))?.block,
        Ty::Union(id) => of_union(model, model.union(*id))?,
        Ty::Void | Ty::Opaque => return None,
    })
}
