//! `#[derive(TriggerMetadata)]`: reads the settings of a trigger into a struct and lists them for the documentation.
//!
//! The derive is checked where the scaler is written: a setting without a doc comment, an unknown option and an
//! unknown source are compile errors, so that a bad declaration is never found by a user.

mod field;

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, parse_macro_input};

use field::{Declared, Role};

/// Implements `scalers::TriggerMetadata` for a struct with named fields.
///
/// The key of a setting is the field's name in camel case. Options of `#[keda(…)]`:
///
/// - `from(metadata, env, auth)`: where the value is looked up, in that order; `metadata` alone if left out
/// - `name = "Cert"`: the key, where it is not the field's name in camel case
/// - `alias("a", "b")`: further names of the key
/// - `default = "5"`: the text that is read when nothing is given
/// - `target`: the target value; zero counts as absent, and a trigger that only feeds a formula may leave it out
/// - `exclusive("a", "b")`: elements of a list that cannot occur together
/// - `removed = "what to use instead"`: giving the setting is an error
/// - `deprecated = "what to use instead"`: giving the setting is a warning
/// - `block`: the field is itself a struct that derives `TriggerMetadata`, and its settings are read from the same trigger
/// - `skip`: the field is no setting and starts as its default
#[proc_macro_derive(TriggerMetadata, attributes(keda))]
pub fn trigger_metadata(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<proc_macro2::TokenStream, Error> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "trigger metadata is a struct"));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new_spanned(
            &input.ident,
            "trigger metadata has named fields",
        ));
    };
    let fields = declared(named)?;
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let parts = fields.iter().filter_map(Declared::listing);
    let lengths = fields.iter().filter_map(Declared::length);
    let reads = fields.iter().map(Declared::reading);
    let settled = fields.iter().map(|f| {
        let ident = &f.ident;
        match f.role {
            Role::Skipped => quote!(#ident: ::core::default::Default::default()),
            Role::Setting | Role::Block => quote!(#ident: #ident?),
        }
    });
    Ok(quote! {
        impl #generics crate::metadata::TriggerMetadata for #name #arguments #bounds {
            const FIELDS: &'static [crate::metadata::Field] =
                &crate::metadata::joined::<{ 0 #(+ #lengths)* }>(&[#(#parts),*]);

            fn read(reader: &mut crate::metadata::Reader<'_>) -> ::core::option::Option<Self> {
                #(#reads)*
                ::core::option::Option::Some(Self { #(#settled),* })
            }
        }
    })
}

/// Every field, or all mistakes in them at once.
fn declared(named: &syn::FieldsNamed) -> Result<Vec<Declared>, Error> {
    let mut fields = Vec::new();
    let mut mistakes: Option<Error> = None;
    for field in &named.named {
        match Declared::parse(field) {
            Ok(declared) => fields.push(declared),
            Err(error) => match &mut mistakes {
                Some(all) => all.combine(error),
                None => mistakes = Some(error),
            },
        }
    }
    mistakes.map_or(Ok(fields), Err)
}
