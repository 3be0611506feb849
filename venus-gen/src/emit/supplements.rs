//! Supplements: declarations of types that ash lacks, in ash's conventions.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::c_layout;
use super::codec::arrow;
use super::file::FileBuilder;
use super::layout::bang;
use super::names::{self, ident};
use super::types::Types;
use crate::lower::WirePlan;
use crate::model::{Command, Handle, Model, Struct, StructId, Ty, Union, UnionId, UnionMember, Var};

/// Emits `types.rs` and `layouts.rs`.
pub(super) fn emit(model: &Model, plan: &WirePlan, types: &Types<'_>) -> [FileBuilder; 2] {
    let mut file = FileBuilder::new(
        "types.rs",
        "Types of the protocol that ash does not have: the private ones, and those newer than its headers.\n\n\
         They follow ash's conventions and are re-exported beside its types in [`vk`](crate::vk).",
    );
    let types = &types.beside_supplements();
    let mut supplements = Supplements::new(model, types);
    for (id, structure_plan) in &plan.structs {
        let structure = model.structure(*id);
        if !types.is_known(&structure.names) {
            supplements.structure(*id, structure);
            structure_plan.fields.iter().for_each(|field| supplements.newtype(&field.var.ty));
        }
    }
    for (id, union_plan) in &plan.unions {
        let union = model.union(*id);
        if !types.is_known(&union.names) {
            supplements.union(*id, union);
            union_plan.members.iter().for_each(|(_, field)| supplements.newtype(&field.var.ty));
        }
    }
    for command in &plan.commands {
        command.params.iter().for_each(|param| supplements.newtype(&param.field.var.ty));
    }
    // Drivers have entry points for what never travels, too.
    let drivers = model.commands.iter().filter(|command| !command.private);
    for command in drivers.filter(|command| types.known_function_pointer(command).is_none()) {
        supplements.function_pointer(command);
    }
    let Supplements { items, tagged, zeroed, layouts, .. } = supplements;
    items.into_iter().for_each(|item| file.push(item));
    file.push_table("tagged_structures", tagged.into_iter());
    file.push_table("zeroed_unions", zeroed.into_iter());
    let docs = "Where C has the members of what `types.rs` declares, on machines of 64 bits.";
    let mut asserted = FileBuilder::new("layouts.rs", docs).using_all_of("crate::generated::types");
    layouts.into_iter().for_each(|layout| asserted.push(layout));
    [file, asserted]
}

/// The declarations made so far.
struct Supplements<'c, 'm> {
    model: &'m Model,
    types: &'c Types<'m>,
    declared: BTreeSet<String>,
    items: Vec<TokenStream>,
    /// Rows of `tagged_structures!`.
    tagged: Vec<TokenStream>,
    zeroed: Vec<TokenStream>,
    layouts: Vec<TokenStream>,
}

impl<'c, 'm> Supplements<'c, 'm> {
    fn new(model: &'m Model, types: &'c Types<'m>) -> Self {
        let (items, tagged, zeroed, layouts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { model, types, declared: BTreeSet::new(), items, tagged, zeroed, layouts }
    }

    fn structure(&mut self, id: StructId, structure: &Struct) {
        let name = self.declare(structure.name());
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
            fields.push(marker("structure"));
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
        self.layouts.extend(self.layout(structure));
    }

    fn union(&mut self, id: UnionId, union: &Union) {
        let name = self.declare(union.name());
        let borrows = self.types.has_lifetime(&Ty::Union(id));
        let (generics, anonymous) = if borrows { (quote!(<'a>), quote!(<'_>)) } else { (quote!(), quote!()) };
        self.zeroed.push(quote!(#name #anonymous));
        let fields = union.members.iter().map(|UnionMember { var, .. }| {
            let (field, docs) = (ident(&names::variable(&var.name)), format!("`{}`", var.name));
            let ty = self.types.declared(var, &quote!('a));
            quote!(#[doc = #docs] pub #field: #ty)
        });
        let fields = fields.chain(borrows.then(|| marker("union")));
        let docs = format!("`{}`", union.name());
        self.items.push(quote! {
            #[doc = #docs]
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub union #name #generics { #(#fields,)* }
        });
    }

    /// The name of a type that is being declared.
    fn declare(&mut self, c_name: &str) -> Ident {
        let name = names::type_name(c_name);
        self.declared.insert(name.clone());
        ident(&name)
    }

    /// Declares a handle that ash lacks, once.
    fn handle(&mut self, handle: &Handle) {
        let Some(name) = handle.names.first().filter(|name| !self.declared.contains(&names::type_name(name))) else {
            return;
        };
        let (docs, name) = (format!("`{name}`"), self.declare(name));
        let object_type = handle.object_type.and_then(|value| i32::try_from(value).ok()).map(Literal::i32_unsuffixed);
        self.items.push(quote! {
            #[doc = #docs]
            #[repr(transparent)]
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct #name(u64);
        });
        self.items.push(quote! {
            impl vk::Handle for #name {
                const TYPE: vk::ObjectType = vk::ObjectType::from_raw(#object_type);
                fn as_raw(self) -> u64 { self.0 }
                fn from_raw(raw: u64) -> Self { Self(raw) }
            }
        });
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

    /// Assertions on size and offsets, which follow the rules of C for 64-bit machines.
    fn layout(&self, structure: &Struct) -> Option<TokenStream> {
        let name = ident(&names::type_name(structure.name()));
        let assert = bang("assert");
        let layout = c_layout::of_struct(self.model, structure)?;
        let mut checks: Vec<TokenStream> = Vec::new();
        for (field, offset) in &layout.offsets {
            let (field, at) = (ident(&names::variable(field)), Literal::u64_unsuffixed(*offset));
            checks.push(quote!(#assert(offset_of!(#name, #field) == #at);));
        }
        let size = Literal::u64_unsuffixed(layout.block.size);
        checks.push(quote!(#assert(size_of::<#name>() == #size);));
        Some(quote!(const _: () = { #(#checks)* };))
    }

    /// Declares an enum, bitmask or handle that ash lacks, once.
    fn newtype(&mut self, ty: &Ty) {
        let (c_names, wide, signed) = match ty {
            Ty::Enum(id) => {
                let declared = &self.model.enums[id.0];
                (&declared.names, declared.bit_width == 64, !declared.is_bits)
            }
            Ty::Bitmask(id) => (&self.model.bitmasks[id.0].names, self.model.bitmasks[id.0].bit_width == 64, false),
            Ty::Handle(id) if !self.types.is_known(&self.model.handles[id.0].names) => {
                return self.handle(&self.model.handles[id.0]);
            }
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

/// The field of a type that borrows, whether or not a member's type says so.
fn marker(kind: &str) -> TokenStream {
    let docs = format!("Ties the pointers' lifetimes to the {kind}.");
    quote! {
        #[doc = #docs]
        pub _marker: PhantomData<&'a ()>
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
