//! Expressions for single fields: what reads one, what writes one. Shared by the emitters of structures and commands.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::names::{self, ident};
use super::types::Types;
use crate::lower::{Direction, Field, Partial, Shape, WirePlan};
use crate::model::{Command, Condition, Length, Model, Returns, Scalar, Ty, UnionChoice};

/// Which form is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Full,
    Partial,
}

/// What the expressions need to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec<'m> {
    pub(crate) model: &'m Model,
    pub(crate) plan: &'m WirePlan,
    pub(crate) types: &'m Types<'m>,
}

/// Name of a structure's or union's function, for example `decode_buffer_create_info`.
pub(crate) fn function(verb: &str, c_name: &str, form: Form) -> Ident {
    match form {
        Form::Full => format_ident!("{verb}_{}", names::type_snake(c_name)),
        Form::Partial => format_ident!("{verb}_{}_partial", names::type_snake(c_name)),
    }
}

pub(crate) fn field_ident(field: &Field) -> Ident {
    ident(&names::variable(&field.var.name))
}

impl Codec<'_> {
    /// The name of a structure or union as the C name that functions are called after.
    fn c_name(&self, ty: &Ty) -> &str {
        match ty {
            Ty::Struct(id) => self.model.structure(*id).name(),
            Ty::Union(id) => self.model.union(*id).name(),
            _ => "",
        }
    }

    /// Whether a level is not the oldest one, so that peers may be older.
    pub(crate) fn is_later(&self, level: u32) -> bool {
        self.model.levels.first().is_some_and(|oldest| oldest.number < level)
    }

    /// Whether the union is chosen by a selector next to it. A decoder compares its tag with that: whoever goes by the
    /// selector would follow a pointer that was none, or send on what nobody reads.
    pub(crate) fn is_selected(&self, ty: &Ty) -> bool {
        matches!(ty, Ty::Union(id) if self.model.union(*id).choice == Some(UnionChoice::Selector))
    }

    /// Whether the receiver of a member has to know the value of one that was read before.
    pub(crate) fn asks_sibling(&self, field: &Field) -> bool {
        field.is_counted_by_sibling() || self.is_selected(&field.var.ty)
    }

    /// The lifetime parameter of a decoder of `ty` and the decoder's type: what a type borrows, the decoder lends.
    pub(crate) fn decoder_of(&self, ty: &Ty) -> (TokenStream, TokenStream) {
        match self.types.has_lifetime(ty) {
            true => (quote!(<'a>), quote!(Decoder<'a>)),
            false => (quote!(), quote!(Decoder<'_>)),
        }
    }

    /// Whether nothing of an item travels in this form.
    pub(crate) fn is_room(&self, ty: &Ty, form: Form) -> bool {
        let plan = match ty {
            Ty::Struct(id) if form == Form::Partial && self.model.structure(*id).chain.is_none() => {
                self.plan.structs.get(id)
            }
            _ => None,
        };
        plan.is_some_and(|plan| plan.is_room)
    }

    /// A function that decodes one item of a field.
    pub(crate) fn item_decoder(&self, field: &Field, form: Form) -> TokenStream {
        let ty = &field.var.ty;
        match (ty, form) {
            _ if self.is_room(ty, form) => quote!(Decoder::read_nothing),
            (Ty::Struct(_), _) => {
                let function = function("decode", self.c_name(ty), form);
                quote!(#function)
            }
            (Ty::Union(_), _) => {
                let function = function("decode", self.c_name(ty), Form::Full);
                quote!(#function)
            }
            (Ty::Handle(_), Form::Full) if field.requires_objects() => quote!(Decoder::read_required_handle),
            (Ty::Handle(_), Form::Full) => quote!(Decoder::read_handle),
            (Ty::Handle(_), Form::Partial) => quote!(Decoder::read_id),
            _ => quote!(Decoder::read),
        }
    }

    /// A function that encodes one item behind a reference.
    pub(crate) fn item_encoder(&self, ty: &Ty, form: Form) -> TokenStream {
        match ty {
            _ if self.is_room(ty, form) => quote!(|_, _| {}),
            Ty::Struct(_) => {
                let function = function("encode", self.c_name(ty), form);
                quote!(#function)
            }
            Ty::Union(_) => {
                let function = function("encode", self.c_name(ty), Form::Full);
                quote!(#function)
            }
            Ty::Handle(_) => quote!(|e, handle| e.write_handle(*handle)),
            _ => quote!(|e, value| e.write(*value)),
        }
    }

    /// Fewest bytes an item takes: by name for structures and unions, which [`minima`](Self::minima) declares.
    pub(crate) fn item_bytes(&self, ty: &Ty, form: Form) -> TokenStream {
        match ty {
            _ if self.is_room(ty, form) => quote!(0),
            Ty::Struct(_) | Ty::Union(_) => {
                let name = self.minimum(ty, form).0;
                quote!(minima::#name)
            }
            _ => {
                let bytes = Literal::usize_unsuffixed(self.plan.sizes.item(ty));
                quote!(#bytes)
            }
        }
    }

    /// The name of the constant for the fewest bytes of a structure or union, and its value.
    fn minimum(&self, ty: &Ty, form: Form) -> (Ident, usize) {
        let name = names::type_constant(self.c_name(ty));
        match (ty, form) {
            (Ty::Struct(id), Form::Partial) => (format_ident!("{name}_PARTIAL"), self.plan.sizes.partial(*id)),
            _ => (ident(&name), self.plan.sizes.item(ty)),
        }
    }

    /// The structures and unions that stand in arrays, each with its C name, and the name and value of the constant for
    /// its fewest bytes.
    pub(crate) fn minima(&self) -> BTreeMap<Ident, (&str, usize)> {
        let mut minima = BTreeMap::new();
        let mut add = |field: &Field, form: Form| {
            let form = match (form, field.partial, &field.shape) {
                (Form::Partial, Partial::Nothing | Partial::Capacity | Partial::Marker, _) => return,
                (Form::Partial, Partial::Shape, Shape::Array(_) | Shape::Fixed(_)) => Form::Partial,
                _ => Form::Full,
            };
            let in_array = matches!(field.shape, Shape::Array(_) | Shape::Rows(..) | Shape::Fixed(_));
            let is_composed = matches!(field.var.ty, Ty::Struct(_) | Ty::Union(_));
            if in_array && is_composed && !self.is_room(&field.var.ty, form) {
                let (name, bytes) = self.minimum(&field.var.ty, form);
                minima.insert(name, (self.c_name(&field.var.ty), bytes));
            }
        };
        for plan in self.plan.structs.values() {
            for field in &plan.fields {
                add(field, Form::Full);
                if plan.partial {
                    add(field, Form::Partial);
                }
            }
        }
        for param in self.plan.commands.iter().flat_map(|plan| &plan.params) {
            let form = if param.direction == Direction::Out { Form::Partial } else { Form::Full };
            add(&param.field, form);
            if param.direction != Direction::In {
                add(&param.field, Form::Full);
            }
        }
        minima
    }

    /// A length as a `u64` expression. `sibling` gives the expression of a sibling's value.
    pub(crate) fn length(
        &self,
        length: &Length,
        siblings: &[&Field],
        sibling: &dyn Fn(&str) -> TokenStream,
    ) -> TokenStream {
        match length {
            Length::NullTerminated => quote!(0),
            Length::Literal(value) => {
                let value = Literal::u64_unsuffixed(*value);
                quote!(#value)
            }
            Length::Sibling(name) => {
                let value = sibling(name);
                quote!(#value.count())
            }
            Length::Through { pointer, member } => {
                let value = sibling(pointer);
                let member = ident(&names::variable(member));
                let optional = siblings.iter().any(|field| field.var.name == *pointer && field.nullable);
                if optional {
                    quote!(#value.as_ref().map_or(0, |info| info.#member.count()))
                } else {
                    quote!(#value.#member.count())
                }
            }
            Length::OfRow { array, member } => {
                let value = sibling(array);
                let member = ident(&names::variable(member));
                quote!(#value.get(nth).map_or(0, |info| info.#member.count()))
            }
            Length::Quotient { sibling: name, add, by } => {
                let value = sibling(name);
                let (add, by) = (Literal::u32_unsuffixed(*add), Literal::u32_unsuffixed(*by));
                let ty = siblings.iter().find(|field| field.var.name == *name).map(|field| &field.var.ty);
                match ty {
                    Some(Ty::Scalar(Scalar::Size)) => quote!(#value.count() / #by),
                    // The C code computes in 32 bits, where the sum may wrap.
                    _ => quote!(u64::from(#value.as_raw().wrapping_add(#add) / #by)),
                }
            }
        }
    }

    /// Whether the host that decodes accepts null, which may be a matter of its level.
    pub(crate) fn nullable(&self, field: &Field) -> TokenStream {
        match field.null_since.filter(|_| field.nullable) {
            Some(level) => {
                let level = names::level(level);
                quote!(d.is_since(Level::#level))
            }
            None => {
                let nullable = field.nullable;
                quote!(#nullable)
            }
        }
    }

    // Members of structures, which are raw pointers.

    /// The expression that reads a member, of the member's declared type; `None` if nothing travels.
    pub(crate) fn decode_member(&self, field: &Field, siblings: &[&Field], form: Form) -> Option<TokenStream> {
        let form = match (form, field.partial) {
            (Form::Partial, Partial::Nothing) => return None,
            (Form::Partial, Partial::Shape)
                if field.shape == Shape::Value && self.is_room(&field.var.ty, Form::Partial) =>
            {
                return None;
            }
            (Form::Partial, Partial::Capacity) => return Some(self.decode_capacity(field, siblings)),
            (Form::Partial, Partial::Marker) => return Some(self.decode_room(field)),
            (Form::Partial, Partial::Shape) => Form::Partial,
            (Form::Partial, Partial::Full) | (Form::Full, _) => Form::Full,
        };
        let length = field.length().map(|length| self.member_length(length, siblings));
        let nullable = self.nullable(field);
        let decode = self.item_decoder(field, form);
        let bytes = self.item_bytes(&field.var.ty, form);
        let pointer = pointer_of(field);
        let is_scalar = is_scalar(&field.var.ty);
        let item = self.types.base(&field.var, &quote!('a));
        Some(match &field.shape {
            Shape::Null => quote!(d.read_null()?),
            Shape::Value => match &field.var.ty {
                Ty::Union(_) if self.is_selected(&field.var.ty) => {
                    let selector = selector_of(field);
                    quote!(#decode(d, v.#selector)?)
                }
                Ty::Struct(_) | Ty::Union(_) => quote!(#decode(d)?),
                Ty::Handle(_) if form == Form::Partial => quote!(d.read_id()?),
                Ty::Handle(_) if field.requires_objects() => quote!(d.read_required_handle()?),
                Ty::Handle(_) => quote!(d.read_handle()?),
                _ => quote!(d.read()?),
            },
            Shape::Pointer if field.nullable => {
                let cast = (!is_const(field)).then(|| quote!(.cast_mut()));
                quote!(to_ptr(d.read_optional(#decode)?)#cast)
            }
            Shape::Pointer => quote!(d.read_required(#decode)?),
            // ash declares a pointer to an array.
            Shape::Array(Length::Literal(2..)) => quote!(#pointer(d.read_scalars::<#item>(#length, #nullable)?).cast()),
            Shape::Array(_) if is_scalar => quote!(#pointer(d.read_scalars(#length, #nullable)?)),
            Shape::Array(_) if form == Form::Full && field.handle().is_some() => {
                let read = if field.requires_objects() { quote!(read_required_handles) } else { quote!(read_handles) };
                quote!(#pointer(d.#read(#length, #nullable)?))
            }
            Shape::Array(_) => quote!(#pointer(d.read_items(#length, #nullable, #bytes, #decode)?)),
            Shape::Rows(_, inner) => {
                let inner = self.member_length(inner, siblings);
                let row = self.decode_row(field, &inner);
                quote!(#pointer(d.read_rows(#length, #nullable, |d, _| #row)?))
            }
            Shape::Blob(_) => {
                let cast = (!is_const(field)).then(|| quote!(.cast_mut()));
                quote!(as_ptr_or_null(d.read_blob(#length, #nullable)?)#cast.cast())
            }
            Shape::Str => quote!(d.read_str_ptr()?),
            Shape::Strs(_) => quote!(#pointer(d.read_strs(#length, #nullable)?)),
            Shape::Fixed(_) if is_scalar => quote!(d.read_fixed()?),
            Shape::Fixed(_) => quote!(d.read_fixed_items(#bytes, #decode)?),
            Shape::Chars(_) => quote!(d.read_chars()?),
        })
    }

    fn member_length(&self, length: &Length, siblings: &[&Field]) -> TokenStream {
        self.length(length, siblings, &|name| {
            let name = ident(&names::variable(name));
            quote!(v.#name)
        })
    }

    fn decode_capacity(&self, field: &Field, siblings: &[&Field]) -> TokenStream {
        let length = field.length().map(|length| self.member_length(length, siblings));
        let nullable = self.nullable(field);
        match field.shape {
            Shape::Blob(_) => quote!(as_mut_ptr_or_null(d.read_capacity::<u8>(#length, #nullable)?).cast()),
            _ => quote!(as_mut_ptr_or_null(d.read_capacity(#length, #nullable)?)),
        }
    }

    fn decode_room(&self, field: &Field) -> TokenStream {
        let nullable = self.nullable(field);
        let cast = (!is_const(field)).then(|| quote!(.cast_mut()));
        quote!(to_ptr(d.read_room(#nullable)?)#cast)
    }

    /// The expression that reads one row of an array of arrays.
    pub(crate) fn decode_row(&self, field: &Field, length: &TokenStream) -> TokenStream {
        if is_scalar(&field.var.ty) {
            return quote!(d.read_scalars(#length, false).map(|items| &*items));
        }
        let decode = self.item_decoder(field, Form::Full);
        let bytes = self.item_bytes(&field.var.ty, Form::Full);
        quote!(d.read_items(#length, false, #bytes, #decode).map(|items| &*items))
    }

    /// The statement that writes a member; `None` if nothing travels.
    pub(crate) fn encode_member(&self, field: &Field, siblings: &[&Field], form: Form) -> Option<TokenStream> {
        let name = field_ident(field);
        let length = field.length().map(|length| self.member_length(length, siblings));
        let mut pointer = quote!(v.#name);
        if field.var.pointee_const.last() == Some(&false) {
            pointer = quote!(v.#name.cast_const());
        }
        let form = match (form, field.partial) {
            (Form::Partial, Partial::Nothing) => return None,
            (Form::Partial, Partial::Shape)
                if field.shape == Shape::Value && self.is_room(&field.var.ty, Form::Partial) =>
            {
                return None;
            }
            (Form::Partial, Partial::Capacity) => return Some(quote!(e.write_capacity(#pointer.is_null(), #length);)),
            (Form::Partial, Partial::Marker) => return Some(quote!(e.write_marker(!#pointer.is_null());)),
            (Form::Partial, Partial::Shape) => Form::Partial,
            (Form::Partial, Partial::Full) | (Form::Full, _) => Form::Full,
        };
        if let Some(condition) = &field.var.guest_condition {
            let condition = self.condition(condition, siblings);
            pointer = quote!(e.followed(#condition, #pointer));
        }
        let encode = self.item_encoder(&field.var.ty, form);
        let is_scalar = is_scalar(&field.var.ty);
        let item = self.types.base(&field.var, &quote!('_));
        Some(match &field.shape {
            Shape::Null => quote!(e.write_null();),
            Shape::Value => match &field.var.ty {
                Ty::Struct(_) => quote!(#encode(e, &v.#name);),
                Ty::Union(_) if self.is_selected(&field.var.ty) => {
                    let selector = selector_of(field);
                    quote!(#encode(e, &v.#name, v.#selector);)
                }
                Ty::Union(_) => quote!(#encode(e, &v.#name);),
                Ty::Handle(_) => quote!(e.write_handle(v.#name);),
                _ => quote!(e.write(v.#name);),
            },
            Shape::Pointer => quote!(e.write_pointer(#pointer, #encode);),
            Shape::Array(Length::Literal(2..)) => quote!(e.write_scalars_at(#pointer.cast::<#item>(), #length);),
            Shape::Array(_) if is_scalar => quote!(e.write_scalars_at(#pointer, #length);),
            Shape::Array(_) if field.handle().is_some() => quote!(e.write_handles_at(#pointer, #length);),
            Shape::Array(_) => quote!(e.write_items_at(#pointer, #length, #encode);),
            Shape::Rows(_, inner) => {
                let inner = self.member_length(inner, siblings);
                let row = encode_row(field, &encode, &inner);
                quote!(e.write_rows_at(#pointer, #length, |e, _, items| #row);)
            }
            Shape::Blob(_) => quote!(e.write_void_at(#pointer, #length);),
            Shape::Str => quote!(e.write_str_ptr(#pointer);),
            Shape::Strs(_) => quote!(e.write_strs_at(#pointer, #length);),
            Shape::Fixed(_) if is_scalar => quote!(e.write_scalars(&v.#name);),
            Shape::Fixed(_) if field.handle().is_some() => quote!(e.write_handles(&v.#name);),
            Shape::Fixed(_) => quote!(e.write_items(&v.#name, #encode);),
            Shape::Chars(_) => quote!(e.write_chars(&v.#name);),
        })
    }

    fn condition(&self, condition: &Condition, siblings: &[&Field]) -> TokenStream {
        let value = |member: &str, name: &str, number: Literal| {
            let tested = siblings.iter().find(|field| field.var.name == *member);
            tested.map(|field| self.types.value(&field.var.ty, name, &number)).unwrap_or_default()
        };
        match condition {
            Condition::Equals { member, name, value: number } => {
                let value = value(member, name, Literal::i64_unsuffixed(*number));
                let member = ident(&names::variable(member));
                quote!(v.#member == #value)
            }
            Condition::LacksBits { member, name, bits } => {
                let value = value(member, name, Literal::u64_unsuffixed(*bits));
                let member = ident(&names::variable(member));
                quote!(!v.#member.intersects(#value))
            }
        }
    }
}

/// The member that selects a union's.
fn selector_of(field: &Field) -> Ident {
    ident(&names::variable(field.var.selector.as_deref().unwrap_or_default()))
}

/// The type of what a command returns.
pub(crate) fn returned(command: &Command) -> TokenStream {
    match command.returns {
        Returns::Nothing | Returns::Opaque => quote!(()),
        Returns::Result => quote!(vk::Result),
        Returns::U32 => quote!(u32),
        Returns::U64 => quote!(u64),
    }
}

/// What follows the parameters in a function's signature: the type of what a command returns, if it returns anything.
pub(crate) fn arrow(command: &Command) -> TokenStream {
    match command.returns {
        Returns::Nothing | Returns::Opaque => quote!(),
        _ => {
            let returned = returned(command);
            quote!(-> #returned)
        }
    }
}

/// The statement that writes one row of an array of arrays.
pub(crate) fn encode_row(field: &Field, encode: &TokenStream, length: &TokenStream) -> TokenStream {
    if is_scalar(&field.var.ty) {
        quote!(e.write_scalars_at(items, #length))
    } else {
        quote!(e.write_items_at(items, #length, #encode))
    }
}

/// Whether items travel as bare numbers.
pub(crate) fn is_scalar(ty: &Ty) -> bool {
    matches!(ty, Ty::Scalar(_) | Ty::Enum(_) | Ty::Bitmask(_))
}

/// Whether the outermost pointer is to const.
fn is_const(field: &Field) -> bool {
    field.var.pointee_const.last() == Some(&true)
}

/// The conversion from a slice to the member's pointer.
fn pointer_of(field: &Field) -> TokenStream {
    if is_const(field) { quote!(as_ptr_or_null) } else { quote!(as_mut_ptr_or_null) }
}
