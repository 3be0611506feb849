//! A call of the driver, from its C arguments to a note.

use std::{
    cell::RefCell,
    ffi::{CStr, c_char},
    time::Instant,
};

use venus_protocol::{
    vk,
    wire::{Arena, Command, CommandType, Decoder, Encoder, Handle, Handles, IdentityResolver, NewHandles, Returned},
};

use super::{CHANGED, Note, PATIENCE, STATE};

/// One call, under way. Made by [`call!`].
pub(crate) struct Call {
    command: CommandType,
    failure: Option<vk::Result>,
    /// What it makes.
    made: RefCell<Vec<(vk::ObjectType, u64)>>,
}

impl Call {
    /// # Safety
    ///
    /// Every pointer that the result's methods are given is one of the call's arguments, and the caller of the driver
    /// obeys the specification: a pointer leads to as many elements as the length that belongs to it says, chains to
    /// structures of the types they name, and what may be written to is not referred to by anybody else.
    pub(crate) unsafe fn new(command: CommandType) -> Self {
        let failure = STATE.lock().failures.get(command.name()).copied();
        Self { command, failure, made: RefCell::default() }
    }

    /// A handle parameter.
    pub(crate) fn named<H: vk::Handle + Copy>(&self, raw: H) -> Handle<H> {
        Handle { id: raw.as_raw(), raw }
    }

    /// An array of handles.
    pub(crate) fn all_named<'a, H: vk::Handle + Copy>(&self, raws: *const H, n: u64) -> Handles<'a, H> {
        let raws = self.elements(raws, n);
        // A few numbers, for the rest of a test.
        let ids: Vec<u64> = raws.iter().map(|raw| raw.as_raw()).collect();
        Handles { ids: ids.leak(), raws }
    }

    /// Room for new handles, which is filled: with null if the call is going to fail.
    pub(crate) fn fresh<'a, H: vk::Handle + Copy>(&self, to: *mut H, n: u64) -> NewHandles<'a, H> {
        let raws = self.elements_mut(to, n);
        let mut made = self.made.borrow_mut();
        for (nth, raw) in raws.iter_mut().enumerate() {
            *raw = H::from_raw(0);
            let mut state = STATE.lock();
            if self.failure.is_none() || state.kept.contains(&nth) {
                let number = state.objects.number();
                *raw = H::from_raw(number);
                made.push((H::TYPE, number));
            }
        }
        // The request that would ask for them has the ids of whoever asks.
        NewHandles { ids: vec![0; raws.len()].leak(), raws }
    }

    /// What a pointer leads to that is not null.
    pub(crate) fn required<'a, T>(&self, pointer: *const T) -> &'a T {
        self.optional(pointer).expect("a pointer that must not be null")
    }

    /// What a pointer leads to.
    pub(crate) fn optional<'a, T>(&self, pointer: *const T) -> Option<&'a T> {
        // SAFETY: `new`'s contract.
        unsafe { pointer.as_ref() }
    }

    /// As `required`, for what the driver fills.
    pub(crate) fn required_mut<'a, T>(&self, pointer: *mut T) -> &'a mut T {
        self.optional_mut(pointer).expect("a pointer that must not be null")
    }

    /// As `optional`, for what the driver fills.
    pub(crate) fn optional_mut<'a, T>(&self, pointer: *mut T) -> Option<&'a mut T> {
        // SAFETY: `new`'s contract.
        unsafe { pointer.as_mut() }
    }

    /// An array, which is empty if it is null.
    pub(crate) fn elements<'a, T>(&self, first: *const T, n: u64) -> &'a [T] {
        if first.is_null() {
            return &[];
        }
        // SAFETY: `new`'s contract.
        unsafe { std::slice::from_raw_parts(first, usize::try_from(n).expect("an array fits into memory")) }
    }

    /// As `elements`, for what the driver fills.
    pub(crate) fn elements_mut<'a, T>(&self, first: *mut T, n: u64) -> &'a mut [T] {
        if first.is_null() {
            return &mut [];
        }
        // SAFETY: `new`'s contract.
        unsafe { std::slice::from_raw_parts_mut(first, usize::try_from(n).expect("an array fits into memory")) }
    }

    /// A string.
    pub(crate) fn text<'a>(&self, pointer: *const c_char) -> Option<&'a CStr> {
        // SAFETY: `new`'s contract.
        (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) })
    }

    /// Notes the call, and says what it returns.
    pub(crate) fn note<'a, C: Command<'a>>(self, args: &C) -> C::Return {
        debug_assert_eq!(self.command, C::TYPE);
        // SAFETY: the values are those of the call, whose caller obeys the specification by the contract of `new`.
        let mut encoder = unsafe { Encoder::new() };
        args.encode(&mut encoder, 0);
        let request = encoder.bytes().to_vec();
        let mut state = STATE.lock();
        if state.held.contains(C::NAME) {
            state.arrived += 1;
            CHANGED.notify_all();
            let deadline = Instant::now() + PATIENCE;
            while state.held.contains(C::NAME) {
                assert!(!CHANGED.wait_until(&mut state, deadline).timed_out(), "{} is held for ever", C::NAME);
            }
        }
        state.objects.note(self.command, &request, &self.made.into_inner());
        state.notes.push(Note { command: C::NAME, request });
        match self.failure {
            None => C::Return::success(),
            Some(result) => {
                let bytes = result.as_raw().to_le_bytes();
                C::Return::read(&mut Decoder::new(&bytes, &Arena::default(), &IdentityResolver))
                    .expect("commands that fail return a result")
            }
        }
    }
}

/// Begins a call of the command with these arguments.
macro_rules! call {
    ($args:ident) => {
        // SAFETY: the methods of the result are called with the parameters of the entry point that this stands in, and
        // the specification's rules for them are its own contract as an `unsafe` function.
        unsafe { $crate::call::Call::new(<$args as venus_protocol::wire::Command<'_>>::TYPE) }
    };
}
pub(crate) use call;

/// A number that says how long an array is. A null pointer counts as 0.
pub(crate) trait Count {
    fn count(&self) -> u64;
}

impl Count for u32 {
    fn count(&self) -> u64 {
        (*self).into()
    }
}

impl Count for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl Count for usize {
    fn count(&self) -> u64 {
        *self as u64
    }
}

impl Count for vk::SampleCountFlags {
    fn count(&self) -> u64 {
        self.as_raw().into()
    }
}

impl<T: Count> Count for &T {
    fn count(&self) -> u64 {
        T::count(self)
    }
}

impl<T: Count> Count for &mut T {
    fn count(&self) -> u64 {
        T::count(self)
    }
}

impl<T: Count> Count for Option<T> {
    fn count(&self) -> u64 {
        self.as_ref().map_or(0, T::count)
    }
}
