//! Applies the schema to a tree: keeps what code needs, reports everything that does not fit.

use super::declaration::{collapse, escape, plain};
use super::schema::{Body, COMMAND_ELEMENTS, DECLARATION_ELEMENTS, ROOT, ROOT_TAG, Rule, Shape, TYPE_ELEMENTS, lookup};
use crate::diag::{Diagnostics, XmlPos};
use crate::xml::{Content, Element, first_word};

/// An element of the reduced registry.
#[derive(Debug)]
pub(super) struct Kept {
    /// Tag name.
    pub(super) tag: String,
    /// Attributes in the order of the schema.
    pub(super) attributes: Vec<(&'static str, String)>,
    /// What stands in it.
    pub(super) body: KeptBody,
}

/// What stands in a kept element.
#[derive(Debug)]
pub(super) enum KeptBody {
    /// Nothing.
    Empty,
    /// A declaration on one line, already marked up and escaped.
    Declaration(String),
    /// Elements, each on a line of its own.
    Elements(Vec<Kept>),
}

/// What is left of `root`. Meaningless if something was reported.
pub(super) fn prune(file_name: &str, root: &Element, diagnostics: &mut Diagnostics) -> Kept {
    let mut pruner = Pruner { file_name, diagnostics, path: Vec::new() };
    if root.tag != ROOT_TAG {
        pruner.report(
            root.at.line,
            format!("the root element is `<{}>`, not `<{ROOT_TAG}>`", root.tag),
            "import the registry of Vulkan itself, usually named vk.xml",
        );
        return Kept { tag: ROOT_TAG.to_owned(), attributes: Vec::new(), body: KeptBody::Empty };
    }
    pruner.element(root, &ROOT)
}

/// Whether an element says anything about Vulkan, as opposed to Vulkan SC or to nothing that exists yet.
///
/// The registry serves several APIs: `api` restricts an element to some, and an extension lists those that support it.
pub(super) fn concerns_vulkan(element: &Element) -> bool {
    let only_sc = element.attribute("api").is_some_and(|apis| apis.split(',').all(|api| api.trim() == "vulkansc"));
    let unsupported = element.tag == "extension"
        && element.attribute("supported").is_some_and(|apis| !apis.split(',').any(|api| api.trim() == "vulkan"));
    !only_sc && !unsupported
}

struct Pruner<'a> {
    file_name: &'a str,
    diagnostics: &'a mut Diagnostics,
    /// Labels of the elements around the current one, without the root.
    path: Vec<String>,
}

impl Pruner<'_> {
    fn report(&mut self, line: u32, message: String, help: &str) {
        let at = XmlPos { file: self.file_name.to_owned(), line };
        let element = if self.path.is_empty() { ROOT_TAG.to_owned() } else { self.path.join("/") };
        self.diagnostics.push(&at, element, message, help);
    }

    /// Reduces one element that stays.
    fn element(&mut self, element: &Element, shape: &'static Shape) -> Kept {
        for required in shape.required {
            if element.attribute(required).is_none() {
                self.report(
                    element.at.line,
                    format!("`<{}>` has no `{required}` attribute", element.tag),
                    "give it one; every element of this kind has it upstream",
                );
            }
        }
        let mut attributes: Vec<(&'static str, String)> = Vec::new();
        for &known in shape.attributes {
            if let Some(value) = element.attribute(known) {
                attributes.push((known, value.to_owned()));
            }
        }
        let body = match &shape.body {
            Body::Empty => self.nothing(element),
            Body::Elements(rules) | Body::NonEmptyElements(rules) => self.elements(element, rules),
            Body::Declaration => self.declaration(element, true),
            Body::Command => self.command(element),
            Body::Type => self.type_body(element),
        };
        if let (Body::Type, KeptBody::Empty) = (&shape.body, &body) {
            name_by_attribute(element, shape, &mut attributes);
        }
        Kept { tag: element.tag.clone(), attributes, body }
    }

    /// Checks that nothing stands in an element.
    fn nothing(&mut self, element: &Element) -> KeptBody {
        self.elements(element, &[]);
        KeptBody::Empty
    }

    /// Reduces the elements in an element that has no text of its own.
    fn elements(&mut self, element: &Element, rules: &'static [(&'static str, Rule)]) -> KeptBody {
        let mut kept = Vec::new();
        for content in &element.content {
            match content {
                Content::Text { text, .. } if text.trim().is_empty() => {}
                Content::Text { line, text } => {
                    let (line, word) = first_word(*line, text);
                    self.report(
                        line,
                        format!("text in `<{}>`, which holds only elements: `{word}`", element.tag),
                        "remove the text, or repair the tag that it was meant to stand in",
                    );
                }
                Content::Element(child) => self.path_step(child, |pruner| match lookup(rules, &child.tag) {
                    None => pruner.report_unknown(child, element),
                    Some(Rule::Drop) => {}
                    Some(Rule::Keep(_)) if !concerns_vulkan(child) => {}
                    Some(Rule::Keep(shape)) => {
                        let child = pruner.element(child, shape);
                        let useless = matches!(shape.body, Body::NonEmptyElements(_))
                            && matches!(&child.body, KeptBody::Elements(elements) if elements.is_empty());
                        if !useless {
                            kept.push(child);
                        }
                    }
                }),
            }
        }
        KeptBody::Elements(kept)
    }

    fn report_unknown(&mut self, child: &Element, parent: &Element) {
        self.report(
            child.at.line,
            format!("the registry schema has no `<{}>` in `<{}>`", child.tag, parent.tag),
            "if a newer registry brought it, say in venus-gen/src/reduce/schema.rs whether code needs it",
        );
    }

    fn path_step(&mut self, child: &Element, action: impl FnOnce(&mut Self)) {
        self.path.push(child.label());
        action(self);
        self.path.pop();
    }

    /// C text with its marked-up words, as it stands there. The flag asks for exactly one `<type>`.
    fn markup(&mut self, element: &Element, one_type: bool) -> String {
        let mut markup = String::new();
        for content in &element.content {
            match content {
                Content::Text { text, .. } => markup.push_str(&escape(text)),
                Content::Element(word) => match lookup(DECLARATION_ELEMENTS, &word.tag) {
                    None => self.path_step(word, |pruner| pruner.report_unknown(word, element)),
                    Some(Rule::Drop) => {}
                    Some(Rule::Keep(_)) => {
                        for nested in word.children() {
                            self.path_step(nested, |pruner| pruner.report_unknown(nested, word));
                        }
                        let text = word.text();
                        markup.push_str(&format!("<{0}>{1}</{0}>", word.tag, escape(text.trim())));
                    }
                },
            }
        }
        let count = |tag: &str| element.children().filter(|word| word.tag == tag).count();
        if count("name") != 1 {
            let message = format!("a declaration with {} `<name>` elements", count("name"));
            self.report(element.at.line, message, "mark up exactly one word as the declared name");
        }
        if one_type && count("type") != 1 {
            let message = format!("a declaration with {} `<type>` elements", count("type"));
            self.report(element.at.line, message, "mark up exactly one word as the type");
        }
        markup
    }

    fn declaration(&mut self, element: &Element, one_type: bool) -> KeptBody {
        KeptBody::Declaration(collapse(&self.markup(element, one_type)))
    }

    fn command(&mut self, element: &Element) -> KeptBody {
        if element.attribute("alias").is_some() {
            if element.attribute("name").is_none() {
                let message = "an alias without a `name` attribute".to_owned();
                self.report(element.at.line, message, "name the command that is the alias");
            }
            return self.nothing(element);
        }
        if element.child("proto").is_none() {
            let message = "a command without a `<proto>` that is no alias either".to_owned();
            self.report(
                element.at.line,
                message,
                "declare it with a `<proto>`, or say of which command it is an alias",
            );
        }
        self.elements(element, COMMAND_ELEMENTS)
    }

    fn type_body(&mut self, element: &Element) -> KeptBody {
        if element.name().is_none_or(|name| name.is_empty()) {
            let message = "a type without a name".to_owned();
            self.report(element.at.line, message, "give it a `name` attribute or mark its name up with `<name>`");
            return KeptBody::Empty;
        }
        if element.attribute("alias").is_some() {
            return self.nothing(element);
        }
        match element.attribute("category") {
            Some("struct" | "union") => self.elements(element, TYPE_ELEMENTS),
            Some("funcpointer") if element.child("proto").is_some() => self.elements(element, TYPE_ELEMENTS),
            Some("funcpointer") => self.declaration(element, false),
            Some("bitmask" | "handle") => self.declaration(element, true),
            Some("basetype" | "define") => {
                // A name that is an attribute is not marked up: such text is never a plain declaration.
                if element.attribute("name").is_some() {
                    return KeptBody::Empty;
                }
                plain(&self.markup(element, false)).map_or(KeptBody::Empty, KeptBody::Declaration)
            }
            // The values of an enum stand in `<enums>`; an include's text is the preprocessor's; a type without a
            // category comes from a header that is not described here.
            Some("enum" | "include") | None => KeptBody::Empty,
            Some(unknown) => {
                let message = format!("types of the category `{unknown}` are not known");
                let help = "if a newer registry brought it, say in venus-gen/src/reduce/prune.rs what its body is";
                self.report(element.at.line, message, help);
                KeptBody::Empty
            }
        }
    }
}

/// Keeps the name of a type whose text goes.
fn name_by_attribute(element: &Element, shape: &'static Shape, attributes: &mut Vec<(&'static str, String)>) {
    if attributes.iter().any(|(key, _)| *key == "name") {
        return;
    }
    let Some(name) = element.name() else { return };
    let rank = |key: &str| shape.attributes.iter().position(|known| *known == key);
    let at = attributes.iter().take_while(|(key, _)| rank(key) < rank("name")).count();
    attributes.insert(at, ("name", name));
}
