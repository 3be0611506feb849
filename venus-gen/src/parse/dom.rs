//! Elements with their positions, and the questions that the parsers ask them.

use std::collections::BTreeMap;

use crate::diag::{Diagnostics, XmlPos};
use crate::xml;

/// An element with everything below it.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) children: Vec<Child>,
    pub(crate) at: XmlPos,
}

#[derive(Debug)]
pub(crate) enum Child {
    Element(Element),
    Text(String),
}

impl Element {
    fn new(file: &str, tree: xml::Element) -> Self {
        let child = |content| match content {
            xml::Content::Element(element) => Child::Element(Self::new(file, element)),
            xml::Content::Text { text, .. } => Child::Text(text),
        };
        Self {
            name: tree.tag,
            attributes: tree.attributes.into_iter().collect(),
            children: tree.content.into_iter().map(child).collect(),
            at: XmlPos { file: file.to_owned(), line: tree.line },
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The items of a comma-separated attribute; none if it is absent or empty.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.attribute(name).map(split_list).unwrap_or_default()
    }

    /// Child elements that exist outside the safety-critical variant of the API.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| match child {
            Child::Element(element) if element.attribute("api") != Some("vulkansc") => Some(element),
            Child::Element(_) | Child::Text(_) => None,
        })
    }

    pub(crate) fn elements_named<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.elements().filter(move |element| element.name == name)
    }

    pub(crate) fn element(&self, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.name == name)
    }

    /// All text below this element, in order.
    pub(crate) fn text(&self) -> String {
        self.children
            .iter()
            .map(|child| match child {
                Child::Element(element) => element.text(),
                Child::Text(text) => text.clone(),
            })
            .collect()
    }

    /// What diagnostics call this element: its tag and, where it has one, its name.
    pub(crate) fn path(&self) -> String {
        let named = self.attribute("name").map(str::to_owned).or_else(|| {
            let holder = self.element("proto").unwrap_or(self);
            holder.element("name").map(Element::text)
        });
        match named {
            Some(name) => format!("{} {name}", self.name),
            None => self.name.clone(),
        }
    }

    /// An attribute that the schema requires; reports its absence.
    pub(crate) fn require(&self, name: &str, diags: &mut Diagnostics) -> String {
        self.attribute(name).map(str::to_owned).unwrap_or_else(|| {
            diags.push(&self.at, self.path(), format!("attribute {name:?} is missing"), "add it");
            String::new()
        })
    }

    /// A required attribute that holds a number.
    pub(crate) fn require_number(&self, name: &str, diags: &mut Diagnostics) -> u32 {
        let text = self.require(name, diags);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                let message = format!("attribute {name:?} is {text:?}, which is no number");
                diags.push(&self.at, self.path(), message, "write a decimal number");
            }
            0
        })
    }

    pub(crate) fn expect_name(&self, name: &str, diags: &mut Diagnostics) {
        if self.name != name {
            let message = format!("the root element is <{}>, not <{name}>", self.name);
            diags.push(&self.at, self.path(), message, "give the right file");
        }
    }
}

pub(crate) fn split_list(list: &str) -> Vec<String> {
    list.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// Parses a document. `None` after a syntax error, which is reported: nothing behind it can be trusted.
pub(crate) fn parse(file: &str, xml: &str, diags: &mut Diagnostics) -> Option<Element> {
    match xml::read(file, xml) {
        Ok(root) => Some(Element::new(file, root)),
        Err(problems) => {
            diags.extend(problems);
            None
        }
    }
}
