//! How the worked examples are written down, and what their tests share.

use venus_protocol::wire::{Arena, CommandHeader, CommandType, Decoder, Encoder, IdentityResolver};

/// The bytes of annotated hex: on every line the bytes in wire order, then a `|` and what they mean. `x9` after a group
/// stands for nine such groups.
pub(crate) fn wire(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut group = Vec::new();
    for token in text.lines().filter_map(|line| line.split_once('|')).flat_map(|(hex, _)| hex.split_whitespace()) {
        match token.strip_prefix('x') {
            Some(times) => (1..times.parse().expect("a number after x")).for_each(|_: usize| bytes.extend(&group)),
            None => {
                let digits = (0..token.len()).step_by(2).map(|at| u8::from_str_radix(&token[at..at + 2], 16));
                group = digits.collect::<Result<_, _>>().expect("two hex digits per byte");
                bytes.extend(&group);
            }
        }
    }
    bytes
}

/// A decoder behind the header of a request, which must be of `command` with `flags`.
pub(crate) fn request<'a>(bytes: &'a [u8], arena: &'a Arena, command: CommandType, flags: u32) -> Decoder<'a> {
    let mut decoder = Decoder::new(bytes, arena, &IdentityResolver);
    assert_eq!(decoder.read_header(), Ok(CommandHeader { command, flags }));
    decoder
}

/// A decoder at the start of a reply.
pub(crate) fn reply<'a>(bytes: &'a [u8], arena: &'a Arena) -> Decoder<'a> {
    Decoder::new(bytes, arena, &IdentityResolver)
}

/// What `write` encodes. The values it encodes must keep Vulkan's rules for pointers and lengths.
pub(crate) fn encoded(write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    // SAFETY: by this function's own condition, which every example meets: its values live until `write` returns.
    let mut encoder = unsafe { Encoder::new() };
    write(&mut encoder);
    encoder.bytes().to_vec()
}

/// The `n` elements behind a member of a decoded structure. `n` must be the length that the decoder checked.
pub(crate) fn elements<'v, T>(pointer: *const T, n: usize) -> &'v [T] {
    if n == 0 {
        return &[];
    }
    assert!(!pointer.is_null(), "{n} elements behind a null pointer");
    // SAFETY: the decoder lets a non-null pointer lead to as many elements as the length member says, in an arena that
    // outlives the test's values.
    unsafe { core::slice::from_raw_parts(pointer, n) }
}

/// The one value behind a member of a decoded structure.
pub(crate) fn pointee<'v, T>(pointer: *const T) -> &'v T {
    &elements(pointer, 1)[0]
}

/// The string behind a member of a decoded structure.
pub(crate) fn text<'v>(pointer: *const core::ffi::c_char) -> &'v core::ffi::CStr {
    assert!(!pointer.is_null(), "null string");
    // SAFETY: the decoder lets a non-null string pointer lead to bytes that end with NUL, in an arena that outlives the
    // test's values.
    unsafe { core::ffi::CStr::from_ptr(pointer) }
}

#[test]
fn annotated_hex() {
    assert_eq!(wire("  01020304 05 | five\n\n 06 x2 | six twice"), [1, 2, 3, 4, 5, 6, 6]);
}
