//! XML text to a tree of elements that know their lines.
//!
//! Entities are resolved, comments and processing instructions are gone, and the document is known to be well formed.
//! Nothing here knows the registry.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::diag::{Diagnostics, XmlPos};

/// Deepest nesting that is read. The registry uses seven levels; the limit keeps recursive walks off the stack's end.
const MAX_DEPTH: usize = 64;

/// What stands between an element's tags.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A nested element.
    Element(Element),
    /// Text, as written but with entities resolved.
    Text {
        /// Line in which the text starts.
        line: u32,
        /// The characters.
        text: String,
    },
}

/// One element.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    /// Where the `<` of its start tag stands.
    pub(crate) at: XmlPos,
    /// Tag name.
    pub(crate) tag: String,
    /// Attributes in the order in which they are written.
    pub(crate) attributes: Vec<(String, String)>,
    /// Nested elements and text.
    pub(crate) content: Vec<Content>,
}

impl Element {
    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The nested elements, without the text between them.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Self> {
        self.content.iter().filter_map(|content| match content {
            Content::Element(element) => Some(element),
            Content::Text { .. } => None,
        })
    }

    /// The first nested element of that tag.
    pub(crate) fn child(&self, tag: &str) -> Option<&Self> {
        self.children().find(|child| child.tag == tag)
    }

    /// All text in it and in its nested elements.
    pub(crate) fn text(&self) -> String {
        let mut all = String::new();
        for content in &self.content {
            match content {
                Content::Element(element) => all.push_str(&element.text()),
                Content::Text { text, .. } => all.push_str(text),
            }
        }
        all
    }

    /// What the element is called: its `name` attribute, else its `<name>`, else its `<proto>`'s `<name>`.
    pub(crate) fn name(&self) -> Option<String> {
        if let Some(name) = self.attribute("name") {
            return Some(name.trim().to_owned());
        }
        let name = self.child("name").or_else(|| self.child("proto")?.child("name"))?;
        Some(name.text().trim().to_owned())
    }

    /// Tag and name, as one step of a diagnostic's element path.
    pub(crate) fn label(&self) -> String {
        match self.name() {
            Some(name) => format!("{} {name}", self.tag),
            None => self.tag.clone(),
        }
    }
}

/// Reads a document and gives its root element.
pub(crate) fn read(file_name: &str, xml: &str) -> Result<Element, Diagnostics> {
    // A byte order mark is not part of the document.
    let xml = xml.strip_prefix('\u{feff}').unwrap_or(xml);
    Builder { file_name, lines: Lines::new(xml), open: Vec::new(), root: None }.build(xml)
}

/// Turns byte offsets into line numbers.
struct Lines {
    /// Offset of each newline, ascending.
    newlines: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        Self { newlines: text.match_indices('\n').map(|(offset, _)| offset).collect() }
    }

    fn line(&self, offset: u64) -> u32 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let before = self.newlines.partition_point(|&newline| newline < offset);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}

struct Builder<'a> {
    file_name: &'a str,
    lines: Lines,
    /// Elements whose end tag has not been seen, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
}

impl Builder<'_> {
    fn build(mut self, xml: &str) -> Result<Element, Diagnostics> {
        let mut reader = Reader::from_str(xml);
        // A stray end tag or `--` in a comment makes a document ill-formed; the parser can be lenient, we are not.
        reader.config_mut().enable_all_checks(true);
        loop {
            let start = reader.buffer_position();
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.broken(self.lines.line(reader.error_position()), error.to_string())),
            };
            let line = self.lines.line(start);
            match event {
                Event::Start(tag) => {
                    let element = self.element(&tag, line)?;
                    if self.open.len() == MAX_DEPTH {
                        return Err(self.broken(line, format!("elements are nested more than {MAX_DEPTH} deep")));
                    }
                    self.open.push(element);
                }
                Event::Empty(tag) => {
                    let element = self.element(&tag, line)?;
                    self.attach(element)?;
                }
                Event::End(_) => {
                    // The parser has matched the end tag with its start tag, so there is an open element.
                    if let Some(element) = self.open.pop() {
                        self.attach(element)?;
                    }
                }
                Event::Text(text) => self.text(&text.xml10_content(), line)?,
                Event::CData(text) => self.text(&text.xml10_content(), line)?,
                Event::GeneralRef(reference) => {
                    let resolved = self.reference(&reference, line)?;
                    self.text(&resolved, line)?;
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
        }
        if let Some(element) = self.open.last() {
            return Err(self.broken(element.at.line, format!("`<{}>` is never closed", element.tag)));
        }
        match self.root.take() {
            Some(root) => Ok(root),
            None => Err(self.broken(1, "there is no element in it".to_owned())),
        }
    }

    fn element(&self, tag: &BytesStart<'_>, line: u32) -> Result<Element, Diagnostics> {
        let name = tag.name().0.to_owned();
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| self.broken(line, format!("`<{name}>`: {error}")))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| self.broken(line, format!("`<{name}>`: attribute `{}`: {error}", attribute.key.0)))?;
            attributes.push((attribute.key.0.to_owned(), value.into_owned()));
        }
        Ok(Element { at: XmlPos { file: self.file_name.to_owned(), line }, tag: name, attributes, content: Vec::new() })
    }

    /// Puts a complete element where it belongs.
    fn attach(&mut self, element: Element) -> Result<(), Diagnostics> {
        if let Some(parent) = self.open.last_mut() {
            parent.content.push(Content::Element(element));
        } else if let Some(root) = &self.root {
            let message = format!("a second root element `<{}>` follows `<{}>`", element.tag, root.tag);
            return Err(self.broken(element.at.line, message));
        } else {
            self.root = Some(element);
        }
        Ok(())
    }

    fn text(&mut self, text: &str, line: u32) -> Result<(), Diagnostics> {
        match self.open.last_mut() {
            Some(parent) => match parent.content.last_mut() {
                // The parser splits text at entities.
                Some(Content::Text { text: before, .. }) => before.push_str(text),
                _ => parent.content.push(Content::Text { line, text: text.to_owned() }),
            },
            None if text.trim().is_empty() => {}
            None => {
                let (line, text) = first_word(line, text);
                return Err(self.broken(line, format!("text outside of the root element: `{text}`")));
            }
        }
        Ok(())
    }

    fn reference(&self, reference: &BytesRef<'_>, line: u32) -> Result<String, Diagnostics> {
        if let Some(text) = resolve_predefined_entity(reference) {
            return Ok(text.to_owned());
        }
        match reference.resolve_char_ref() {
            Ok(Some(character)) => Ok(character.to_string()),
            Ok(None) => Err(self.broken(line, format!("`&{};` is not an entity of XML", &**reference))),
            Err(error) => Err(self.broken(line, error.to_string())),
        }
    }

    fn broken(&self, line: u32, message: String) -> Diagnostics {
        let path: Vec<String> = self.open.iter().skip(1).map(|element| element.tag.clone()).collect();
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(
            &XmlPos { file: self.file_name.to_owned(), line },
            if path.is_empty() { "document".to_owned() } else { path.join("/") },
            format!("not well-formed XML: {message}"),
            "mend this place first: what follows it cannot be read, so more problems may show up afterwards",
        );
        diagnostics
    }
}

/// The first word of a text, for a message, and the line in which it stands.
pub(crate) fn first_word(line: u32, text: &str) -> (u32, &str) {
    let trimmed = text.trim_start();
    let skipped = &text[..text.len() - trimmed.len()];
    let newlines = u32::try_from(skipped.matches('\n').count()).unwrap_or(u32::MAX);
    (line.saturating_add(newlines), trimmed.split_whitespace().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{first_word, read};

    fn problem(xml: &str) -> String {
        read("t.xml", xml).expect_err("the document is broken").as_slice()[0].to_string()
    }

    #[test]
    fn lines_and_entities() {
        let root =
            read("t.xml", "<?xml version='1.0'?>\n<a>\n\n<b c='&lt;1'/>x &amp;\n<d>\n</d></a>").expect("well formed");
        assert_eq!(root.at.line, 2);
        assert_eq!(root.child("b").expect("b").at.line, 4);
        assert_eq!(root.child("b").expect("b").attribute("c"), Some("<1"));
        assert_eq!(root.child("d").expect("d").at.line, 5);
        assert_eq!(root.text().trim(), "x &");
    }

    #[test]
    fn broken_documents_name_the_line() {
        assert!(problem("<a>\n<b>\n</c>\n</a>").starts_with("t.xml:3: "), "{}", problem("<a>\n<b>\n</c>\n</a>"));
        assert!(problem("<a>\n<b>\n").starts_with("t.xml:2: b: "), "{}", problem("<a>\n<b>\n"));
        assert!(problem("<a/>\n<b/>").starts_with("t.xml:2: "));
        assert!(problem("<a>\n&nope;</a>").starts_with("t.xml:2: "));
        assert!(problem("<a>\n<b c='1' c='2'/></a>").starts_with("t.xml:2: "));
        assert!(problem("<a>\n<b c='1").starts_with("t.xml:2: "));
        assert!(problem("").starts_with("t.xml:1: "));
        assert!(problem("<a/>\n\nwords").starts_with("t.xml:3: "));
        assert!(problem(&"<a>".repeat(100)).contains("nested"));
    }

    #[test]
    fn first_words() {
        assert_eq!(first_word(3, "\n  \n two words"), (5, "two"));
        assert_eq!(first_word(3, ""), (3, ""));
    }
}
