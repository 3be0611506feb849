//! Every limit the codec imposes, with its reason.

/// Default cap on what one command may allocate in the arena, in bytes.
///
/// The largest legitimate commands are bounded by the guest's upload memory: 8 MiB pool blocks, or one dedicated
/// block for larger shaders, pipeline caches or texels, of which programs have been seen to send 1 GiB in a command. The
/// C host allows as much.
pub const DEFAULT_ARENA_BYTES: usize = 1 << 30;

/// Longest `pNext` chain accepted, in nodes.
///
/// `VkDeviceCreateInfo` knows 133 distinct nodes, the most of all roots; a chain may repeat a structure only by
/// violating the specification (VUID-VkDeviceCreateInfo-sType-unique).
pub const MAX_CHAIN_NODES: u32 = 256;

/// Deepest nesting of chains: a chain node that contains a structure that has a chain of its own, and so on.
///
/// The registry's types nest four deep; the cap only has to keep the decoder's stack bounded.
pub const MAX_CHAIN_DEPTH: u32 = 16;
