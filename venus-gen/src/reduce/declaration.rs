//! The C text in types, members and parameters: `const <type>char</type>* <name>pName</name>`.
//!
//! Upstream aligns it with runs of blanks and mixes comments into the defines. Here it becomes one line with single
//! blanks, or, where it is more than a plain declaration, nothing but the name.

use std::borrow::Cow;

/// Escapes text and attribute values.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// One line, single blanks, none at the ends.
pub(super) fn collapse(markup: &str) -> String {
    markup.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The declaration on one line if that is all there is: no preprocessor branches, no macro with parameters.
///
/// Line comments go first. That leaves nothing of a define which upstream has commented out.
pub(super) fn plain(markup: &str) -> Option<String> {
    let without_comments: Vec<&str> =
        markup.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect();
    let line = collapse(&without_comments.join("\n"));
    if line.is_empty() || line.contains('\\') {
        return None;
    }
    match line.strip_prefix("#define ") {
        // An object-like macro has a blank between its name and its value.
        Some(define) => {
            let (_, value) = define.split_once("</name>")?;
            (value.starts_with(' ') && !value.contains('#')).then_some(line)
        }
        None => (!line.contains('#')).then_some(line),
    }
}

#[cfg(test)]
mod tests {
    use super::{collapse, escape, plain};

    #[test]
    fn one_line() {
        assert_eq!(collapse("\n  const   <type>a</type>*  <name>b</name> "), "const <type>a</type>* <name>b</name>");
    }

    #[test]
    fn quotes_and_brackets() {
        assert_eq!(escape("a<b>&\"c\"'"), "a&lt;b&gt;&amp;&quot;c&quot;'");
        assert_eq!(escape("plain"), "plain");
    }

    #[test]
    fn plain_declarations_only() {
        let check = |markup: &str, expected: Option<&str>| assert_eq!(plain(markup).as_deref(), expected, "{markup}");
        check("// Version\n#define <name>V</name> 309", Some("#define <name>V</name> 309"));
        check(
            "#define <name>V</name> <type>M</type>(0, 1)// Patch",
            Some("#define <name>V</name> <type>M</type>(0, 1)"),
        );
        check("// Gone\n//#define <name>V</name> 1", None);
        check("#define <name>M</name>(a) ((a) &lt;&lt; 2)", None);
        check("#define <name>M</name> 1 \\\n 2", None);
        check("#ifdef X\ntypedef void <name>T</name>;\n#endif", None);
        check("typedef <type>u</type> <name>T</name>;", Some("typedef <type>u</type> <name>T</name>;"));
    }
}
