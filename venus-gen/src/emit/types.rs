//! Rust types: how each C type is written.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::ash::AshIndex;
use super::names::{self, ident};
use crate::model::{Chain, Command, Model, Struct, StructId, Ty, Var};

/// Writes C types in Rust.
#[derive(Clone, Debug)]
pub(crate) struct Types<'m> {
    model: &'m Model,
    index: &'m AshIndex,
    /// Whether the supplements are in scope where the types are written.
    beside_supplements: bool,
}

impl<'m> Types<'m> {
    pub(crate) fn new(model: &'m Model, index: &'m AshIndex) -> Self {
        Self { model, index, beside_supplements: false }
    }

    /// For the file that declares the supplements.
    pub(crate) fn beside_supplements(&self) -> Self {
        Self { beside_supplements: true, ..self.clone() }
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
        let own = || names.first().map(|name| names::type_name(name)).unwrap_or_default();
        self.index.find(names).unwrap_or_else(own)
    }

    /// Whether the type has a lifetime parameter.
    pub(crate) fn has_lifetime(&self, ty: &Ty) -> bool {
        let known = self.index.has_lifetime(&self.rust_name(ty));
        // A supplement borrows if it holds a pointer, be it in something else.
        let borrows = |var: &Var| !var.pointee_const.is_empty() || self.has_lifetime(&var.ty);
        match ty {
            Ty::Struct(id) => known.unwrap_or_else(|| {
                let structure = self.model.structure(*id);
                structure.chain.is_some() || structure.members.iter().any(borrows)
            }),
            Ty::Union(id) => {
                known.unwrap_or_else(|| self.model.union(*id).members.iter().any(|member| borrows(&member.var)))
            }
            _ => false,
        }
    }

    /// The type at the end of a variable's pointers, with the given lifetime where it takes one.
    pub(crate) fn base(&self, var: &Var, lifetime: &TokenStream) -> TokenStream {
        match &var.ty {
            Ty::Void => quote!(c_void),
            Ty::Char => quote!(c_char),
            Ty::Scalar(_) | Ty::Opaque => {
                let name = names::scalar(&var.base);
                let ident = ident(&name);
                if name.starts_with(|first: char| first.is_lowercase()) { quote!(#ident) } else { quote!(vk::#ident) }
            }
            ty => self.named(ty, lifetime),
        }
    }

    /// A named type with the given lifetime where it takes one.
    pub(crate) fn named(&self, ty: &Ty, lifetime: &TokenStream) -> TokenStream {
        let path = self.path(ty);
        if self.has_lifetime(ty) { quote!(#path<#lifetime>) } else { path }
    }

    /// A named type without any lifetime, as in an expression.
    pub(crate) fn path(&self, ty: &Ty) -> TokenStream {
        let name = ident(&self.rust_name(ty));
        let is_in_scope = self.beside_supplements && !self.is_known(self.names_of(ty));
        if is_in_scope { quote!(#name) } else { quote!(vk::#name) }
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

    /// Whether a chain structure's `p_next` is a pointer to mutable data.
    pub(crate) fn next_is_mut(&self, structure: &Struct, chain: &Chain) -> bool {
        self.index.next_is_mut(&structure.names).unwrap_or(chain.is_output)
    }

    /// A chain structure's `sType` as an expression.
    pub(crate) fn structure_type(&self, id: StructId, chain: &Chain) -> TokenStream {
        let ty = Ty::Struct(id);
        if !self.is_known(self.names_of(&ty)) {
            let path = self.path(&ty);
            return quote!(<#path as vk::TaggedStructure>::STRUCTURE_TYPE);
        }
        self.structure_type_value(chain)
    }

    /// The same as a value: ash's constant, or its number.
    pub(crate) fn structure_type_value(&self, chain: &Chain) -> TokenStream {
        let constant = names::structure_type(&chain.s_type_name);
        if self.index.has_value("StructureType", &constant) {
            let constant = ident(&constant);
            return quote!(vk::StructureType::#constant);
        }
        let value = Literal::i32_unsuffixed(chain.s_type);
        quote!(vk::StructureType::from_raw(#value))
    }

    /// A value of an enum or bitmask as an expression: ash's constant, or its number.
    pub(crate) fn value(&self, ty: &Ty, c_name: &str, number: &Literal) -> TokenStream {
        let (name, path) = (self.rust_name(ty), self.path(ty));
        let constant = names::value(&name, c_name);
        if self.index.has_value(&name, &constant) {
            let constant = ident(&constant);
            return quote!(#path::#constant);
        }
        quote!(#path::from_raw(#number))
    }

    /// The type of a command's function pointer.
    pub(crate) fn function_pointer(&self, command: &Command) -> TokenStream {
        let known = self.known_function_pointer(command);
        let name = ident(&known.unwrap_or_else(|| format!("PFN_{}", command.name)));
        quote!(vk::#name)
    }

    /// The function pointer type that ash has for a command under one of its names.
    pub(super) fn known_function_pointer(&self, command: &Command) -> Option<String> {
        let aliases = command.aliases.iter().map(String::as_str);
        let c_names: Vec<&str> = [command.name.as_str()].into_iter().chain(aliases).collect();
        self.index.function_pointer(&c_names)
    }

    /// Whether ash has a type under one of its names.
    pub(super) fn is_known(&self, c_names: &[String]) -> bool {
        self.index.find(c_names).is_some()
    }
}
