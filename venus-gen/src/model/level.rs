//! What the protocol is in the whole: its levels, and the extensions that they list.

/// A state of the protocol, which peers of one age know.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) number: u32,
    /// Version of the registry that its hosts announce.
    pub(crate) xml_version: (u32, u32, u32),
    /// The highest number of its commands, which are all those up to it.
    pub(crate) last_command: u32,
    /// Version of the protocol's own extension.
    pub(crate) protocol_spec: u32,
    pub(crate) counts: Vec<Count>,
}

/// One derived count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// The attribute of a `<level>` that declares it.
    pub(crate) name: &'static str,
    pub(crate) value: usize,
}

/// An extension that the protocol lists.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) spec_version: u32,
    /// The level that it came with.
    pub(crate) since: u32,
    /// Later versions of its specification, each with the level that it came with.
    pub(crate) raised: Vec<(u32, u32)>,
}
