//! Calls: what a driver's entry points are called with.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Emitter, generics};
use crate::emit::codec::field_ident;
use crate::emit::names::{self, ident};
use crate::lower::{Direction, Param, Shape};

impl Emitter<'_, '_> {
    /// A row of `calls!`: the arguments' type, the slot of the entry point, the command's owner, and what the entry point
    /// is called with.
    pub(super) fn call(&self) -> TokenStream {
        let (args, generics) = (self.args(), generics(self.args_borrow(), &quote!('a)));
        let slot = ident(&names::command_method(&self.command.name));
        let owner = self.fields().next().filter(|param| param.field.shape == Shape::Value);
        let owner = owner.filter(|param| param.field.handle().is_some()).map(|param| field_ident(&param.field));
        let arguments = self.plan.params.iter().map(|param| match self.strided_by(&param.field) {
            // A guest that lies about the stride would have the driver read elsewhere.
            Some(array) => {
                let item = self.item(array);
                quote!(packed_stride::<#item>())
            }
            None => argument(param),
        });
        quote!(#args #generics.#slot(#owner) = #(#arguments),*)
    }
}

/// The argument that a parameter becomes in the driver call, of the arguments `a`.
fn argument(param: &Param) -> TokenStream {
    let field = &param.field;
    let name = field_ident(field);
    let is_handle = field.handle().is_some();
    let is_in = param.direction == Direction::In;
    let constant = field.var.pointee_const.last() == Some(&true);
    match &field.shape {
        Shape::Null if constant => quote!(ptr::null()),
        Shape::Null => quote!(ptr::null_mut()),
        Shape::Value if is_handle => quote!(a.#name.raw),
        Shape::Value => quote!(a.#name),
        Shape::Pointer | Shape::Array(_) if !is_in && is_handle => quote!(as_mut_ptr_or_null(a.#name.raws)),
        Shape::Pointer if is_in && field.nullable => quote!(a.#name.map_or(ptr::null(), ptr::from_ref)),
        Shape::Pointer if is_in => quote!(a.#name),
        Shape::Pointer if field.nullable => quote!(a.#name.as_deref_mut().map_or(ptr::null_mut(), ptr::from_mut)),
        Shape::Pointer => quote!(&mut *a.#name),
        Shape::Array(_) if is_handle => quote!(as_ptr_or_null(a.#name.raws)),
        Shape::Array(_) | Shape::Rows(..) | Shape::Strs(_) if is_in => quote!(as_ptr_or_null(a.#name)),
        Shape::Array(_) | Shape::Rows(..) | Shape::Strs(_) => quote!(as_mut_ptr_or_null(a.#name)),
        Shape::Blob(_) if is_in => quote!(as_ptr_or_null(a.#name).cast::<c_void>()),
        Shape::Blob(_) => quote!(as_mut_ptr_or_null(a.#name).cast::<c_void>()),
        Shape::Str => quote!(a.#name.map_or(ptr::null(), CStr::as_ptr)),
        Shape::Fixed(_) | Shape::Chars(_) => quote!(&a.#name),
    }
}
