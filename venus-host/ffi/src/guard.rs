//! The border to C: what goes wrong becomes a number and a sentence, and no panic gets across.
//!
//! C reads a negative errno from the call and, if it wants to know more, the whole sentence: [`last_error`] keeps the
//! last one of each thread.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    ffi::{CStr, CString, c_char, c_int},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use venus_host::error::{HostError, errno};

/// Why a call from C fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    errno: c_int,
    sentence: String,
}

impl Error {
    /// A positive number of [`errno`], and a sentence that says what is wrong and, where that helps, what to do.
    #[must_use]
    pub fn new(errno: c_int, sentence: impl Into<String>) -> Self {
        Self { errno, sentence: sentence.into() }
    }

    /// The caller breaks the rules of the function that it calls.
    #[must_use]
    pub fn argument(sentence: impl Into<String>) -> Self {
        Self::new(errno::INVAL, sentence)
    }

    /// The positive number.
    #[must_use]
    pub fn errno(&self) -> c_int {
        self.errno
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Error {}

impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        Self::new(error.errno(), error.to_string())
    }
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The sentence of this thread's last failure; empty if there was none. It is the caller's until the next call on this
/// thread fails, or the thread ends.
#[must_use]
pub fn last_error() -> *const c_char {
    // A thread that is ending has no sentence any more.
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Keeps the sentence for [`last_error`], and returns the negative number.
pub fn fail(error: &Error) -> c_int {
    let mut sentence = error.sentence.clone().into_bytes();
    // C's strings end where this is: what is behind would be lost.
    sentence.retain(|byte| *byte != 0);
    let sentence = CString::new(sentence).unwrap_or_default();
    let _thread_ends = LAST_ERROR.try_with(|last| *last.borrow_mut() = sentence);
    error.errno.checked_neg().unwrap_or(c_int::MIN)
}

/// Runs what a C function does: its value, or a negative errno.
pub fn call(function: &'static str, body: impl FnOnce() -> Result<c_int, Error>) -> c_int {
    match catch(function, body) {
        Ok(value) => value,
        Err(error) => fail(&error),
    }
}

/// As [`call`], for functions that return something else: `default` where they fail.
pub fn call_or<R>(function: &'static str, default: R, body: impl FnOnce() -> Result<R, Error>) -> R {
    match catch(function, body) {
        Ok(value) => value,
        Err(error) => {
            fail(&error);
            default
        }
    }
}

/// Whether the calling thread is inside of [`call`] or [`callback`]: then it runs a callback, and a lock may be held that
/// another call would wait for.
#[must_use]
pub fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(false)
}

/// Calls a callback: on whatever thread that happens, the callback [is inside](is_inside) of this library.
pub fn callback<R>(call: impl FnOnce() -> R) -> R {
    let _mark = Mark::set();
    call()
}

/// Fails where the calling thread [is inside](is_inside) of another call.
pub fn refuse_reentry(function: &'static str) -> Result<(), Error> {
    match is_inside() {
        false => Ok(()),
        true => Err(Error::new(
            errno::DEADLK,
            format!("{function}: called from a callback, where nothing of this library may be called"),
        )),
    }
}

/// Puts back what was, also after a panic.
struct Mark(bool);

impl Mark {
    fn set() -> Self {
        Self(INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _thread_ends = INSIDE.try_with(|inside| inside.set(self.0));
    }
}

fn catch<R>(function: &'static str, body: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    // What the body has seen of the world may be half changed after a panic. The host's locks do not poison, and its
    // invariants hold between any two statements that can panic; what else there is belongs to this one call.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _mark = Mark::set();
        body()
    }));
    caught.unwrap_or_else(|panic| {
        let sentence = format!("{function}: a fault of this library, please report it: {}", words(&*panic));
        // The panic's value may panic in turn when it is dropped.
        std::mem::forget(panic);
        Err(Error::new(errno::NOTRECOVERABLE, sentence))
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

/// The text at `text`, which C ends with a zero byte; nothing for null. `what` names the argument.
///
/// # Errors
///
/// It is not UTF-8.
///
/// # Safety
///
/// `text` is null, or points to bytes that end with a zero and stay unchanged for `'a`.
#[expect(unsafe_code, reason = "reads a caller's text")]
pub unsafe fn text<'a>(what: &str, text: *const c_char) -> Result<Option<&'a str>, Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: it is not null, and the rest is the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|error| Error::argument(format!("{what} is no UTF-8: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(unsafe_code, reason = "reads what a C caller would")]
    fn sentence() -> String {
        // SAFETY: the text ends with a zero, and this thread fails no call meanwhile.
        unsafe { CStr::from_ptr(last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn failures_have_a_number_and_a_sentence_per_thread() {
        assert_eq!(sentence(), "");
        assert_eq!(call("f", || Ok(7)), 7);
        assert_eq!(call("f", || Err(HostError::Unsupported("no\0 driver".into()).into())), -errno::OPNOTSUPP);
        assert_eq!(sentence(), "no driver");
        // Success says nothing new.
        assert_eq!(call("f", || Ok(0)), 0);
        assert_eq!(sentence(), "no driver");
        std::thread::spawn(|| assert_eq!(sentence(), "")).join().unwrap();
        assert_eq!(call_or("f", 3, || Err(Error::argument("wrong"))), 3);
        assert_eq!(sentence(), "wrong");
    }

    #[test]
    fn callbacks_are_inside_on_every_thread() {
        let refused = || callback(|| refuse_reentry("f").unwrap_err().errno());
        assert_eq!(std::thread::spawn(refused).join().unwrap(), errno::DEADLK);
        assert_eq!(callback(|| call("f", || Ok(1))), 1);
        assert!(!is_inside());
    }

    #[test]
    fn panics_end_at_the_border() {
        assert_eq!(call("f", || panic!("number {}", 5)), -errno::NOTRECOVERABLE);
        assert!(sentence().ends_with("please report it: number 5"), "{}", sentence());
        assert!(!is_inside());
        assert_eq!(call("f", || Ok(0)), 0);
    }

    #[test]
    fn a_callback_that_calls_back_is_refused() {
        assert_eq!(call("outer", || refuse_reentry("inner").map(|()| 0)), -errno::DEADLK);
        assert!(sentence().starts_with("inner: "), "{}", sentence());
        assert!(refuse_reentry("after").is_ok());
    }
}
