//! Naming the member at a position, for errors.

use core::ops::ControlFlow;

use super::{Piece, Stop, Visitor, walk_reply, walk_request};
use crate::wire::{DecodeError, Decoder, Member};

/// The member that byte `offset` of a request belongs to: the innermost structure, union or command, and its member or
/// parameter. The header belongs to none.
///
/// `bytes` starts at the request's header. It may hold what a decoder refuses: where the bytes stop making sense before
/// `offset`, the answer is the member where they do.
pub fn locate(bytes: &[u8], offset: usize) -> Option<Member> {
    member_of(walk_request(bytes, &mut Until(offset)), offset)
}

/// As [`locate`], for a reply, where what the command returned is a member of the command, called `return value`.
pub fn locate_reply(bytes: &[u8], offset: usize) -> Option<Member> {
    member_of(walk_reply(bytes, &mut Until(offset)), offset)
}

/// The member of the item that a walk to `offset` ended at. No item covers the header, so there it ends behind it.
fn member_of(walked: Result<usize, Stop>, offset: usize) -> Option<Member> {
    walked.err().filter(|stop| stop.offset <= offset)?.member
}

/// Ends a walk at the item that reaches beyond a position.
struct Until(usize);

impl Visitor for Until {
    fn visit(&mut self, at: usize, len: usize, _member: Member, _piece: Piece<'_>) -> ControlFlow<()> {
        match at.saturating_add(len) > self.0 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Decoder<'_> {
    /// An error of the command whose header was read last, with the member that it concerns.
    #[cold]
    pub(crate) fn with_member(&self, mut error: DecodeError) -> DecodeError {
        let (command, at) = self.command_bytes();
        error.member = locate(command, error.blamed().saturating_sub(at));
        error
    }
}
