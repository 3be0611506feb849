//! Rust types: how each C type is written, and the declarations that ash lacks.

use std::collections::BTreeSet;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::ash::AshIndex;
use super::file::FileBuilder;
use super::names::{self, ident};
use crate::lower::WirePlan;
use crate::model::{Model, Scalar, Struct, StructId, Ty, Var};

/// ash's (and Rust's) name of a C scalar or base type.
pub(crate) fn scalar_name(c_name: &str) -> String {
    match c_name {
        "uint8_t" => "u8",
        "uint16_t" => "u16",
        "uint32_t" => "u32",
        "uint64_t" => "u64",
        "int32_t" => "i32",
        "int64_t" => "i64",
        "float" => "f32",
        "double" => "f64",
        "size_t" => "usize",
        "int" => "c_int",
        other => return names::type_name(other),
    }
    .to_owned()
}

/// Writes C types in Rust.
#[derive(Debug)]
pub(crate) struct Types<'m> {
    model: &'m Model,
    index: &'m AshIndex,
    /// Structures that get a lifetime parameter among the supplements.
    supplement_lifetimes: BTreeSet<StructId>,
}

impl<'m> Types<'m> {
    pub(crate) fn new(model: &'m Model, plan: &WirePlan, index: &'m AshIndex) -> Self {
        let missing = plan.structs.keys().filter(|id| index.find(&model.structure(**id).names).is_none());
        let holds_pointers = |id: &&StructId| {
            let structure = model.structure(**id);
            structure.chain.is_some() || structure.members.iter().any(|member| !member.pointee_const.is_empty())
        };
        Self { model, index, supplement_lifetimes: missing.filter(holds_pointers).copied().collect() }
    }

    /// All names of a named type.
    fn names_of(&self, ty: &Ty) -> &'m [String] {
        match ty {
            Ty::Enum(id) => &self.model.enums[id.0].names,
            Ty::Bitmask(id) => &self.model.bitmasks[id.0].names,
            Ty::Handle(id) => &self.model.handles[id.0].names,
            Ty::Struct(id) => &self.model.structure(*id).names,
            Ty::Union(id) => &self.model.union(*id).names,
            Ty::Void | Ty::Char | Ty::Scalar(_) | Ty::Opaque => &[],
        }
    }

    /// The type's name in `vk`, without lifetime.
    pub(crate) fn rust_name(&self, ty: &Ty) -> String {
        let names = self.names_of(ty);
        self.index.find(names).unwrap_or_else(|| names::type_name(&names[0]))
    }

    fn has_lifetime(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Struct(id) if self.supplement_lifetimes.contains(id) => true,
            Ty::Struct(_) | Ty::Union(_) => self.index.has_lifetime(&self.rust_name(ty)) == Some(true),
            _ => false,
        }
    }

    /// The type at the end of a variable's pointers, with the given lifetime where it takes one.
    pub(crate) fn base(&self, var: &Var, lifetime: &TokenStream) -> TokenStream {
        match &var.ty {
            Ty::Void => quote!(c_void),
            Ty::Char => quote!(c_char),
            Ty::Scalar(_) | Ty::Opaque => {
                let name = scalar_name(&var.base);
                let ident = ident(&name);
                if name.starts_with(|first: char| first.is_lowercase()) { quote!(#ident) } else { quote!(vk::#ident) }
            }
            ty => self.named(ty, lifetime),
        }
    }

    /// A named type with the given lifetime where it takes one.
    pub(crate) fn named(&self, ty: &Ty, lifetime: &TokenStream) -> TokenStream {
        let name = ident(&self.rust_name(ty));
        if self.has_lifetime(ty) { quote!(vk::#name<#lifetime>) } else { quote!(vk::#name) }
    }

    /// A named type without any lifetime, as in an expression.
    pub(crate) fn path(&self, ty: &Ty) -> TokenStream {
        let name = ident(&self.rust_name(ty));
        quote!(vk::#name)
    }

    /// A variable's declared type, pointers and dimensions included.
    pub(crate) fn declared(&self, var: &Var, lifetime: &TokenStream) -> TokenStream {
        let mut ty = self.base(var, lifetime);
        for is_const in &var.pointee_const {
            ty = if *is_const { quote!(*const #ty) } else { quote!(*mut #ty) };
        }
        for dimension in var.dimensions.iter().rev() {
            let size = match &dimension.constant {
                Some(constant) => {
                    let constant = ident(constant.trim_start_matches("VK_"));
                    quote!(vk::#constant)
                }
                None => {
                    let size = Literal::u64_unsuffixed(dimension.size);
                    quote!(#size)
                }
            };
            ty = quote!([#ty; #size]);
        }
        ty
    }

    /// A structure's `sType` as an expression.
    pub(crate) fn structure_type(&self, structure: &Struct) -> TokenStream {
        let Some(chain) = &structure.chain else { return quote!() };
        let constant = names::structure_type(&chain.s_type_name);
        if self.index.has_structure_type(&constant) {
            let constant = ident(&constant);
            return quote!(vk::StructureType::#constant);
        }
        let value = Literal::i32_unsuffixed(chain.s_type);
        quote!(vk::StructureType::from_raw(#value))
    }

    /// The type of a command's function pointer.
    pub(crate) fn function_pointer(&self, command: &crate::model::Command) -> TokenStream {
        let c_names: Vec<&str> = [command.name.as_str()].into_iter().chain(command.aliases.iter().map(String::as_str)).collect();
        let known = self.index.function_pointer(&c_names);
        let name = ident(&known.unwrap_or_else(|| format!("PFN_{}", command.name)));
        quote!(vk::#name)
    }

    fn lacks_function_pointer(&self, command: &crate::model::Command) -> bool {
        let c_names: Vec<&str> = [command.name.as_str()].into_iter().chain(command.aliases.iter().map(String::as_str)).collect();
        self.index.function_pointer(&c_names).is_none()
    }
}

/// Emits the declarations that ash lacks.
pub(crate) fn emit(model: &Model, plan: &WirePlan, types: &Types<'_>) -> FileBuilder {
    let mut file = FileBuilder::new(
        "types.rs",
        "Types of the protocol that ash does not have: the private ones, and those newer than its headers.\n\n\
         They follow ash's conventions and are re-exported beside its types in [`vk`](crate::vk).",
    );
    let mut mentioned: BTreeSet<String> = BTreeSet::new();
    for (id, structure_plan) in &plan.structs {
        let structure = model.structure(*id);
        if types.index.find(&structure.names).is_some() {
            continue;
        }
        emit_struct(structure, types, &mut file);
        for field in &structure_plan.fields {
            newtype(model, types, &field.var.ty, &mut mentioned, &mut file);
        }
    }
    for command in &plan.commands {
        let declared = &model.commands[command.index];
        for param in &command.params {
            newtype(model, types, &param.field.var.ty, &mut mentioned, &mut file);
        }
        if !declared.private && types.lacks_function_pointer(declared) {
            file.push(function_pointer_type(declared, types));
        }
    }
    file
}

fn emit_struct(structure: &Struct, types: &Types<'_>, file: &mut FileBuilder) {
    let name = ident(&names::type_name(structure.name()));
    let lifetime = quote!('a);
    let id = types.model.structs.iter().position(|other| other.name() == structure.name()).map(StructId);
    let borrows = id.is_some_and(|id| types.supplement_lifetimes.contains(&id));
    let c_name = structure.name();
    let docs = format!("`{c_name}`");
    let mut fields = Vec::new();
    let mut defaults = Vec::new();
    if let Some(chain) = &structure.chain {
        let (pointer, null) = if chain.is_output {
            (quote!(*mut c_void), quote!(core::ptr::null_mut()))
        } else {
            (quote!(*const c_void), quote!(core::ptr::null()))
        };
        let s_type = types.structure_type(structure);
        fields.push(quote!(#[doc = "Always this structure's own type."] pub s_type: vk::StructureType));
        fields.push(quote!(#[doc = "The next structure of the chain, or null."] pub p_next: #pointer));
        defaults.push(quote!(s_type: #s_type));
        defaults.push(quote!(p_next: #null));
    }
    for member in &structure.members {
        let field = ident(&names::variable(&member.name));
        let ty = types.declared(member, &lifetime);
        let docs = format!("`{}`", member.name);
        fields.push(quote!(#[doc = #docs] pub #field: #ty));
        let default = match (member.pointee_const.last(), member.dimensions.first()) {
            (Some(true), _) => quote!(core::ptr::null()),
            (Some(false), _) => quote!(core::ptr::null_mut()),
            (None, Some(_)) => quote!([Default::default(); _]),
            (None, None) => quote!(Default::default()),
        };
        defaults.push(quote!(#field: #default));
    }
    let (generics, anonymous) = if borrows { (quote!(<'a>), quote!(<'_>)) } else { (quote!(), quote!()) };
    if borrows {
        fields.push(quote!(#[doc = "Ties the pointers' lifetimes to the structure."] pub _marker: PhantomData<&'a ()>));
        defaults.push(quote!(_marker: PhantomData));
    }
    file.push(quote! {
        #[doc = #docs]
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct #name #generics { #(#fields,)* }
    });
    file.push(quote! {
        impl Default for #name #anonymous {
            fn default() -> Self { Self { #(#defaults,)* } }
        }
    });
    if let Some(layout) = layout_assertion(structure, types) {
        file.push(quote!(const _: () = { #layout };));
    }
}

/// Size and offsets by the C rules for 64-bit machines, for structures made of scalars and pointers.
fn layout_assertion(structure: &Struct, types: &Types<'_>) -> Option<TokenStream> {
    let name = ident(&names::type_name(structure.name()));
    let mut offset = 0_usize;
    let mut widest = 4_usize;
    let mut checks = Vec::new();
    let mut place = |field: &str, size: usize, count: usize| {
        offset = offset.next_multiple_of(size);
        let (field, at) = (ident(field), Literal::usize_unsuffixed(offset));
        checks.push(quote!(assert!(offset_of!(#name, #field) == #at);));
        offset += size * count;
        widest = widest.max(size);
    };
    if structure.chain.is_some() {
        place("s_type", 4, 1);
        place("p_next", 8, 1);
    }
    for member in &structure.members {
        let size = match (&member.ty, member.pointee_const.is_empty()) {
            (_, false) => 8,
            (Ty::Scalar(Scalar::U8), _) => 1,
            (Ty::Scalar(Scalar::U16), _) => 2,
            (Ty::Scalar(scalar), _) => scalar.wire_bytes(),
            (Ty::Enum(id), _) => (types.model.enums[id.0].bit_width / 8) as usize,
            (Ty::Bitmask(id), _) => (types.model.bitmasks[id.0].bit_width / 8) as usize,
            (Ty::Handle(_), _) => 8,
            // Structures in place are ash's business.
            _ => return None,
        };
        let count = member.dimensions.iter().map(|dimension| dimension.size as usize).product();
        place(&names::variable(&member.name), size, count);
    }
    let size = Literal::usize_unsuffixed(offset.next_multiple_of(widest));
    Some(quote! {
        #[cfg(target_pointer_width = "64")]
        { #(#checks)* assert!(size_of::<#name>() == #size); }
    })
}

/// Declares an enum or bitmask that ash lacks, once.
fn newtype(model: &Model, types: &Types<'_>, ty: &Ty, mentioned: &mut BTreeSet<String>, file: &mut FileBuilder) {
    let (c_names, wide, signed) = match ty {
        Ty::Enum(id) => {
            let declared = &model.enums[id.0];
            (&declared.names, declared.bit_width == 64, !declared.is_bits)
        }
        Ty::Bitmask(id) => (&model.bitmasks[id.0].names, model.bitmasks[id.0].bit_width == 64, false),
        _ => return,
    };
    let name = names::type_name(&c_names[0]);
    if types.index.find(c_names).is_some() || !mentioned.insert(name.clone()) {
        return;
    }
    let repr = match (wide, signed) {
        (true, _) => quote!(u64),
        (false, true) => quote!(i32),
        (false, false) => quote!(u32),
    };
    let docs = format!("`{}`", c_names[0]);
    let name = ident(&name);
    file.push(quote! {
        #[doc = #docs]
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct #name(#repr);
    });
    file.push(quote! {
        impl #name {
            #[doc = "The value with these bits."]
            pub const fn from_raw(raw: #repr) -> Self { Self(raw) }
            #[doc = "The bits of the value."]
            pub const fn as_raw(self) -> #repr { self.0 }
        }
    });
}

fn function_pointer_type(command: &crate::model::Command, types: &Types<'_>) -> TokenStream {
    let name = ident(&format!("PFN_{}", command.name));
    let docs = format!("Function pointer type of `{}`.", command.name);
    let params = command.params.iter().map(|param| {
        let name = ident(&names::variable(&param.name));
        let ty = types.declared(param, &quote!('_));
        // In a C parameter list an array is a pointer to its first element.
        if param.dimensions.is_empty() { quote!(#name: #ty) } else { quote!(#name: *const #ty) }
    });
    let returns = match command.returns {
        crate::model::Returns::Nothing | crate::model::Returns::Opaque => quote!(),
        crate::model::Returns::Result => quote!(-> vk::Result),
        crate::model::Returns::U32 => quote!(-> u32),
        crate::model::Returns::U64 => quote!(-> u64),
    };
    quote! {
        #[doc = #docs]
        #[expect(non_camel_case_types, reason = "ash's naming of function pointer types")]
        pub type #name = unsafe extern "system" fn(#(#params),*) #returns;
    }
}
