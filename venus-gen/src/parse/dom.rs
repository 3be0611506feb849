//! The questions that the parsers ask of elements.

use crate::diag::Diagnostics;
use crate::xml::Element;

impl Element {
    /// The items of a comma-separated attribute; none if it is absent or empty.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.attribute(name).map(split_list).unwrap_or_default()
    }

    /// Child elements that exist outside the safety-critical variant of the API.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children().filter(|element| element.attribute("api") != Some("vulkansc"))
    }

    pub(super) fn elements_named<'e>(&'e self, tag: &'e str) -> impl Iterator<Item = &'e Self> {
        self.elements().filter(move |element| element.tag == tag)
    }

    pub(super) fn element(&self, tag: &str) -> Option<&Self> {
        self.elements().find(|element| element.tag == tag)
    }

    /// An attribute that the schema requires; reports its absence.
    pub(super) fn require(&self, name: &str, diags: &mut Diagnostics) -> String {
        self.attribute(name).map(str::to_owned).unwrap_or_else(|| {
            diags.push(&self.at, self.label(), format!("attribute {name:?} is missing"), "add it");
            String::new()
        })
    }

    /// A required attribute that holds a C identifier.
    pub(super) fn require_identifier(&self, name: &str, diags: &mut Diagnostics) -> String {
        let value = self.require(name, diags);
        self.check_identifier(&value, &self.label(), diags);
        value
    }

    /// Reports a name that C could not have. An empty one is reported where it is missing.
    pub(super) fn check_identifier(&self, name: &str, path: &str, diags: &mut Diagnostics) {
        let valid = |char: char| char.is_ascii_alphanumeric() || char == '_';
        if !name.chars().all(valid) || name.starts_with(|char: char| char.is_ascii_digit()) {
            let message = format!("{name:?} is no C identifier");
            diags.push(&self.at, path, message, "repair the name");
        }
    }

    /// A required attribute that holds a number.
    pub(super) fn require_number(&self, name: &str, diags: &mut Diagnostics) -> u32 {
        let text = self.require(name, diags);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                let message = format!("attribute {name:?} is {text:?}, which is no number");
                diags.push(&self.at, self.label(), message, "write a decimal number");
            }
            0
        })
    }

    /// A required attribute that is `true` or `false`.
    pub(super) fn require_bool(&self, name: &str, diags: &mut Diagnostics) -> bool {
        let text = self.require(name, diags);
        if !matches!(text.as_str(), "true" | "false" | "") {
            let message = format!("attribute {name:?} is {text:?}");
            diags.push(&self.at, self.label(), message, "write true or false");
        }
        text == "true"
    }
}

pub(super) fn split_list(list: &str) -> Vec<String> {
    list.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}
