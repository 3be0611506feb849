//! Layout of what prettyplease cannot lay out, because to it the arguments of a macro are bare tokens.
//!
//! * The rows of table macros (`nodes!`, `procs!`) are written by [`macro_item`]: one line where they fit, else filled
//!   lines.
//! * A macro inside of a function is emitted as a call of [`bang`]'s placeholder, which prettyplease lays out as the
//!   call that it is; [`finish`] makes a macro of it again.
//! * Documentation is spread over one line comment per line by [`line_docs`]. It is wrapped, and so are [`text`]s.
//! * What prettyplease makes longer than [`LIMIT`] is broken by [`finish`] if it is a constant; what remains are long names.

use proc_macro2::{Delimiter, Group, Ident, Literal, Spacing, TokenStream, TokenTree};
use quote::{format_ident, quote};

/// prettyplease's line length, which table rows keep to as well.
const WIDTH: usize = 89;

/// No line is longer that could be broken. prettyplease goes beyond its own length where a name is long.
const LIMIT: usize = 100;

/// Length of documentation, behind its `///`, and of texts.
const TEXT_WIDTH: usize = 90;

const INDENT: &str = "    ";

/// What marks a call that becomes a macro. No Vulkan name ends so.
const BANG: &str = "_bang";

/// The name under which emitters call a macro inside of a function.
pub(crate) fn bang(name: &str) -> Ident {
    format_ident!("{name}{BANG}")
}

/// Makes formatted items what they should look like: macros for placeholders, blank lines between methods.
pub(super) fn finish(text: &str) -> String {
    let text = text.replace(&format!("{BANG}("), "!(");
    let mut spaced = String::with_capacity(text.len());
    let (mut in_trait, mut in_methods) = (false, false);
    let (mut after_method, mut after_constant) = (false, false);
    for line in text.split_inclusive('\n') {
        if !line.starts_with(' ') {
            in_trait = line.starts_with("pub trait");
            in_methods = in_trait || line.starts_with("impl");
        }
        let broken = break_constant(line);
        let line = broken.as_deref().unwrap_or(line);
        let member = line.strip_prefix(INDENT).filter(|rest| !rest.starts_with(' '));
        let begins_method = member.is_some_and(|rest| rest.starts_with("fn "));
        if in_methods && member.is_some() && (after_method || (begins_method && after_constant)) {
            spaced.push('\n');
        }
        spaced.push_str(line);
        after_constant = member.is_some() && line.ends_with(";\n");
        after_method = member == Some("}\n") || (in_trait && after_constant);
    }
    spaced
}

/// A constant whose line is too long, with its value on another.
fn break_constant(line: &str) -> Option<String> {
    let (left, right) = line.split_once(" = ").filter(|_| line.len() > LIMIT && line.contains("const "))?;
    let indent = &line[..line.len() - line.trim_start().len()];
    Some(format!("{left} =\n{indent}{INDENT}{right}"))
}

/// The name that a placeholder of [`bang`] stands for.
pub(super) fn without_bang(name: &str) -> &str {
    name.strip_suffix(BANG).unwrap_or(name)
}

/// A macro invocation that stands as an item.
pub(super) fn macro_item(item: &syn::ItemMacro) -> String {
    macro_text("", &item.mac)
}

/// A static whose value is a macro invocation.
pub(super) fn macro_static(item: &syn::ItemStatic, value: &syn::Macro) -> String {
    let syn::ItemStatic { vis, ident, ty, .. } = item;
    macro_text(&one_line(&quote!(#vis static #ident: #ty =)), value)
}

fn macro_text(before: &str, value: &syn::Macro) -> String {
    let space = if before.is_empty() { "" } else { " " };
    let name = format!("{before}{space}{}", one_line(&value.path));
    if matches!(value.delimiter, syn::MacroDelimiter::Brace(_)) {
        let rows = split(value.tokens.clone(), ';').into_iter();
        let rows: String = rows.map(|row| row_lines(&lines(split(row, ',')))).collect();
        return format!("{name}! {{\n{rows}}}\n");
    }
    let rows = lines(split(value.tokens.clone(), ','));
    let flat = format!("{name}!({});\n", rows.join(", "));
    if flat.len() <= WIDTH { flat } else { format!("{name}!(\n{});\n", fill(&rows, INDENT)) }
}

/// Rows one after the other, as many to a line as fit.
fn fill(rows: &[String], indent: &str) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for (index, row) in rows.iter().enumerate() {
        let comma = if index + 1 < rows.len() { "," } else { "" };
        if line.is_empty() {
            line = format!("{indent}{row}{comma}");
        } else if line.len() + row.len() + 2 <= WIDTH {
            line.push_str(&format!(" {row}{comma}"));
        } else {
            out.push_str(&line);
            out.push('\n');
            line = format!("{indent}{row}{comma}");
        }
    }
    out + &line + "\n"
}

/// A row on a line of its own. Where it is long, what follows its `=` is filled into lines below, and if need be what
/// follows its `=>` into another; a row without goes on below after its `:`.
fn row_lines(row: &[String]) -> String {
    let line = format!("{INDENT}{};\n", row.join(", "));
    let Some((head, rest)) = row.split_first().filter(|_| line.len() > WIDTH) else {
        return line;
    };
    let below = INDENT.repeat(2);
    let Some((left, first)) = head.split_once(" = ") else {
        return format!("{INDENT}{}\n", line.trim_start().replacen(": ", &format!(":\n{below}"), 1).trim_end());
    };
    let mut left = format!("{INDENT}{left} =\n");
    if left.len() > LIMIT {
        let at = left.find(": ").map(|at| at + 1).or_else(|| left.find('.'));
        let (first, second) = left.split_at(at.unwrap_or(left.len()));
        left = format!("{first}\n{below}{}", second.trim_start());
    }
    let right: Vec<String> = [first.to_owned()].into_iter().chain(rest.iter().cloned()).collect();
    let mut right = format!("{};", fill(&right, &below).trim_end());
    if right.lines().any(|line| line.len() > WIDTH) {
        right = right.replacen(" => ", &format!("\n{below}{INDENT}=> "), 1);
    }
    format!("{left}{right}\n")
}

/// Splits at a punctuation character.
fn split(tokens: TokenStream, at: char) -> Vec<TokenStream> {
    let mut rows = vec![TokenStream::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == at => rows.push(TokenStream::new()),
            token => rows.last_mut().expect("there is a first row").extend([token]),
        }
    }
    rows.retain(|row| !row.is_empty());
    rows
}

/// Each part on one line.
fn lines(parts: Vec<TokenStream>) -> Vec<String> {
    parts.iter().map(one_line).collect()
}

/// Tokens on one line, spaced as rustfmt would for types, paths and literals.
pub(super) fn one_line(tokens: &impl quote::ToTokens) -> String {
    let mut out = String::new();
    let mut glue = true;
    let mut operator = String::new();
    for token in tokens.to_token_stream() {
        if let TokenTree::Punct(punct) = &token {
            operator.push(punct.as_char());
            if punct.spacing() == Spacing::Alone || punct.as_char() == '\'' {
                glue = push_operator(&mut out, &std::mem::take(&mut operator), glue);
            }
            continue;
        }
        if !operator.is_empty() {
            glue = push_operator(&mut out, &std::mem::take(&mut operator), glue);
        }
        match token {
            TokenTree::Group(group) => push_group(&mut out, &group, glue),
            token => {
                if !glue {
                    out.push(' ');
                }
                out.push_str(&token.to_string());
            }
        }
        glue = false;
    }
    out.push_str(&operator);
    out
}

/// Writes an operator and says whether the next token follows without a space.
fn push_operator(out: &mut String, operator: &str, glue: bool) -> bool {
    match operator {
        "::" | "." | "<" | "!" => {
            out.push_str(operator);
            true
        }
        "," | ";" | ":" | ">" | "?" => {
            out.push_str(operator);
            false
        }
        "&" | "*" | "'" | "#" | "$" | "-" => {
            if !glue {
                out.push(' ');
            }
            out.push_str(operator);
            true
        }
        _ => {
            out.push_str(if glue { "" } else { " " });
            out.push_str(operator);
            false
        }
    }
}

fn push_group(out: &mut String, group: &Group, glue: bool) {
    let inner = one_line(&group.stream());
    let after_name = out.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '!' | '>'));
    let space = if glue { "" } else { " " };
    match group.delimiter() {
        Delimiter::Parenthesis if after_name => out.push_str(&format!("({inner})")),
        Delimiter::Parenthesis => out.push_str(&format!("{space}({inner})")),
        Delimiter::Bracket => out.push_str(&format!("{space}[{inner}]")),
        Delimiter::Brace => out.push_str(&format!("{space}{{ {inner} }}")),
        Delimiter::None => out.push_str(&format!("{space}{inner}")),
    }
}

/// Spreads each doc attribute over one attribute per line, which prettyplease writes as line comments.
pub(super) fn line_docs(tokens: TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        let docs = match tokens.peek() {
            Some(TokenTree::Group(group)) if is_hash => doc_text(group),
            _ => None,
        };
        match (docs, token) {
            (Some(docs), _) => {
                tokens.next();
                for line in docs.lines().flat_map(wrap) {
                    let line =
                        if line.is_empty() || line.starts_with(' ') { line.to_owned() } else { format!(" {line}") };
                    out.extend(quote!(#[doc = #line]));
                }
            }
            (None, TokenTree::Group(group)) => {
                let mut inner = Group::new(group.delimiter(), line_docs(group.stream()));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            (None, token) => out.extend([token]),
        }
    }
    out
}

/// Breaks a line of text where it is long.
pub(super) fn wrap(line: &str) -> Vec<String> {
    if line.len() <= TEXT_WIDTH {
        return vec![line.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.len() + 1 + word.len() <= TEXT_WIDTH {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A text as a string literal, broken where it is long.
pub(crate) fn text(text: &str) -> Literal {
    let literal = Literal::string(text).to_string();
    let broken = wrap(&literal).join(" \\\n            ");
    broken.parse().expect("a string literal whose line breaks are escaped is one")
}

/// The text of `[doc = "text"]`.
fn doc_text(group: &Group) -> Option<String> {
    let mut tokens = group.stream().into_iter();
    match (tokens.next()?, tokens.next()?, tokens.next()?) {
        (TokenTree::Ident(doc), TokenTree::Punct(_), TokenTree::Literal(text)) if doc == "doc" => string_value(&text),
        _ => None,
    }
}

fn string_value(literal: &Literal) -> Option<String> {
    syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().map(|text| text.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tokens: TokenStream, expected: &str) {
        assert_eq!(one_line(&tokens), expected);
    }

    #[test]
    fn tokens_are_spaced_as_rustfmt_does() {
        check(quote!(XArgs<'a>, X, "vkX", vk::Result), "XArgs<'a>, X, \"vkX\", vk::Result");
        check(quote!(slot: vk::PFN_vkX = c"vkX", c"vkY"), "slot: vk::PFN_vkX = c\"vkX\", c\"vkY\"");
        check(quote!(Announced::Extensions(&[&[1, 2], &[3]])), "Announced::Extensions(&[&[1, 2], &[3]])");
        check(quote!(a as *const T), "a as *const T");
        check(quote!(XArgs<'a>.x(device) = f::<T>()), "XArgs<'a>.x(device) = f::<T>()");
        check(quote!(f(a.b, -1) -> u32), "f(a.b, -1) -> u32");
        check(quote!(X { a: 1 }), "X { a: 1 }");
    }

    #[test]
    fn long_rows_are_filled() {
        let item: syn::ItemMacro = syn::parse2(quote!(short!(A, B);)).expect("a macro");
        assert_eq!(macro_item(&item), "short!(A, B);\n");
        let names = (0..12).map(|n| format_ident!("SomeLongName{n}"));
        let item: syn::ItemMacro = syn::parse2(quote!(long!(#(#names),*);)).expect("a macro");
        let text = macro_item(&item);
        assert!(text.starts_with("long!(\n    SomeLongName0, ") && text.ends_with("\n);\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn tables_have_a_row_per_line() {
        let item: syn::ItemMacro = syn::parse2(quote!(table! { a: T = [1]; b: U = [2]; })).expect("a macro");
        assert_eq!(macro_item(&item), "table! {\n    a: T = [1];\n    b: U = [2];\n}\n");
        let names = (0..12).map(|n| format_ident!("SomeLongName{n}"));
        let item: syn::ItemMacro = syn::parse2(quote!(table! { a: T = #(#names),*; })).expect("a macro");
        let text = macro_item(&item);
        assert!(text.starts_with("table! {\n    a: T =\n        SomeLongName0, "), "{text}");
        assert!(text.ends_with(";\n}\n") && text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn long_names_break_before_what_they_belong_to() {
        let (long, longer) = (format_ident!("{}", "l".repeat(50)), format_ident!("{}", "m".repeat(60)));
        let item: syn::ItemMacro =
            syn::parse2(quote!(table! { #long: #longer; #long: #longer = a, b; #long<'a>.#longer() = a; }))
                .expect("a macro");
        let (long, longer, below) = (long.to_string(), longer.to_string(), "        ");
        let expected = format!(
            "table! {{\n    {long}:\n{below}{longer};\n    {long}:\n{below}{longer} =\n{below}a, b;\n    \
             {long}<'a>\n{below}.{longer}() =\n{below}a;\n}}\n"
        );
        assert_eq!(macro_item(&item), expected);
    }

    #[test]
    fn texts_and_constants_are_broken() {
        let words = "word ".repeat(30);
        assert!(text(words.trim_end()).to_string().lines().all(|line| line.len() <= LIMIT));
        let value: syn::LitStr = syn::parse_str(&text(words.trim_end()).to_string()).expect("a literal");
        assert_eq!(value.value(), words.trim_end());
        let name = "N".repeat(60);
        let line = format!("    pub const {name}: Self = Self::{name};\n");
        assert_eq!(finish(&line), format!("    pub const {name}: Self =\n        Self::{name};\n"));
    }

    #[test]
    fn documentation_becomes_line_comments() {
        let docs = line_docs(quote!(
            #[doc = "One.\n\nTwo."]
            struct X;
        ));
        let file: syn::File = syn::parse2(docs).expect("an item");
        assert_eq!(prettyplease::unparse(&file), "/// One.\n///\n/// Two.\nstruct X;\n");
    }
}
