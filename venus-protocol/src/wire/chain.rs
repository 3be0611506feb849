//! `pNext` chains, driven by generated tables.
//!
//! On the wire a chain is all headers in order, then all bodies in **reverse** order:
//!
//! ```text
//! chain := u64 0                        end of chain
//!        | u64 1  i32 sType  chain  body
//! ```
//!
//! Which structures may follow depends on the structure at the *root* of the chain alone. A host rejects anything
//! else; a guest leaves out what it cannot send.

use core::ffi::c_void;
use core::fmt;

use ash::vk::TaggedStructure;

use super::{DecodeError, DecodeErrorKind, Decoder, Encoder, Level, limits};

/// A structure that may appear in chains: how to read and write its body.
pub struct Node {
    /// Name in the registry.
    pub name: &'static str,
    /// Its structure type.
    pub s_type: i32,
    /// The level that it came with: a host of an older one does not know it.
    pub since: Level,
    /// When a guest may send it.
    pub announced: Announced,
    /// Reads the full body, given the already decoded rest of the chain.
    pub decode: DecodeBody,
    /// Reads the partial body, as in a request that asks for this structure to be filled.
    pub decode_partial: DecodeBody,
    /// Writes the full body.
    pub encode: EncodeBody,
    /// Writes the partial body.
    pub encode_partial: EncodeBody,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.name).finish()
    }
}

/// Reads a body into the arena and returns the structure.
pub type DecodeBody = for<'a> fn(&mut Decoder<'a>, *mut c_void) -> Result<*mut c_void, DecodeError>;

/// Writes the body of the structure behind the pointer.
pub type EncodeBody = fn(&mut Encoder, *const c_void);

/// The structures that may follow one root, sorted by `sType`.
pub type ChainTable = &'static [(i32, &'static Node)];

/// What a host must have announced before a guest may send a structure in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// Nothing: part of Vulkan 1.2 or earlier, or of the protocol itself.
    Always,
    /// A registry version of at least this (`VK_MAKE_API_VERSION`).
    Version(u32),
    /// All extensions, by number, of at least one of these sets.
    Extensions(&'static [&'static [u32]]),
}

/// Which form of a structure travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainMode {
    /// All members: inputs, and outputs in a reply.
    Full,
    /// Only what the receiver needs to make room: outputs in a request.
    Partial,
}

/// Declares [`Node`]s. A row has the level that a structure came with unless that is the oldest one, its name, type and
/// announcement, its functions for full bodies, and for partial ones: functions, `room` where such a body is empty, or
/// nothing where a request never asks for the structure.
macro_rules! nodes {
    ($($node:ident $(since $level:ident)? = $name:literal, $ty:ty, $announced:expr, $decode:ident, $encode:ident $(, $partial:ident)*;)+) => {$(
        pub(crate) static $node: $crate::wire::Node = $crate::wire::Node {
            name: $name,
            s_type: <$ty as ash::vk::TaggedStructure>::STRUCTURE_TYPE.as_raw(),
            since: $crate::wire::nodes!(@since $($level)?),
            announced: $announced,
            decode: $crate::wire::nodes!(@decode $ty, $decode),
            decode_partial: $crate::wire::nodes!(@decode_partial $ty, $decode $(, $partial)*),
            encode: $crate::wire::nodes!(@encode $ty, $encode),
            encode_partial: $crate::wire::nodes!(@encode_partial $ty, $encode $(, $partial)*),
        };
    )+};
    (@since) => { $crate::wire::Level::OLDEST };
    (@since $level:ident) => { $crate::wire::Level::$level };
    (@decode $ty:ty, $decode:ident) => {
        |d, next| {
            let body = $decode(d, next)?;
            d.alloc_node(body)
        }
    };
    (@decode_partial $ty:ty, $decode:ident) => { $crate::wire::nodes!(@decode $ty, $decode) };
    (@decode_partial $ty:ty, $decode:ident, room) => { |d, next| d.alloc_room::<$ty>(next) };
    (@decode_partial $ty:ty, $_full:ident, $decode:ident, $_encode:ident) => {
        $crate::wire::nodes!(@decode $ty, $decode)
    };
    (@encode $ty:ty, $encode:ident) => {
        |e, node| {
            if let Some(node) = e.pointee(node.cast::<$ty>()) {
                $encode(e, node);
            }
        }
    };
    (@encode_partial $ty:ty, $encode:ident) => { $crate::wire::nodes!(@encode $ty, $encode) };
    (@encode_partial $ty:ty, $encode:ident, room) => { |_, _| {} };
    (@encode_partial $ty:ty, $_full:ident, $_decode:ident, $encode:ident) => {
        $crate::wire::nodes!(@encode $ty, $encode)
    };
}
pub(crate) use nodes;

/// Declares [`ChainTable`]s. A row has the root's name, the table whose nodes it knows as well, if any, and its own
/// nodes.
macro_rules! chain_tables {
    ($($table:ident = $($node:ident),+ $(| $base:ident)?;)+) => {$(
        pub(crate) static $table: $crate::wire::ChainTable = &{
            const NODES: &[&$crate::wire::Node] = &[$(&$node),+];
            const BASE: $crate::wire::ChainTable = $crate::wire::chain_tables!(@base $($base)?);
            $crate::wire::merged::<{ NODES.len() + BASE.len() }>(BASE, NODES)
        };
    )+};
    (@base) => { &[] };
    (@base $base:ident) => { $base };
}
pub(crate) use chain_tables;

/// A table of all nodes of another table and of those in `more`, both sorted by `sType`.
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
pub(crate) const fn merged<const N: usize>(base: ChainTable, more: &[&'static Node]) -> [(i32, &'static Node); N] {
    let first = if base.is_empty() { more[0] } else { base[0].1 };
    let mut table = [(0, first); N];
    let (mut left, mut right) = (0, 0);
    while left + right < N {
        let take_left = right == more.len() || (left < base.len() && base[left].0 < more[right].s_type);
        table[left + right] = if take_left { base[left] } else { (more[right].s_type, more[right]) };
        if take_left {
            left += 1;
        } else {
            right += 1;
        }
    }
    table
}

/// The members that all chainable structures begin with.
#[repr(C)]
#[derive(Clone, Copy)]
struct Link {
    s_type: i32,
    p_next: *const Self,
}

fn find(table: ChainTable, s_type: i32) -> Option<&'static Node> {
    let index = table.binary_search_by_key(&s_type, |(key, _)| *key).ok()?;
    table.get(index).map(|(_, node)| *node)
}

impl<'a> Decoder<'a> {
    /// Reads a chain whose root knows the structures in `table`.
    #[inline]
    pub fn read_chain(&mut self, table: ChainTable, mode: ChainMode) -> Result<*mut c_void, DecodeError> {
        if !self.read_marker()? {
            return Ok(core::ptr::null_mut());
        }
        if self.enter_chain() > limits::MAX_CHAIN_DEPTH {
            return Err(self.error(DecodeErrorKind::ChainTooLong));
        }
        let chain = self.read_chain_node(table, mode, 1)?;
        self.leave_chain();
        Ok(chain)
    }

    /// Reads one node, whose marker has been read, and all that follow it.
    fn read_chain_node(&mut self, table: ChainTable, mode: ChainMode, nth: u32) -> Result<*mut c_void, DecodeError> {
        let at = self.offset();
        if nth > limits::MAX_CHAIN_NODES {
            return Err(self.error(DecodeErrorKind::ChainTooLong));
        }
        let s_type = self.read::<i32>()?;
        let Some(node) = find(table, s_type).filter(|node| self.is_since(node.since)) else {
            return Err(self.error_at(at, DecodeErrorKind::UnknownChainNode { s_type }));
        };
        let next = match self.read_marker()? {
            true => self.read_chain_node(table, mode, nth.saturating_add(1))?,
            false => core::ptr::null_mut(),
        };
        match mode {
            ChainMode::Full => (node.decode)(self, next),
            ChainMode::Partial => (node.decode_partial)(self, next),
        }
    }

    /// Moves a chain node into the arena and returns the untyped pointer that links it.
    pub fn alloc_node<T: Copy + 'a>(&mut self, node: T) -> Result<*mut c_void, DecodeError> {
        self.alloc(node).map(|node| core::ptr::from_mut(node).cast())
    }

    /// As [`alloc_node`](Self::alloc_node), for a structure of which nothing has travelled but its type.
    pub(crate) fn alloc_room<T: TaggedStructure + Copy + Default + 'a>(
        &mut self,
        next: *mut c_void,
    ) -> Result<*mut c_void, DecodeError> {
        let mut node = T::default();
        let link: *mut Link = (&raw mut node).cast();
        // SAFETY:
        // - `node` is valid for writes, and nobody else refers to it.
        // - A `TaggedStructure` begins with `sType` and `pNext`, which is what `Link` mirrors.
        unsafe { (*link).p_next = next.cast_const().cast() };
        self.alloc_node(node)
    }
}

impl Encoder {
    /// Writes the chain that begins at `p_next`, leaving out what `table` does not know or the peer did not announce.
    #[inline]
    pub fn write_chain(&mut self, p_next: *const c_void, table: ChainTable, mode: ChainMode) {
        if p_next.is_null() {
            self.write_marker(false);
        } else {
            self.write_chain_nodes(p_next.cast(), table, mode);
        }
    }

    fn write_chain_nodes(&mut self, mut link: *const Link, table: ChainTable, mode: ChainMode) {
        // SAFETY: `Encoder::new`'s contract: a non-null chain pointer leads to a structure that begins with `sType`
        // and `pNext`, which is what `Link` mirrors.
        while let Some(Link { s_type, p_next }) = unsafe { link.as_ref() }.copied() {
            if let Some(node) = find(table, s_type).filter(|node| self.peer_knows(node.announced)) {
                let [a, b, c, d] = s_type.to_le_bytes();
                // A set marker and the type.
                self.append(&[1, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]);
                self.write_chain_nodes(p_next, table, mode);
                match mode {
                    ChainMode::Full => (node.encode)(self, link.cast()),
                    ChainMode::Partial => (node.encode_partial)(self, link.cast()),
                }
                return;
            }
            link = p_next;
        }
        self.write_marker(false);
    }
}
