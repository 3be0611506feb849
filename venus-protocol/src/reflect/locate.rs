//! Naming the member at a position, for errors.

use core::ops::ControlFlow;

use super::{Piece, Visitor, walk_reply, walk_request};
use crate::wire::Member;

/// The member that byte `offset` of a request belongs to: the innermost structure, union or command, and its member or
/// parameter. The header belongs to none.
///
/// `bytes` starts at the request's header. It may hold what a decoder refuses: where the bytes stop making sense before
/// `offset`, the answer is the member where they do.
pub fn locate(bytes: &[u8], offset: usize) -> Option<Member> {
    walk_request(bytes, &mut Until(offset)).err().and_then(|stop| stop.member)
}

/// As [`locate`], for a reply.
pub fn locate_reply(bytes: &[u8], offset: usize) -> Option<Member> {
    walk_reply(bytes, &mut Until(offset)).err().and_then(|stop| stop.member)
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
