//! `vkSetReplyCommandStreamMESA`.

use venus_protocol::args::*;
use venus_protocol::vk;
use venus_protocol::wire::{Arena, Command as _, CommandType};

use crate::bytes::{encoded, request, wire};

const SET_REPLY_STREAM: &str = "
    b2000000           | command 178, vkSetReplyCommandStreamMESA
    00000000           | flags: no reply
    01000000 00000000  | pStream is there
    09000000           | resourceId
    00000000 00000000  | offset, 8 bytes on every machine
    00001000 00000000  | size: 1 MiB
";

#[test]
fn set_reply_command_stream() {
    let (bytes, arena) = (wire(SET_REPLY_STREAM), Arena::default());
    let mut decoder = request(&bytes, &arena, CommandType::SET_REPLY_COMMAND_STREAM_MESA, 0);
    let args = SetReplyCommandStreamMESAArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.p_stream.resource_id, 9);
    assert_eq!(args.p_stream.offset, 0);
    assert_eq!(args.p_stream.size, 1 << 20);

    let stream = vk::CommandStreamDescriptionMESA { resource_id: 9, offset: 0, size: 1 << 20 };
    let args = SetReplyCommandStreamMESAArgs { p_stream: &stream };
    assert_eq!(encoded(|e| args.encode(e, 0)), bytes);
}
