//! A virtual machine monitor in small: makes a context, shares memory with its guest, executes what the guest sends,
//! waits for a fence. Run it with `cargo run -p venus-host --example embed`.
//!
//! A monitor has the bytes from its guest, by way of virtio-gpu. Here the guest's part is played by [`ask_version`].
#![expect(clippy::print_stdout, reason = "an example shows what it has found out")]

use std::{error::Error, sync::mpsc};

use venus_host::{
    context::{Context, Options, Retired},
    driver::Config,
    resource::{BlobFlags, ResourceId},
};
use venus_protocol::{
    args::{EnumerateInstanceVersionArgs, SetReplyCommandStreamMESAArgs},
    vk,
    wire::{Arena, Command as _, CommandHeader, Decoder, Encoder, IdentityResolver},
};

/// Where the guest wants its replies.
const REPLIES: ResourceId = ResourceId(1);
/// The timeline of direct submissions; the others belong to queues.
const CONTEXT_TIMELINE: u32 = 0;

fn main() -> Result<(), Box<dyn Error>> {
    // VIRTIO_GPU_CMD_CTX_CREATE: the driver is this machine's, and is loaded when the guest first needs it.
    let mut context = Context::new(Options::new("example", Config::default()));

    // VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB and RESOURCE_MAP_BLOB: plain memory that guest and host share.
    context.create_blob(REPLIES, BlobFlags::MAPPABLE, 0, 4096)?;
    let replies = context.map_resource(REPLIES)?;

    // VIRTIO_GPU_CMD_SUBMIT_3D: whole commands, one after the other.
    context.submit(&ask_version())?;

    // Its fence: signalled once everything before it has been executed, on whichever thread that happens. It may be lost;
    // a guest kernel cannot be told, but its log can.
    let (signal, fence) = mpsc::channel();
    context.create_fence(CONTEXT_TIMELINE, Box::new(move |retired| signal.send(retired).unwrap_or_default()))?;
    assert_eq!(fence.recv()?, Retired::Done);

    // What the guest finds in its memory.
    let mut bytes = [0; 64];
    replies.copy_out(0, &mut bytes)?;
    let arena = Arena::default();
    let mut decoder = Decoder::new(&bytes, &arena, &IdentityResolver);
    let reply = EnumerateInstanceVersionArgs::decode_reply(&mut decoder)?;
    let version = *reply.p_api_version.ok_or("the host has no version")?;
    let (major, minor) = (vk::api_version_major(version), vk::api_version_minor(version));
    println!("{:?}: the host's loader speaks Vulkan {major}.{minor}", reply.returned);
    Ok(())
}

/// A guest's question: which version of Vulkan is there?
fn ask_version() -> Vec<u8> {
    // SAFETY: the values below are borrowed, so their pointers lead to one initialised value each, and none has a chain.
    let mut encoder = unsafe { Encoder::new() };
    let stream = vk::CommandStreamDescriptionMESA { resource_id: REPLIES.0, offset: 0, size: 64 };
    SetReplyCommandStreamMESAArgs { p_stream: &stream }.encode(&mut encoder, 0);
    EnumerateInstanceVersionArgs { p_api_version: &mut 0 }.encode(&mut encoder, CommandHeader::GENERATE_REPLY);
    encoder.bytes().to_vec()
}

#[cfg(test)]
mod tests {
    #[test]
    #[ignore = "needs a Vulkan loader"]
    fn the_example_runs() {
        super::main().unwrap();
    }

    #[test]
    fn the_readme_quotes_it() {
        let (_, main) = include_str!("embed.rs").split_once("\nfn main").expect("an example has a main function");
        let (main, _) = main.split_once("\n}\n").expect("which ends");
        assert!(include_str!("../../README.md").contains(main), "README.md has another text than `fn main{main}`");
    }
}
