//! The writing cursor: the mirror image of [`Decoder`](super::Decoder).

use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_void};

use ash::vk;

use super::count::{packed_stride, wide};
use super::{Announced, Handle, Handles, NewHandles, Scalar};

/// Appends encoded items to a buffer of its own, which is reused from command to command.
#[derive(Debug)]
pub struct Encoder {
    out: Vec<u8>,
    peer: Option<Peer>,
}

/// What the host announced in its capability set.
#[derive(Debug)]
struct Peer {
    xml_version: u32,
    extension_mask: [u32; 32],
}

impl Encoder {
    /// An empty encoder.
    ///
    /// # Safety
    ///
    /// Vulkan's structures hold raw pointers that nothing but the specification vouches for. Whoever makes an encoder
    /// promises that every value it is given, until it is dropped, keeps the specification's rules:
    ///
    /// - a non-null pointer leads to as many initialised elements as its length member says, or to one;
    /// - strings end with NUL;
    /// - a `pNext` chain consists of structures that begin with `sType` and `pNext` and are what their `sType` says;
    /// - the member of a union that its selector or the registry's default names is initialised.
    ///
    /// Values that a [`Decoder`](super::Decoder) returned keep them.
    pub unsafe fn new() -> Self {
        Self { out: Vec::new(), peer: None }
    }

    /// Applies the rules for what an *application* passes to a guest's driver, given what the host announced in its
    /// capability set:
    ///
    /// - structures in chains are left out that the host did not announce (a mask whose bit 0 is clear announces every
    ///   extension);
    /// - pointers are not followed that Vulkan says are ignored, and may therefore lead anywhere: the queue families
    ///   of what is not shared concurrently, the attachments of an imageless framebuffer;
    /// - a stride argument is replaced by the size of an element, since arrays travel without gaps.
    ///
    /// Without these rules an encoder writes exactly what it is given, as tracers and tests want it.
    pub fn apply_guest_rules(&mut self, xml_version: u32, extension_mask: [u32; 32]) {
        self.peer = Some(Peer { xml_version, extension_mask });
    }

    /// A pointer that Vulkan ignores unless `condition` holds, as it may be followed.
    pub(crate) fn followed<T>(&self, condition: bool, pointer: *const T) -> *const T {
        if self.peer.is_none() || condition { pointer } else { core::ptr::null() }
    }

    /// The stride to send for an array of `T`, which travels without the gaps that an application may have left.
    pub(crate) fn stride<T>(&self, given: u32) -> u32 {
        if self.peer.is_none() { given } else { packed_stride::<T>() }
    }

    /// The bytes written since the last [`clear`](Self::clear).
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Forgets the bytes and keeps the memory.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    pub(super) fn peer_knows(&self, announced: Announced) -> bool {
        let Some(peer) = &self.peer else { return true };
        match announced {
            Announced::Always => true,
            Announced::Version(version) => peer.xml_version >= version,
            Announced::Extensions(sets) => sets.iter().any(|set| set.iter().all(|number| peer.has_extension(*number))),
        }
    }

    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Pads with zeros to a multiple of 4.
    fn pad(&mut self) {
        let padded = self.out.len().next_multiple_of(4);
        self.out.resize(padded, 0);
    }

    /// Writes a command's number and flags.
    pub fn write_header(&mut self, command: super::CommandType, flags: u32) {
        self.write(command.0);
        self.write(flags);
    }

    /// Writes one scalar.
    #[inline]
    pub fn write<T: Scalar>(&mut self, value: T) {
        value.write(self);
    }

    /// Writes a pointer's marker.
    #[inline]
    pub fn write_marker(&mut self, present: bool) {
        self.append(&u64::from(present).to_le_bytes());
    }

    /// Writes an array's count.
    #[inline]
    pub fn write_count(&mut self, count: usize) {
        self.append(&wide(count).to_le_bytes());
    }

    /// Writes the marker of a pointer that cannot travel.
    pub fn write_null(&mut self) {
        self.write_marker(false);
    }

    // Reaching memory.

    /// The structure behind a pointer from a structure.
    #[inline]
    pub(crate) fn pointee<'v, T>(&self, pointer: *const T) -> Option<&'v T> {
        // SAFETY: `Encoder::new`'s contract: a non-null pointer leads to an initialised value.
        unsafe { pointer.as_ref() }
    }

    /// The `n` elements behind a pointer from a structure; none if it is null.
    #[inline]
    pub(crate) fn elements<'v, T>(&self, pointer: *const T, n: u64) -> &'v [T] {
        // A length that does not fit describes memory that cannot exist.
        let n = usize::try_from(n).unwrap_or(0);
        if pointer.is_null() || n == 0 {
            return &[];
        }
        // SAFETY: `Encoder::new`'s contract: a non-null pointer leads to as many initialised elements as its length
        // member says, and callers pass the value of that member.
        unsafe { core::slice::from_raw_parts(pointer, n) }
    }

    /// A union as the member that travels. `T` must be no larger than the union.
    pub(crate) fn union_member<'v, U, T>(&self, union: &'v U) -> &'v T {
        const { assert!(size_of::<T>() <= size_of::<U>() && align_of::<T>() <= align_of::<U>()) };
        // SAFETY:
        // - Size and alignment fit, by the assertion above; all members of a `repr(C)` union start at its start.
        // - `Encoder::new`'s contract: the member that the selector or the registry names is initialised.
        unsafe { &*core::ptr::from_ref(union).cast::<T>() }
    }

    // Pointers and arrays.

    /// Writes a pointer from a structure and, by `encode`, what it leads to.
    #[inline]
    pub fn write_pointer<T>(&mut self, pointer: *const T, encode: impl FnOnce(&mut Self, &T)) {
        let value = self.pointee(pointer);
        self.write_optional(value, encode);
    }

    /// Writes an optional reference and, by `encode`, what it leads to.
    #[inline]
    pub fn write_optional<T>(&mut self, value: Option<&T>, encode: impl FnOnce(&mut Self, &T)) {
        self.write_marker(value.is_some());
        if let Some(value) = value {
            encode(self, value);
        }
    }

    /// Writes an array of scalars.
    pub fn write_scalars<T: Scalar>(&mut self, values: &[T]) {
        self.write_count(values.len());
        T::pack(values, self);
        self.pad();
    }

    /// Writes an array of structures or other items, each by `encode`.
    pub fn write_items<T>(&mut self, values: &[T], mut encode: impl FnMut(&mut Self, &T)) {
        self.write_count(values.len());
        for value in values {
            encode(self, value);
        }
    }

    /// Writes bytes.
    pub fn write_blob(&mut self, bytes: &[u8]) {
        self.write_scalars(bytes);
    }

    /// Writes a string.
    pub fn write_str(&mut self, text: Option<&CStr>) {
        self.write_blob(text.map_or(&[], CStr::to_bytes_with_nul));
    }

    /// Writes a string from a structure.
    #[expect(
        clippy::not_unsafe_ptr_arg_deref,
        reason = "what pointers lead to is part of the contract that making an encoder states"
    )]
    pub fn write_str_ptr(&mut self, text: *const c_char) {
        if text.is_null() {
            return self.write_count(0);
        }
        // SAFETY: `Encoder::new`'s contract: a non-null string pointer leads to a string that ends with NUL.
        self.write_str(Some(unsafe { CStr::from_ptr(text) }));
    }

    /// Writes an array of strings.
    pub fn write_strs(&mut self, texts: &[*const c_char]) {
        self.write_items(texts, |encoder, text| encoder.write_str_ptr(*text));
    }

    /// Writes a fixed array of characters.
    pub fn write_chars<const N: usize>(&mut self, chars: &[c_char; N]) {
        self.write_count(N);
        self.append(&chars.map(|char| {
            let [byte] = char.to_ne_bytes();
            byte
        }));
        self.pad();
    }

    /// Writes the count of an output array whose contents do not travel.
    pub fn write_capacity(&mut self, is_null: bool, n: u64) {
        self.write(if is_null { 0 } else { n });
    }

    // Arrays behind pointers from structures.

    /// Writes `n` scalars.
    pub fn write_scalars_at<T: Scalar>(&mut self, pointer: *const T, n: u64) {
        let values = self.elements(pointer, n);
        self.write_scalars(values);
    }

    /// Writes `n` structures or other items.
    pub fn write_items_at<T>(&mut self, pointer: *const T, n: u64, encode: impl FnMut(&mut Self, &T)) {
        let values = self.elements(pointer, n);
        self.write_items(values, encode);
    }

    /// Writes `n` handles.
    pub fn write_handles_at<H: vk::Handle + Copy>(&mut self, pointer: *const H, n: u64) {
        let handles = self.elements(pointer, n);
        self.write_handles(handles);
    }

    /// Writes `n` bytes.
    pub fn write_void_at(&mut self, pointer: *const c_void, n: u64) {
        let bytes = self.elements(pointer.cast::<u8>(), n);
        self.write_blob(bytes);
    }

    /// Writes `n` strings.
    pub fn write_strs_at(&mut self, pointer: *const *const c_char, n: u64) {
        let texts = self.elements(pointer, n);
        self.write_strs(texts);
    }

    /// Writes an array of arrays; `encode` is told each row's index and where it starts.
    pub fn write_rows<T>(&mut self, rows: &[*const T], mut encode: impl FnMut(&mut Self, usize, *const T)) {
        self.write_count(rows.len());
        for (index, row) in rows.iter().enumerate() {
            encode(self, index, *row);
        }
    }

    /// Writes `n` rows behind a pointer.
    pub fn write_rows_at<T>(
        &mut self,
        pointer: *const *const T,
        n: u64,
        encode: impl FnMut(&mut Self, usize, *const T),
    ) {
        let rows = self.elements(pointer, n);
        self.write_rows(rows, encode);
    }

    // Handles.

    /// Writes a handle that a structure holds; its bits must be the guest's id.
    #[inline]
    pub fn write_handle<H: vk::Handle>(&mut self, handle: H) {
        self.write(handle.as_raw());
    }

    /// Writes handles that a structure holds.
    pub fn write_handles<H: vk::Handle + Copy>(&mut self, handles: &[H]) {
        self.write_items(handles, |encoder, handle| encoder.write_handle(*handle));
    }

    /// Writes a handle parameter's id.
    #[inline]
    pub fn write_handle_param<H>(&mut self, handle: &Handle<H>) {
        self.write(handle.id);
    }

    /// Writes an array of handle parameters.
    pub fn write_handle_params<H>(&mut self, handles: &Handles<'_, H>) {
        self.write_scalars(handles.ids);
    }

    /// Writes the ids of handles that the command creates, as an array.
    pub fn write_new_handles<H>(&mut self, handles: &NewHandles<'_, H>) {
        self.write_scalars(handles.ids);
    }

    /// Writes the id of the one handle that the command creates, as a pointer.
    pub fn write_new_handle<H>(&mut self, handle: &NewHandles<'_, H>) {
        self.write_optional(handle.ids.first(), |encoder, id| encoder.write(*id));
    }
}

impl Peer {
    fn has_extension(&self, number: u32) -> bool {
        let word = |index: u32| usize::try_from(index).ok().and_then(|index| self.extension_mask.get(index)).copied();
        let everything = word(0).is_some_and(|word| word & 1 == 0);
        everything || word(number >> 5).is_some_and(|word| word & (1 << (number & 31)) != 0)
    }
}
