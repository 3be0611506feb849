//! Kept elements to text: one element per line, so that a difference between two registries can be read.

use super::declaration::escape;
use super::prune::{Kept, KeptBody};

/// Blanks per level.
const INDENT: usize = 2;

/// The whole document.
pub(super) fn write(root: &Kept) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    write_element(&mut out, root, 0);
    out
}

fn write_element(out: &mut String, element: &Kept, depth: usize) {
    let margin = depth * INDENT;
    out.extend(std::iter::repeat_n(' ', margin));
    out.push('<');
    out.push_str(&element.tag);
    for (key, value) in &element.attributes {
        out.push_str(&format!(" {key}=\"{}\"", escape(value)));
    }
    match &element.body {
        KeptBody::Empty => out.push_str("/>\n"),
        KeptBody::Declaration(markup) => out.push_str(&format!(">{markup}</{}>\n", element.tag)),
        KeptBody::Elements(elements) if elements.is_empty() => out.push_str("/>\n"),
        KeptBody::Elements(elements) => {
            out.push_str(">\n");
            for child in elements {
                write_element(out, child, depth + 1);
            }
            out.extend(std::iter::repeat_n(' ', margin));
            out.push_str(&format!("</{}>\n", element.tag));
        }
    }
}
