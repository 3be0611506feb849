//! Supplements: declarations of types that ash lacks, in ash's conventions.

use std::collections::BTreeSet;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::codec::arrow;
use super::file::FileBuilder;
use super::layout::bang;
use super::names::{self, ident};
use super::types::Types;
use crate::lower::WirePlan;
use crate::model::{Command, Model, Scalar, Struct, StructId, Ty, Var};

/// Emits `types.rs`.
pub(super) fn emit(model: &Model, plan: &WirePlan, types: &Types<'_>) -> FileBuilder {
    let mut file = FileBuilder::new(
        "types.rs",
        "Types of the protocol that ash does not have: the private ones, and those newer than its headers.\n\n\
         They follow ash's conventions and are re-exported beside its types in [`vk`](crate::vk).",
    );
    let types = &types.beside_supplements();
    let mut supplements =
        Supplements { model, types, declared: BTreeSet::new(), items: Vec::new(), tagged: Vec::new() };
    for (id, structure_plan) in &plan.structs {
        let structure = model.structure(*id);
        if !types.is_known(&structure.names) {
            supplements.structure(*id, structure);
            structure_plan.fields.iter().for_each(|field| supplements.newtype(&field.var.ty));
        }
    }
    for command in &plan.commands {
        let declared = &model.commands[command.index];
        command.params.iter().for_each(|param| supplements.newtype(&param.field.var.ty));
        if !declared.private && types.known_function_pointer(declared).is_none() {
            supplements.function_pointer(declared);
        }
    }
    let Supplements { items, tagged, .. } = supplements;
    items.into_iter().for_each(|item| file.push(item));
    file.push_table("tagged_structures", tagged.into_iter());
    file
}

/// The declarations made so far.
struct Supplements<'c, 'm> {
    model: &'m Model,
    types: &'c Types<'m>,
    declared: BTreeSet<String>,
    items: Vec<TokenStream>,
    /// Rows of `tagged_structures!`.
    tagged: Vec<TokenStream>,
}

impl Supplements<'_, '_> {
    fn structure(&mut self, id: StructId, structure: &Struct) {
        let name = ident(&names::type_name(structure.name()));
        self.declared.insert(name.to_string());
        if let Some(chain) = &structure.chain {
            let s_type = self.types.structure_type_value(chain);
            self.tagged.push(quote!(#name = #s_type));
        }
        let borrows = self.types.has_lifetime(&Ty::Struct(id));
        let (generics, anonymous) = if borrows { (quote!(<'a>), quote!(<'_>)) } else { (quote!(), quote!()) };
        let (mut fields, mut defaults): (Vec<_>, Vec<_>) = self.chain_fields(structure).into_iter().unzip();
        for member in &structure.members {
            let (field, docs) = (ident(&names::variable(&member.name)), format!("`{}`", member.name));
            let (ty, default) = (self.types.declared(member, &quote!('a)), default_of(member));
            fields.push(quote!(#[doc = #docs] pub #field: #ty));
            defaults.push(quote!(#field: #default));
        }
        if borrows {
            fields.push(quote! {
                #[doc = "Ties the pointers' lifetimes to the structure."]
                pub _marker: PhantomData<&'a ()>
            });
            defaults.push(quote!(_marker: PhantomData));
        }
        let docs = format!("`{}`", structure.name());
        let scalars_only = |member: &Var| member.pointee_const.is_empty() && member.dimensions.is_empty();
        let derives = structure.chain.is_none() && structure.members.iter().all(scalars_only);
        let derived = derives.then(|| quote!(, Default));
        self.items.push(quote! {
            #[doc = #docs]
            #[repr(C)]
            #[derive(Clone, Copy #derived)]
            pub struct #name #generics { #(#fields,)* }
        });
        if !derives {
            self.items.push(quote! {
                impl Default for #name #anonymous {
                    fn default() -> Self { Self { #(#defaults,)* } }
                }
            });
        }
        self.items.extend(self.layout(structure));
    }

    /// The declarations and defaults of `sType` and `pNext`.
    fn chain_fields(&self, structure: &Struct) -> Vec<(TokenStream, TokenStream)> {
        let Some(chain) = &structure.chain else { return Vec::new() };
        let (pointer, null) = match chain.is_output {
            true => (quote!(*mut c_void), quote!(ptr::null_mut())),
            false => (quote!(*const c_void), quote!(ptr::null())),
        };
        let s_type = quote!(<Self as vk::TaggedStructure>::STRUCTURE_TYPE);
        vec![
            (
                quote!(#[doc = "Always this structure's own type."] pub s_type: vk::StructureType),
                quote!(s_type: #s_type),
            ),
            (quote!(#[doc = "The next structure of the chain, or null."] pub p_next: #pointer), quote!(p_next: #null)),
        ]
    }

    /// Size and offsets by the C rules for 64-bit machines, for structures made of scalars and pointers.
    fn layout(&self, structure: &Struct) -> Option<TokenStream> {
        let name = ident(&names::type_name(structure.name()));
        let assert = bang("assert");
        let (mut offset, mut widest) = (0_u64, 4_u64);
        let mut checks = Vec::new();
        let mut place = |field: &str, size: u64, count: u64| {
            offset = offset.next_multiple_of(size);
            let (field, at) = (ident(field), Literal::u64_unsuffixed(offset));
            checks.push(quote!(#assert(offset_of!(#name, #field) == #at);));
            offset = offset.saturating_add(size.saturating_mul(count));
            widest = widest.max(size);
        };
        if structure.chain.is_some() {
            place("s_type", 4, 1);
            place("p_next", 8, 1);
        }
        for member in &structure.members {
            let size = self.c_size(member)?;
            let count = member.dimensions.iter().map(|dimension| dimension.size).fold(1, u64::saturating_mul);
            place(&names::variable(&member.name), size, count);
        }
        let size = Literal::u64_unsuffixed(offset.next_multiple_of(widest));
        checks.push(quote!(#assert(size_of::<#name>() == #size);));
        Some(quote! {
            #[cfg(target_pointer_width = "64")]
            const _: () = { #(#checks)* };
        })
    }

    /// Bytes of one element in C, which is its alignment, too; `None` for what is in place and not a scalar.
    fn c_size(&self, member: &Var) -> Option<u64> {
        Some(match &member.ty {
            _ if !member.pointee_const.is_empty() => 8,
            Ty::Scalar(Scalar::U8) => 1,
            Ty::Scalar(Scalar::U16) => 2,
            Ty::Scalar(Scalar::U32 | Scalar::I32 | Scalar::F32) => 4,
            Ty::Scalar(Scalar::U64 | Scalar::I64 | Scalar::F64 | Scalar::Size) => 8,
            Ty::Enum(id) => u64::from(self.model.enums[id.0].bit_width / 8),
            Ty::Bitmask(id) => u64::from(self.model.bitmasks[id.0].bit_width / 8),
            Ty::Handle(_) => 8,
            Ty::Char => 1,
            // Structures in place are ash's business.
            Ty::Struct(_) | Ty::Union(_) | Ty::Void | Ty::Opaque => return None,
        })
    }

    /// Declares an enum or bitmask that ash lacks, once.
    fn newtype(&mut self, ty: &Ty) {
        let (c_names, wide, signed) = match ty {
            Ty::Enum(id) => {
                let declared = &self.model.enums[id.0];
                (&declared.names, declared.bit_width == 64, !declared.is_bits)
            }
            Ty::Bitmask(id) => (&self.model.bitmasks[id.0].names, self.model.bitmasks[id.0].bit_width == 64, false),
            _ => return,
        };
        let name = self.types.rust_name(ty);
        if self.types.is_known(c_names) || !self.declared.insert(name.clone()) {
            return;
        }
        let repr = match (wide, signed) {
            (true, _) => quote!(u64),
            (false, true) => quote!(i32),
            (false, false) => quote!(u32),
        };
        let docs = format!("`Vk{name}`");
        let name = ident(&name);
        self.items.push(quote! {
            #[doc = #docs]
            #[repr(transparent)]
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct #name(#repr);
        });
        self.items.push(quote! {
            impl #name {
                #[doc = "The value with these bits."]
                pub const fn from_raw(raw: #repr) -> Self { Self(raw) }
                #[doc = "The bits of the value."]
                pub const fn as_raw(self) -> #repr { self.0 }
            }
        });
    }

    fn function_pointer(&mut self, command: &Command) {
        let name = ident(&format!("PFN_{}", command.name));
        self.declared.insert(name.to_string());
        let docs = format!("Function pointer type of `{}`.", command.name);
        let params = command.params.iter().map(|param| {
            let name = ident(&names::variable(&param.name));
            let ty = self.types.declared(param, &quote!('_));
            // In a C parameter list an array is a pointer to its first element.
            if param.dimensions.is_empty() { quote!(#name: #ty) } else { quote!(#name: *const #ty) }
        });
        let returns = arrow(command);
        self.items.push(quote! {
            #[doc = #docs]
            #[expect(non_camel_case_types, reason = "ash's naming of function pointer types")]
            pub type #name = unsafe extern "system" fn(#(#params),*) #returns;
        });
    }
}

fn default_of(member: &Var) -> TokenStream {
    match (member.pointee_const.last(), member.dimensions.first()) {
        (Some(true), _) => quote!(ptr::null()),
        (Some(false), _) => quote!(ptr::null_mut()),
        (None, Some(_)) => quote!([Default::default(); _]),
        (None, None) => quote!(Default::default()),
    }
}
