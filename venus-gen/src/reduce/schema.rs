//! Which elements the registry has, and which of them, with which attributes, are kept.
//!
//! A newer registry that brings an unknown element is refused, and the way out is here: add the element with
//! [`Rule::Drop`] if no code needs it, or describe its shape if some does. Attributes that are not listed are dropped
//! silently, because upstream adds attributes for its documentation all the time.

/// What becomes of an element.
#[derive(Debug)]
pub(super) enum Rule {
    /// It and everything in it goes; no code needs it.
    Drop,
    /// It stays, in this shape.
    Keep(&'static Shape),
}

/// The shape of an element that is kept.
#[derive(Debug)]
pub(super) struct Shape {
    /// Attributes that are kept, in the order in which they are written.
    pub(super) attributes: &'static [&'static str],
    /// Attributes without which the element means nothing.
    pub(super) required: &'static [&'static str],
    /// What may stand in it.
    pub(super) body: Body,
}

/// What may stand in an element.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing.
    Empty,
    /// These elements, and no text.
    Elements(&'static [(&'static str, Rule)]),
    /// As `Elements`, and without any of them the element itself means nothing and goes.
    NonEmptyElements(&'static [(&'static str, Rule)]),
    /// C text with exactly one `<type>` and one `<name>` marked up in it.
    Declaration,
    /// Depends on the category of the type.
    Type,
    /// An alias without content, or a prototype with parameters.
    Command,
}

/// The rule for `tag` among `rules`.
pub(super) fn lookup<'a>(rules: &'a [(&'static str, Rule)], tag: &str) -> Option<&'a Rule> {
    rules.iter().find(|(known, _)| *known == tag).map(|(_, rule)| rule)
}

/// The tag of the root.
pub(super) const ROOT_TAG: &str = "registry";

/// The root.
pub(super) const ROOT: Shape = Shape {
    attributes: &[],
    required: &[],
    body: Body::Elements(&[
        ("comment", Rule::Drop),
        ("platforms", Rule::Drop),
        ("tags", Rule::Drop),
        ("types", Rule::Keep(&TYPES)),
        ("enums", Rule::Keep(&ENUMS)),
        ("commands", Rule::Keep(&COMMANDS)),
        ("feature", Rule::Keep(&FEATURE)),
        ("extensions", Rule::Keep(&EXTENSIONS)),
        ("formats", Rule::Drop),
        ("spirvextensions", Rule::Drop),
        ("spirvcapabilities", Rule::Drop),
        ("sync", Rule::Drop),
        ("videocodecs", Rule::Drop),
    ]),
};

const TYPES: Shape = Shape {
    attributes: &[],
    required: &[],
    body: Body::Elements(&[("comment", Rule::Drop), ("type", Rule::Keep(&TYPE))]),
};

const TYPE: Shape = Shape {
    attributes: &[
        "category",
        "name",
        "alias",
        "requires",
        "bitvalues",
        "parent",
        "objtypeenum",
        "api",
        "returnedonly",
        "structextends",
    ],
    required: &[],
    body: Body::Type,
};

/// The categories of `<type>` whose members or parameters are elements of their own.
pub(super) const TYPE_ELEMENTS: &[(&str, Rule)] = &[
    ("comment", Rule::Drop),
    ("member", Rule::Keep(&MEMBER)),
    ("proto", Rule::Keep(&PROTO)),
    ("param", Rule::Keep(&PARAM)),
];

/// The elements that may be marked up in C text.
pub(super) const DECLARATION_ELEMENTS: &[(&str, Rule)] =
    &[("comment", Rule::Drop), ("type", Rule::Keep(&WORD)), ("name", Rule::Keep(&WORD)), ("enum", Rule::Keep(&WORD))];

const WORD: Shape = Shape { attributes: &[], required: &[], body: Body::Empty };

const MEMBER: Shape = Shape {
    attributes: &["api", "values", "len", "altlen", "optional", "noautovalidity", "selector", "selection"],
    required: &[],
    body: Body::Declaration,
};

const PROTO: Shape = Shape { attributes: &[], required: &[], body: Body::Declaration };

const PARAM: Shape = Shape {
    attributes: &["api", "len", "altlen", "optional", "noautovalidity", "selector", "stride"],
    required: &[],
    body: Body::Declaration,
};

const ENUMS: Shape = Shape {
    attributes: &["name", "type", "bitwidth"],
    required: &["name"],
    body: Body::Elements(&[("comment", Rule::Drop), ("enum", Rule::Keep(&ENUM)), ("unused", Rule::Drop)]),
};

const ENUM: Shape = Shape {
    attributes: &["api", "extends", "name", "type", "value", "bitpos", "extnumber", "offset", "dir", "alias"],
    required: &["name"],
    body: Body::Empty,
};

const COMMANDS: Shape = Shape {
    attributes: &[],
    required: &[],
    body: Body::Elements(&[("comment", Rule::Drop), ("command", Rule::Keep(&COMMAND))]),
};

const COMMAND: Shape =
    Shape { attributes: &["name", "alias", "api", "queues", "errorcodes"], required: &[], body: Body::Command };

/// What a `<command>` that is not an alias holds.
pub(super) const COMMAND_ELEMENTS: &[(&str, Rule)] = &[
    ("comment", Rule::Drop),
    ("proto", Rule::Keep(&PROTO)),
    ("param", Rule::Keep(&PARAM)),
    ("implicitexternsyncparams", Rule::Drop),
];

const FEATURE: Shape = Shape {
    attributes: &["name", "api", "number", "depends"],
    required: &["name", "api", "number"],
    body: Body::Elements(BLOCKS),
};

const EXTENSIONS: Shape = Shape {
    attributes: &[],
    required: &[],
    body: Body::Elements(&[("comment", Rule::Drop), ("extension", Rule::Keep(&EXTENSION))]),
};

const EXTENSION: Shape = Shape {
    attributes: &["name", "number", "type", "depends", "supported"],
    required: &["name", "number", "supported"],
    body: Body::Elements(BLOCKS),
};

/// The blocks of a feature or an extension. What is deprecated or removed stays part of the wire, so only the
/// requirements count.
const BLOCKS: &[(&str, Rule)] =
    &[("comment", Rule::Drop), ("require", Rule::Keep(&REQUIRE)), ("deprecate", Rule::Drop), ("remove", Rule::Drop)];

const REQUIRE: Shape = Shape {
    attributes: &["api", "depends"],
    required: &[],
    body: Body::NonEmptyElements(&[
        ("comment", Rule::Drop),
        ("enum", Rule::Keep(&ENUM)),
        ("type", Rule::Keep(&REFERENCE)),
        ("command", Rule::Keep(&REFERENCE)),
        ("feature", Rule::Drop),
    ]),
};

const REFERENCE: Shape = Shape { attributes: &["api", "name"], required: &["name"], body: Body::Empty };
