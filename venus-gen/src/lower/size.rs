//! The fewest bytes that a structure can take, so that a decoder can refuse a count before it makes room.

use std::collections::BTreeMap;

use super::{Field, Partial, Shape, StructPlan, UnionPlan};
use crate::model::{EnumId, Model, StructId, Ty, UnionId};

const TAG: usize = 4;
const WORD: usize = 8;

/// Smallest encodings, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    full: BTreeMap<StructId, usize>,
    partial: BTreeMap<StructId, usize>,
    unions: BTreeMap<UnionId, usize>,
    wide_enums: Vec<EnumId>,
    wide_bitmasks: Vec<usize>,
}

impl Sizes {
    pub(super) fn new(
        model: &Model,
        structs: &BTreeMap<StructId, StructPlan>,
        unions: &BTreeMap<UnionId, UnionPlan>,
    ) -> Self {
        let wide = |bits: u32| bits == 64;
        let mut sizes = Self {
            wide_enums: (0..model.enums.len()).filter(|i| wide(model.enums[*i].bit_width)).map(EnumId).collect(),
            wide_bitmasks: (0..model.bitmasks.len()).filter(|i| wide(model.bitmasks[*i].bit_width)).collect(),
            ..Self::default()
        };
        for id in structs.keys() {
            sizes.structure(model, structs, unions, *id);
        }
        sizes
    }

    /// Smallest full encoding of a structure, `sType` and chain included.
    pub(crate) fn full(&self, id: StructId) -> usize {
        self.full.get(&id).copied().unwrap_or(0)
    }

    /// Smallest partial encoding.
    pub(crate) fn partial(&self, id: StructId) -> usize {
        self.partial.get(&id).copied().unwrap_or(0)
    }

    /// Smallest encoding of one item of a type, alone (not packed in an array of scalars).
    pub(crate) fn item(&self, ty: &Ty) -> usize {
        match ty {
            Ty::Void | Ty::Char | Ty::Opaque => 1,
            Ty::Scalar(scalar) => scalar.wire_bytes(),
            Ty::Enum(id) if self.wide_enums.contains(id) => WORD,
            Ty::Bitmask(id) if self.wide_bitmasks.contains(&id.0) => WORD,
            Ty::Enum(_) | Ty::Bitmask(_) => TAG,
            Ty::Handle(_) => WORD,
            Ty::Struct(id) => self.full(*id),
            Ty::Union(id) => self.unions.get(id).copied().unwrap_or(TAG),
        }
    }

    fn structure(
        &mut self,
        model: &Model,
        structs: &BTreeMap<StructId, StructPlan>,
        unions: &BTreeMap<UnionId, UnionPlan>,
        id: StructId,
    ) {
        let Some(plan) = structs.get(&id).filter(|_| !self.full.contains_key(&id)) else {
            return;
        };
        for field in &plan.fields {
            self.mentioned(model, structs, unions, &field.var.ty);
        }
        let head = if model.structure(id).chain.is_some() { TAG + WORD } else { 0 };
        let full: usize = plan.fields.iter().map(|field| self.field(field)).sum();
        let partial: usize = plan.fields.iter().map(|field| self.partial_field(field)).sum();
        self.full.insert(id, head + full);
        self.partial.insert(id, head + partial);
    }

    fn mentioned(
        &mut self,
        model: &Model,
        structs: &BTreeMap<StructId, StructPlan>,
        unions: &BTreeMap<UnionId, UnionPlan>,
        ty: &Ty,
    ) {
        match ty {
            Ty::Struct(id) => self.structure(model, structs, unions, *id),
            Ty::Union(id) => {
                let members = unions.get(id).map_or(&[][..], |plan| plan.members.as_slice());
                for (_, field) in members {
                    self.mentioned(model, structs, unions, &field.var.ty);
                }
                let smallest = members.iter().map(|(_, field)| self.field(field)).min().unwrap_or(0);
                self.unions.insert(*id, TAG + smallest);
            }
            _ => {}
        }
    }

    fn field(&self, field: &Field) -> usize {
        match &field.shape {
            Shape::Value => self.item(&field.var.ty),
            Shape::Fixed(n) => WORD + usize::try_from(*n).unwrap_or(0) * self.packed(&field.var.ty),
            Shape::Chars(n) => WORD + usize::try_from(*n).unwrap_or(0),
            _ => WORD,
        }
    }

    fn partial_field(&self, field: &Field) -> usize {
        match (field.partial, &field.shape, &field.var.ty) {
            (Partial::Full, ..) => self.field(field),
            (Partial::Nothing, ..) => 0,
            (Partial::Shape, Shape::Value, Ty::Struct(id)) => self.partial(*id),
            (Partial::Shape, Shape::Fixed(n), Ty::Struct(id)) => {
                WORD + usize::try_from(*n).unwrap_or(0) * self.partial(*id)
            }
            (Partial::Shape, Shape::Value | Shape::Fixed(_), _) => self.field(field),
            (Partial::Shape | Partial::Capacity | Partial::Marker, ..) => WORD,
        }
    }

    /// Bytes per element in an array.
    fn packed(&self, ty: &Ty) -> usize {
        match ty {
            Ty::Scalar(crate::model::Scalar::U8) => 1,
            other => self.item(other),
        }
    }
}
