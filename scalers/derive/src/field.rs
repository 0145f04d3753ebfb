//! One field of the struct: its options, and the code they become.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Field, Ident, Lit, LitStr, Meta, Token, Type, parenthesized};

/// What a field of the struct stands for.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Setting,
    Block,
    Skipped,
}

/// A field with its options.
pub(crate) struct Declared {
    pub(crate) ident: Ident,
    pub(crate) role: Role,
    ty: Type,
    doc: String,
    options: Options,
}

#[derive(Default)]
struct Options {
    name: Option<String>,
    aliases: Vec<String>,
    sources: Vec<Ident>,
    default: Option<String>,
    exclusive: Vec<String>,
    removed: Option<String>,
    deprecated: Option<String>,
    target: bool,
    block: bool,
    skip: bool,
}

impl Declared {
    pub(crate) fn parse(field: &Field) -> Result<Self, Error> {
        let ident = field.ident.clone().expect("the caller passes named fields only");
        let mut options = Options::default();
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("keda")) {
            attribute.parse_nested_meta(|meta| options.read(&meta))?;
        }
        let doc = doc_of(field);
        if doc.is_empty() && !options.skip {
            let what =
                format!("`{ident}` needs a doc comment: it is the user's documentation of the setting");
            return Err(Error::new_spanned(field, what));
        }
        let role = match (options.block, options.skip) {
            (true, true) => {
                return Err(Error::new_spanned(
                    field,
                    "a field is a `block` or skipped, not both",
                ));
            }
            (true, false) => Role::Block,
            (false, true) => Role::Skipped,
            (false, false) => Role::Setting,
        };
        if options.removed.is_some() && options.deprecated.is_some() {
            return Err(Error::new_spanned(
                field,
                "a setting is `removed` or `deprecated`, not both",
            ));
        }
        Ok(Self {
            ident,
            role,
            ty: field.ty.clone(),
            doc,
            options,
        })
    }

    /// The slice of `Field`s that this field adds to the list.
    pub(crate) fn listing(&self) -> Option<TokenStream> {
        let ty = &self.ty;
        match self.role {
            Role::Setting => {
                let field = self.field();
                Some(quote!(&[#field]))
            }
            Role::Block => Some(quote!(<#ty as crate::metadata::TriggerMetadata>::FIELDS)),
            Role::Skipped => None,
        }
    }

    /// The length of [`Declared::listing`].
    pub(crate) fn length(&self) -> Option<TokenStream> {
        let ty = &self.ty;
        match self.role {
            Role::Setting => Some(quote!(1)),
            Role::Block => Some(quote!(<#ty as crate::metadata::TriggerMetadata>::FIELDS.len())),
            Role::Skipped => None,
        }
    }

    /// The statement that reads the field, or reports why it cannot.
    pub(crate) fn reading(&self) -> TokenStream {
        let Self { ident, ty, .. } = self;
        match self.role {
            Role::Setting => {
                let field = self.field();
                quote! {
                    let #ident = {
                        const FIELD: crate::metadata::Field = #field;
                        reader.value::<#ty>(&FIELD)
                    };
                }
            }
            Role::Block => quote!(let #ident = <#ty as crate::metadata::TriggerMetadata>::read(reader);),
            Role::Skipped => TokenStream::new(),
        }
    }

    fn field(&self) -> TokenStream {
        let Options {
            aliases,
            default,
            exclusive,
            removed,
            deprecated,
            target,
            ..
        } = &self.options;
        let (ty, doc) = (&self.ty, &self.doc);
        let key = self
            .options
            .name
            .clone()
            .unwrap_or_else(|| camel(&self.ident.to_string()));
        let default = optional(default.as_ref());
        let removed = optional(removed.as_ref());
        let deprecated = optional(deprecated.as_ref());
        let sources: Vec<TokenStream> = if self.options.sources.is_empty() {
            vec![quote!(crate::metadata::Origin::Metadata)]
        } else {
            self.options.sources.iter().map(origin).collect()
        };
        quote! {
            crate::metadata::Field {
                key: #key,
                aliases: &[#(#aliases),*],
                sources: &[#(#sources),*],
                kind: <#ty as crate::metadata::Value>::KIND,
                optional: <#ty as crate::metadata::Value>::OPTIONAL,
                secret: <#ty as crate::metadata::Value>::SECRET,
                default: #default,
                target: #target,
                exclusive: &[#(#exclusive),*],
                removed: #removed,
                deprecated: #deprecated,
                doc: #doc,
            }
        }
    }
}

impl Options {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<(), Error> {
        let Some(option) = meta.path.get_ident() else {
            return Err(meta.error("unknown option"));
        };
        match option.to_string().as_str() {
            "name" => self.name = Some(text(meta)?),
            "alias" => self.aliases = texts(meta)?,
            "from" => self.sources = sources(meta)?,
            "default" => self.default = Some(text(meta)?),
            "exclusive" => self.exclusive = texts(meta)?,
            "removed" => self.removed = Some(text(meta)?),
            "deprecated" => self.deprecated = Some(text(meta)?),
            "target" => self.target = true,
            "block" => self.block = true,
            "skip" => self.skip = true,
            other => return Err(meta.error(format!("unknown option `{other}`"))),
        }
        Ok(())
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String, Error> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

fn texts(meta: &ParseNestedMeta<'_>) -> Result<Vec<String>, Error> {
    let content;
    parenthesized!(content in meta.input);
    let list = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
    Ok(list.iter().map(LitStr::value).collect())
}

fn sources(meta: &ParseNestedMeta<'_>) -> Result<Vec<Ident>, Error> {
    let content;
    parenthesized!(content in meta.input);
    let list = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
    for source in &list {
        if !["metadata", "env", "auth"].contains(&source.to_string().as_str()) {
            return Err(Error::new_spanned(
                source,
                "a source is `metadata`, `env` or `auth`",
            ));
        }
    }
    if list.is_empty() {
        return Err(meta.error("`from` needs a source"));
    }
    Ok(list.into_iter().collect())
}

fn origin(source: &Ident) -> TokenStream {
    match source.to_string().as_str() {
        "env" => quote!(crate::metadata::Origin::Env),
        "auth" => quote!(crate::metadata::Origin::Auth),
        _ => quote!(crate::metadata::Origin::Metadata),
    }
}

fn optional(text: Option<&String>) -> TokenStream {
    text.map_or_else(
        || quote!(::core::option::Option::None),
        |text| quote!(::core::option::Option::Some(#text)),
    )
}

/// The doc comment, one line for each line written.
fn doc_of(field: &Field) -> String {
    let mut lines = Vec::new();
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(line), ..
            }) = &pair.value
        {
            lines.push(line.value().trim().to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

/// `list_length` is `listLength`.
fn camel(snake: &str) -> String {
    let mut words = snake.trim_start_matches("r#").split('_');
    let mut key = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        key.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        key.push_str(letters.as_str());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[track_caller]
    fn refused(field: &Field, needle: &str) {
        let Err(error) = Declared::parse(field) else {
            panic!("was accepted")
        };
        assert!(error.to_string().contains(needle), "{error}");
    }

    #[test]
    fn names_become_keys() {
        assert_eq!(camel("list_length"), "listLength");
        assert_eq!(camel("url"), "url");
        assert_eq!(camel("r#type"), "type");
    }

    #[test]
    fn mistakes_are_compile_errors() {
        refused(&parse_quote!(name: String), "needs a doc comment");
        refused(
            &parse_quote!(#[doc = "x"] #[keda(deflt = "1")] name: String),
            "unknown option `deflt`",
        );
        refused(
            &parse_quote!(#[doc = "x"] #[keda(from(file))] name: String),
            "a source is",
        );
        refused(
            &parse_quote!(#[doc = "x"] #[keda(removed = "a", deprecated = "b")] name: String),
            "not both",
        );
    }
}
