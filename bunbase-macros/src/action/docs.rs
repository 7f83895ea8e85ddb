//! Doc comments as text.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The doc comment of a function.
#[derive(Default)]
pub(crate) struct Docs {
    /// The first line.
    pub(crate) summary: String,
    /// The rest.
    pub(crate) description: String,
}

impl Docs {
    /// Reads the doc attributes. Text from a file or a macro is not known here and is left out.
    pub(crate) fn of(attrs: &[Attribute]) -> Self {
        let lines = attrs.iter().filter_map(|attr| match &attr.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        });
        let lines: Vec<String> = lines
            .flat_map(|text| {
                text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect::<Vec<_>>()
            })
            .collect();
        let text = lines.join("\n");
        let (summary, description) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        Self { summary: summary.trim().to_owned(), description: description.trim().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn the_first_line_is_the_summary() {
        let attrs: [Attribute; 4] = [
            parse_quote!(#[doc = " One."]),
            parse_quote!(#[doc = ""]),
            parse_quote!(#[doc = " Two"]),
            parse_quote!(#[doc = "  more."]),
        ];
        let docs = Docs::of(&attrs);
        assert_eq!((docs.summary.as_str(), docs.description.as_str()), ("One.", "Two\n more."));
    }
}
