//! The reading cursor: every primitive of the wire format, each checked before it is believed.

use core::ffi::{CStr, c_char};
use core::ptr;

use ash::vk;

use super::count::{as_ptr_or_null, wide};
use super::{
    Arena, CommandHeader, CommandType, DecodeError, DecodeErrorKind, Handle, HandleError, HandleResolver, Handles,
    Level, NewHandles, Scalar,
};

type Result<T> = core::result::Result<T, DecodeError>;

/// Bytes of a marker, a count, or a handle.
const WORD_BYTES: usize = 8;

/// Reads one command from a private copy of the peer's bytes.
///
/// Values that need a stable address go to the arena, handles are resolved on the way. Counts are compared with the
/// bytes that remain *before* anything is allocated. After an error the position is unspecified: the stream cannot
/// be resynchronised.
pub struct Decoder<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
    /// Where the first command began.
    start: usize,
    /// Where the command began whose header was read last.
    command_at: usize,
    arena: &'a Arena,
    resolver: &'a dyn HandleResolver,
    command: CommandType,
    level: Level,
    chain_depth: u32,
}

impl core::fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder")
            .field("command", &self.command)
            .field("offset", &self.offset())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `bytes`, which must not be memory that the peer can still write.
    #[inline]
    pub fn new(bytes: &'a [u8], arena: &'a Arena, resolver: &'a dyn HandleResolver) -> Self {
        Self {
            bytes,
            rest: bytes,
            start: 0,
            command_at: 0,
            arena,
            resolver,
            command: CommandType::NONE,
            level: Level::NEWEST,
            chain_depth: 0,
        }
    }

    /// A decoder at byte `offset` of `bytes`, so that positions in errors count from the start of `bytes`.
    #[inline]
    pub fn at(bytes: &'a [u8], offset: usize, arena: &'a Arena, resolver: &'a dyn HandleResolver) -> Self {
        let mut decoder = Self::new(bytes, arena, resolver);
        decoder.rest = bytes.get(offset..).unwrap_or_default();
        decoder.start = decoder.offset();
        decoder
    }

    /// Refuses what a level does not have, as its hosts do: commands, structures in chains, and null pointers that are
    /// allowed later. Without it the decoder knows everything.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The level whose commands and structures the decoder knows.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether what came with `level` is known.
    #[inline]
    pub(crate) fn is_since(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Bytes consumed so far.
    pub fn offset(&self) -> usize {
        self.bytes.len().saturating_sub(self.rest.len())
    }

    /// The bytes from where this decoder began to its position: the whole request, after one command from its header.
    pub fn consumed(&self) -> &'a [u8] {
        self.bytes.get(self.start..self.offset()).unwrap_or_default()
    }

    /// Bytes left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The command whose header was read last.
    pub fn command(&self) -> CommandType {
        self.command
    }

    /// Reads a command's number and flags. Does not check that the number is known.
    #[inline]
    pub fn read_header(&mut self) -> Result<CommandHeader> {
        self.command = CommandType::NONE;
        self.command_at = self.offset();
        let command = CommandType(self.read()?);
        let flags = self.read()?;
        self.command = command;
        Ok(CommandHeader { command, flags })
    }

    /// Reads the command number that begins a reply, which must be `command`'s.
    pub fn read_reply_header(&mut self, command: CommandType) -> Result<()> {
        self.command = command;
        let at = self.offset();
        let found = self.read::<u32>()?;
        match found == command.0 {
            true => Ok(()),
            false => Err(self.error_at(at, DecodeErrorKind::UnknownCommand(found))),
        }
    }

    /// An error at the current position.
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { offset: self.offset(), kind, command: self.command, member: None }
    }

    /// The bytes from where the command begins whose header was read last, and that position.
    #[cfg(feature = "reflect")]
    pub(crate) fn command_bytes(&self) -> (&'a [u8], usize) {
        (self.bytes.get(self.command_at..).unwrap_or_default(), self.command_at)
    }

    #[cold]
    pub(super) fn error_at(&self, offset: usize, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { offset, kind, command: self.command, member: None }
    }

    /// An error of the item of `bytes` bytes that was read last.
    #[cold]
    fn error_of_last(&self, bytes: usize, kind: DecodeErrorKind) -> DecodeError {
        self.error_at(self.offset().saturating_sub(bytes), kind)
    }

    #[cold]
    fn truncated(&self, wanted: usize) -> DecodeError {
        self.error(DecodeErrorKind::Truncated { wanted: wide(wanted), left: wide(self.rest.len()) })
    }

    pub(super) fn enter_chain(&mut self) -> u32 {
        self.chain_depth = self.chain_depth.saturating_add(1);
        self.chain_depth
    }

    pub(super) fn leave_chain(&mut self) {
        self.chain_depth = self.chain_depth.saturating_sub(1);
    }

    #[inline]
    pub(super) fn take_array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// Takes `len` bytes and the padding that follows them.
    #[inline]
    fn take_padded(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some(padded) = len.checked_next_multiple_of(4) else {
            return Err(self.truncated(len));
        };
        let Some((taken, rest)) = self.rest.split_at_checked(padded) else {
            return Err(self.truncated(padded));
        };
        self.rest = rest;
        Ok(taken.get(..len).unwrap_or_default())
    }

    // Arena.

    /// Moves a value into the arena.
    #[inline]
    pub fn alloc<T: Copy>(&mut self, value: T) -> Result<&'a mut T> {
        match self.arena.alloc(value) {
            Some(slot) => Ok(slot),
            None => Err(self.arena_full()),
        }
    }

    /// `n` default values in the arena: room for an output.
    #[inline]
    pub fn alloc_default<T: Copy + Default>(&mut self, n: usize) -> Result<&'a mut [T]> {
        if n == 0 {
            return Ok(&mut []);
        }
        match self.arena.alloc_default(n) {
            Some(slots) => Ok(slots),
            None => Err(self.arena_full()),
        }
    }

    #[cold]
    fn arena_full(&self) -> DecodeError {
        self.error(DecodeErrorKind::ArenaFull { limit_bytes: self.arena.limit_bytes() })
    }

    // Scalars, markers, counts.

    /// Reads one scalar.
    #[inline]
    pub fn read<T: Scalar>(&mut self) -> Result<T> {
        T::read(self)
    }

    /// Reads a pointer's marker: whether the object follows. Any non-zero value means it does.
    #[inline]
    pub fn read_marker(&mut self) -> Result<bool> {
        self.take_array::<WORD_BYTES>().map(|bytes| u64::from_le_bytes(bytes) != 0)
    }

    /// Reads the marker of a pointer that cannot travel: it must be null.
    #[inline]
    pub fn read_null(&mut self) -> Result<()> {
        match self.read_marker()? {
            false => Ok(()),
            true => Err(self.error_of_last(WORD_BYTES, DecodeErrorKind::MustBeNull)),
        }
    }

    /// Reads an `sType`, which must be `expected`.
    #[inline]
    pub fn expect_s_type(&mut self, expected: vk::StructureType) -> Result<()> {
        let found = self.read::<i32>()?;
        if found == expected.as_raw() {
            return Ok(());
        }
        let kind = DecodeErrorKind::WrongStructureType { expected: expected.as_raw(), found };
        Err(self.error_of_last(i32::WIRE_BYTES, kind))
    }

    /// Reads a union's tag.
    pub fn read_tag(&mut self) -> Result<u32> {
        self.read()
    }

    /// Reads a union's tag, which must be the value of the enum that selects its member.
    pub fn expect_tag(&mut self, selector: i32) -> Result<u32> {
        let tag = self.read_tag()?;
        if tag == selector.cast_unsigned() { Ok(tag) } else { Err(self.wrong_tag(tag)) }
    }

    /// The error for a tag, just read, that names no member.
    #[cold]
    pub fn wrong_tag(&self, tag: u32) -> DecodeError {
        self.error_of_last(u32::WIRE_BYTES, DecodeErrorKind::WrongUnionTag { tag })
    }

    /// Reads the count of an array of `expected` elements that take at least `element_bytes` each on the wire.
    ///
    /// 0 stands for a null pointer and is accepted where the registry lets the pointer be null.
    #[inline]
    pub fn read_count(&mut self, expected: u64, nullable: bool, element_bytes: usize) -> Result<usize> {
        let found = u64::from_le_bytes(self.take_array::<WORD_BYTES>()?);
        if found != expected {
            return match found {
                0 if nullable => Ok(0),
                0 => Err(self.error_of_last(WORD_BYTES, DecodeErrorKind::NullPointer)),
                _ => Err(self.error_of_last(WORD_BYTES, DecodeErrorKind::CountMismatch { expected, found })),
            };
        }
        let wanted = found.saturating_mul(wide(element_bytes));
        let left = wide(self.rest.len());
        if wanted > left {
            return Err(self.error_of_last(WORD_BYTES, DecodeErrorKind::Truncated { wanted, left }));
        }
        let too_large = |_| self.error_of_last(WORD_BYTES, DecodeErrorKind::SizeTooLarge { value: found });
        usize::try_from(found).map_err(too_large)
    }

    /// The count that comes next, without consuming it; 0 if the buffer ends first.
    ///
    /// For replies, whose reader knows the lengths only from the counts themselves.
    pub fn peek_count(&self) -> u64 {
        self.rest.first_chunk::<WORD_BYTES>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    // Pointers.

    /// Reads the marker of an output whose content does not travel, and makes room for the content.
    pub fn read_room<T: Copy + Default>(&mut self, nullable: bool) -> Result<Option<&'a mut T>> {
        match nullable {
            true => self.read_optional(|_| Ok(T::default())),
            false => self.read_required(|_| Ok(T::default())).map(Some),
        }
    }

    /// As [`read_room`](Self::read_room), for an output that must be there.
    pub fn read_required_room<T: Copy + Default>(&mut self) -> Result<&'a mut T> {
        self.read_required(|_| Ok(T::default()))
    }

    /// Makes an item of which nothing travels.
    pub fn read_nothing<T: Default>(&mut self) -> Result<T> {
        Ok(T::default())
    }

    /// Reads a pointer that may be null, and what it points to.
    #[inline(always)]
    pub fn read_optional<T: Copy>(&mut self, decode: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<&'a mut T>> {
        if !self.read_marker()? {
            return Ok(None);
        }
        let value = decode(self)?;
        self.alloc(value).map(Some)
    }

    /// Reads a pointer that must not be null, and what it points to.
    #[inline(always)]
    pub fn read_required<T: Copy>(&mut self, decode: impl FnOnce(&mut Self) -> Result<T>) -> Result<&'a mut T> {
        if !self.read_marker()? {
            return Err(self.error_of_last(WORD_BYTES, DecodeErrorKind::NullPointer));
        }
        let value = decode(self)?;
        self.alloc(value)
    }

    // Arrays.

    /// Reads an array of scalars: count, packed elements, padding.
    pub fn read_scalars<T: Scalar>(&mut self, expected: u64, nullable: bool) -> Result<&'a mut [T]> {
        let n = self.read_count(expected, nullable, T::WIRE_BYTES)?;
        if n == 0 {
            return Ok(&mut []);
        }
        let packed = self.take_padded(n.saturating_mul(T::WIRE_BYTES))?;
        let slots = self.alloc_default::<T>(n)?;
        T::unpack(packed, slots);
        Ok(slots)
    }

    /// Reads an array of structures or other items, each by `decode`, none shorter than `element_bytes`.
    pub fn read_items<T: Copy + Default>(
        &mut self,
        expected: u64,
        nullable: bool,
        element_bytes: usize,
        mut decode: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<&'a mut [T]> {
        let n = self.read_count(expected, nullable, element_bytes)?;
        let slots = self.alloc_default::<T>(n)?;
        for slot in slots.iter_mut() {
            *slot = decode(self)?;
        }
        Ok(slots)
    }

    /// Reads an array of arrays: the outer count, then each row by `decode`, which is told the row's index.
    pub fn read_rows<T>(
        &mut self,
        expected: u64,
        nullable: bool,
        mut decode: impl FnMut(&mut Self, usize) -> Result<&'a [T]>,
    ) -> Result<&'a [*const T]> {
        let n = self.read_count(expected, nullable, WORD_BYTES)?;
        let rows = self.alloc_default::<Row<T>>(n)?;
        for (index, row) in rows.iter_mut().enumerate() {
            *row = Row(as_ptr_or_null(decode(self, index)?));
        }
        Ok(Row::peel(rows))
    }

    /// Reads the capacity of an output array whose contents do not travel, and makes room for it.
    pub fn read_capacity<T: Copy + Default>(&mut self, expected: u64, nullable: bool) -> Result<&'a mut [T]> {
        let n = self.read_count(expected, nullable, 0)?;
        self.alloc_default(n)
    }

    /// Reads bytes, which stay where they are in the command's buffer.
    pub fn read_blob(&mut self, expected: u64, nullable: bool) -> Result<&'a [u8]> {
        let n = self.read_count(expected, nullable, 1)?;
        self.take_padded(n)
    }

    /// Reads a string, `None` for a null pointer. It ends at its first NUL; the last byte counts as one.
    pub fn read_str(&mut self) -> Result<Option<&'a CStr>> {
        let at = self.offset();
        let found = u64::from_le_bytes(self.take_array::<WORD_BYTES>()?);
        let left = wide(self.rest.len());
        if found > left {
            return Err(self.error_at(at, DecodeErrorKind::Truncated { wanted: found, left }));
        }
        let n =
            usize::try_from(found).map_err(|_| self.error_at(at, DecodeErrorKind::SizeTooLarge { value: found }))?;
        let bytes = self.take_padded(n)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if let Ok(text) = CStr::from_bytes_until_nul(bytes) {
            return Ok(Some(text));
        }
        let Some(copy) = self.arena.alloc_copy(bytes) else {
            return Err(self.arena_full());
        };
        if let Some(last) = copy.last_mut() {
            *last = 0;
        }
        Ok(CStr::from_bytes_until_nul(copy).ok())
    }

    /// Reads a string as a structure holds it.
    pub fn read_str_ptr(&mut self) -> Result<*const c_char> {
        Ok(self.read_str()?.map_or(ptr::null(), CStr::as_ptr))
    }

    /// Reads an array of strings, none of which may be null.
    pub fn read_strs(&mut self, expected: u64, nullable: bool) -> Result<&'a [*const c_char]> {
        let n = self.read_count(expected, nullable, WORD_BYTES)?;
        let rows = self.alloc_default::<Row<c_char>>(n)?;
        for row in rows.iter_mut() {
            let at = self.offset();
            match self.read_str()? {
                Some(text) => *row = Row(text.as_ptr()),
                None => return Err(self.error_at(at, DecodeErrorKind::EmptyString)),
            }
        }
        Ok(Row::peel(rows))
    }

    // Arrays inside structures.

    /// Reads a fixed array of scalars, which travels with its count.
    pub fn read_fixed<T: Scalar, const N: usize>(&mut self) -> Result<[T; N]> {
        self.read_count(wide(N), false, T::WIRE_BYTES)?;
        let packed = self.take_padded(N.saturating_mul(T::WIRE_BYTES))?;
        let mut values = [T::default(); N];
        T::unpack(packed, &mut values);
        Ok(values)
    }

    /// Reads a fixed array of structures or handles.
    pub fn read_fixed_items<T: Copy + Default, const N: usize>(
        &mut self,
        element_bytes: usize,
        mut decode: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<[T; N]> {
        self.read_count(wide(N), false, element_bytes)?;
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = decode(self)?;
        }
        Ok(values)
    }

    /// Reads a fixed array of characters, NUL bytes and all.
    pub fn read_chars<const N: usize>(&mut self) -> Result<[c_char; N]> {
        Ok(self.read_fixed::<u8, N>()?.map(u8::cast_signed_char))
    }

    // Handles.

    #[inline]
    fn read_word(&mut self) -> Result<u64> {
        self.take_array::<WORD_BYTES>().map(u64::from_le_bytes)
    }

    /// Resolves the id that was just read.
    #[inline]
    fn resolve<H: vk::Handle>(&self, id: u64) -> Result<H> {
        if id == 0 {
            return Ok(H::from_raw(0));
        }
        match self.resolver.resolve(H::TYPE, id) {
            Ok(raw) => Ok(H::from_raw(raw)),
            Err(error) => Err(self.handle_error::<H>(id, error)),
        }
    }

    #[cold]
    fn handle_error<H: vk::Handle>(&self, id: u64, error: HandleError) -> DecodeError {
        self.error_of_last(WORD_BYTES, DecodeErrorKind::Handle { id, expected: H::TYPE, error })
    }

    /// Resolves the id that was just read, of an object that has to be there.
    #[inline]
    fn resolve_required<H: vk::Handle>(&self, id: u64) -> Result<H> {
        let resolved = match id {
            0 => self.resolver.resolve_null(H::TYPE),
            id => self.resolver.resolve(H::TYPE, id),
        };
        match resolved {
            Ok(raw) => Ok(H::from_raw(raw)),
            Err(error) => Err(self.handle_error::<H>(id, error)),
        }
    }

    /// Reads a handle and resolves it.
    #[inline]
    pub fn read_handle<H: vk::Handle>(&mut self) -> Result<H> {
        let id = self.read_word()?;
        self.resolve(id)
    }

    /// As [`read_handle`](Self::read_handle), for a handle that must not be null.
    #[inline]
    pub fn read_required_handle<H: vk::Handle>(&mut self) -> Result<H> {
        let id = self.read_word()?;
        self.resolve_required(id)
    }

    /// Reads a handle that the guest assigns: its id, unresolved, as the handle's bits.
    pub fn read_id<H: vk::Handle>(&mut self) -> Result<H> {
        self.read_word().map(H::from_raw)
    }

    /// Reads a handle parameter and resolves it, keeping the id.
    #[inline]
    pub fn read_handle_param<H: vk::Handle>(&mut self) -> Result<Handle<H>> {
        let id = self.read_word()?;
        Ok(Handle { id, raw: self.resolve(id)? })
    }

    /// As [`read_handle_param`](Self::read_handle_param), for a handle that must not be null.
    #[inline]
    pub fn read_required_handle_param<H: vk::Handle>(&mut self) -> Result<Handle<H>> {
        let id = self.read_word()?;
        Ok(Handle { id, raw: self.resolve_required(id)? })
    }

    /// Reads the handle that a command acts on, which must not be null.
    #[inline]
    pub fn read_owner<H: vk::Handle>(&mut self) -> Result<Handle<H>> {
        let id = self.read_word()?;
        if id == 0 {
            return Err(self.handle_error::<H>(0, HandleError::NullOwner));
        }
        match self.resolver.resolve_owner(H::TYPE, id) {
            Ok(raw) => Ok(Handle { id, raw: H::from_raw(raw) }),
            Err(error) => Err(self.handle_error::<H>(id, error)),
        }
    }

    /// Reads an array of handles for a structure.
    pub fn read_handles<H: vk::Handle + Copy + Default>(
        &mut self,
        expected: u64,
        nullable: bool,
    ) -> Result<&'a mut [H]> {
        self.read_items(expected, nullable, WORD_BYTES, Self::read_handle::<H>)
    }

    /// As [`read_handles`](Self::read_handles), for handles none of which may be null.
    pub fn read_required_handles<H: vk::Handle + Copy + Default>(
        &mut self,
        expected: u64,
        nullable: bool,
    ) -> Result<&'a mut [H]> {
        self.read_items(expected, nullable, WORD_BYTES, Self::read_required_handle::<H>)
    }

    /// Reads an array of handle parameters.
    pub fn read_handle_params<H: vk::Handle + Copy + Default>(
        &mut self,
        expected: u64,
        nullable: bool,
    ) -> Result<Handles<'a, H>> {
        self.read_params(expected, nullable, Self::read_handle_param)
    }

    /// As [`read_handle_params`](Self::read_handle_params), for handles none of which may be null.
    pub fn read_required_handle_params<H: vk::Handle + Copy + Default>(
        &mut self,
        expected: u64,
        nullable: bool,
    ) -> Result<Handles<'a, H>> {
        self.read_params(expected, nullable, Self::read_required_handle_param)
    }

    #[inline]
    fn read_params<H: vk::Handle + Copy + Default>(
        &mut self,
        expected: u64,
        nullable: bool,
        read: impl Fn(&mut Self) -> Result<Handle<H>>,
    ) -> Result<Handles<'a, H>> {
        let n = self.read_count(expected, nullable, WORD_BYTES)?;
        let ids = self.alloc_default::<u64>(n)?;
        let raws = self.alloc_default::<H>(n)?;
        for (id, raw) in ids.iter_mut().zip(raws.iter_mut()) {
            let handle = read(self)?;
            (*id, *raw) = (handle.id, handle.raw);
        }
        Ok(Handles { ids, raws })
    }

    /// Reads the ids of handles that the command creates.
    pub fn read_new_handles<H: vk::Handle + Copy + Default>(
        &mut self,
        expected: u64,
        nullable: bool,
    ) -> Result<NewHandles<'a, H>> {
        let n = self.read_count(expected, nullable, WORD_BYTES)?;
        let ids = self.alloc_default::<u64>(n)?;
        for id in ids.iter_mut() {
            *id = self.read_word()?;
        }
        Ok(NewHandles { ids, raws: self.alloc_default(n)? })
    }

    /// Reads the id of the one handle that the command creates.
    #[inline]
    pub fn read_new_handle<H: vk::Handle + Copy + Default>(&mut self, nullable: bool) -> Result<NewHandles<'a, H>> {
        match self.read_marker()? {
            true => {
                let id = self.read_word()?;
                let id = self.alloc(id)?;
                let raw = self.alloc(H::default())?;
                Ok(NewHandles { ids: core::slice::from_mut(id), raws: core::slice::from_mut(raw) })
            }
            false if nullable => Ok(NewHandles::default()),
            false => Err(self.error_of_last(WORD_BYTES, DecodeErrorKind::NullPointer)),
        }
    }
}

/// A pointer that defaults to null, so that it can fill an arena slice.
#[repr(transparent)]
struct Row<T>(*const T);

impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Row<T> {}

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self(ptr::null())
    }
}

impl<T> Row<T> {
    /// The same slice, without the wrapper.
    fn peel(rows: &[Self]) -> &[*const T] {
        // SAFETY:
        // - `Row` is `repr(transparent)` over `*const T`, so size, alignment and validity are those of the pointer.
        // - Pointer, length and lifetime are those of `rows`.
        unsafe { core::slice::from_raw_parts(rows.as_ptr().cast(), rows.len()) }
    }
}

/// Reinterprets a byte as C's `char`, whose signedness depends on the target.
trait CastSignedChar {
    fn cast_signed_char(self) -> c_char;
}

impl CastSignedChar for u8 {
    fn cast_signed_char(self) -> c_char {
        c_char::from_ne_bytes([self])
    }
}
