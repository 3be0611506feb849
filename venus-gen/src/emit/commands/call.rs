//! Calls: arguments handed to a driver's entry point.

use proc_macro2::TokenStream;
use quote::quote;

use super::Emitter;
use crate::emit::codec::field_ident;
use crate::emit::layout::bang;
use crate::lower::{Direction, Param, Shape};
use crate::model::Returns;

impl Emitter<'_, '_> {
    pub(super) fn call_with(&self) -> TokenStream {
        let pointer = self.codec.types.function_pointer(self.command);
        let returns = (self.command.returns != Returns::Nothing).then(|| {
            let ty = self.returns();
            quote!(-> #ty)
        });
        let docs = format!(
            "Calls `{}` with these arguments.\n\n# Safety\n\nAs for [`Command::call`](crate::wire::Command::call).",
            self.command.name
        );
        let arguments = self.plan.params.iter().map(|param| match self.strided_by(&param.field) {
            // A guest that lies about the stride would have the driver read elsewhere.
            Some(array) => {
                let item = self.item(array);
                quote!(packed_stride::<#item>())
            }
            None => argument(param),
        });
        let call = bang("call");
        quote! {
            #[doc = #docs]
            pub unsafe fn call_with(&mut self, function: #pointer) #returns {
                #call(function, #(#arguments),*)
            }
        }
    }
}

/// The argument that a parameter becomes in the driver call.
fn argument(param: &Param) -> TokenStream {
    let field = &param.field;
    let name = field_ident(field);
    let is_handle = field.handle().is_some();
    let is_in = param.direction == Direction::In;
    let constant = field.var.pointee_const.last() == Some(&true);
    match &field.shape {
        Shape::Null if constant => quote!(ptr::null()),
        Shape::Null => quote!(ptr::null_mut()),
        Shape::Value if is_handle => quote!(self.#name.raw),
        Shape::Value => quote!(self.#name),
        Shape::Pointer | Shape::Array(_) if !is_in && is_handle => quote!(as_mut_ptr_or_null(self.#name.raws)),
        Shape::Pointer if is_in && field.nullable => quote!(self.#name.map_or(ptr::null(), ptr::from_ref)),
        Shape::Pointer if is_in => quote!(self.#name),
        Shape::Pointer if field.nullable => quote!(self.#name.as_deref_mut().map_or(ptr::null_mut(), ptr::from_mut)),
        Shape::Pointer => quote!(&mut *self.#name),
        Shape::Array(_) if is_handle => quote!(as_ptr_or_null(self.#name.raws)),
        Shape::Array(_) | Shape::Rows(..) | Shape::Strs(_) if is_in => quote!(as_ptr_or_null(self.#name)),
        Shape::Array(_) | Shape::Rows(..) | Shape::Strs(_) => quote!(as_mut_ptr_or_null(self.#name)),
        Shape::Blob(_) if is_in => quote!(as_ptr_or_null(self.#name).cast::<c_void>()),
        Shape::Blob(_) => quote!(as_mut_ptr_or_null(self.#name).cast::<c_void>()),
        Shape::Str => quote!(self.#name.map_or(ptr::null(), CStr::as_ptr)),
        Shape::Fixed(_) | Shape::Chars(_) => quote!(&self.#name),
    }
}
