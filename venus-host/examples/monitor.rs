//! A virtual machine monitor in small: makes a context, shares memory with its guest, executes what the guest sends,
//! waits for a fence. Run it with `cargo run -p venus-host --example monitor`.
//!
//! It serves its guest twice: by a thread, and by a process of its own, which is this program again. A monitor has the
//! bytes from its guest, by way of virtio-gpu. Here the guest's part is played by [`ask_version`].
#![expect(clippy::print_stdout, reason = "an example shows what it has found out")]

use std::{
    env,
    error::Error,
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
};

use venus_host::{
    context::Retired,
    driver::Config,
    host::{ContextId, ContextOptions, Host, HostOptions, Isolation},
    resource::{BlobFlags, ResourceId},
    worker::{self, Launch, WorkerOptions},
};
use venus_protocol::{
    args::{EnumerateInstanceVersionArgs, SetReplyCommandStreamMESAArgs},
    vk,
    wire::{Arena, Command as _, CommandHeader, Decoder, Encoder, IdentityResolver},
};

/// The guest's context, as its kernel numbers it.
const CONTEXT: ContextId = ContextId(1);
/// Where the guest wants its replies.
const REPLIES: ResourceId = ResourceId(1);
/// The timeline of direct submissions; the others belong to queues.
const CONTEXT_TIMELINE: u32 = 0;
/// In the environment of this program, says that it is a worker.
const WORKER: &str = "VENUS_EXAMPLE_WORKER";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if env::var_os(WORKER).is_some() {
        return Ok(worker::serve(&WorkerOptions::new(Config::default())));
    }
    for isolation in [Isolation::Thread, Isolation::Process(Launch::command(this_program))] {
        println!("{isolation:?}: {}", run(isolation.clone())?);
    }
    Ok(ExitCode::SUCCESS)
}

fn run(isolation: Isolation) -> Result<String, Box<dyn Error>> {
    // Fences retire on other threads, which tell whoever interrupts the guest. A fence may be lost: a guest's kernel cannot
    // be told, but the monitor's log can.
    let (retire, retired) = mpsc::channel();
    let options = HostOptions::new(Config::default()).isolation(isolation);
    let mut host = Host::new(options.retired(move |fence| retire.send(fence).unwrap_or_default()))?;

    // VIRTIO_GPU_CMD_CTX_CREATE: the driver is this machine's, and is loaded when the guest first needs it.
    host.create_context(CONTEXT, ContextOptions::new("example"))?;

    // VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB and RESOURCE_MAP_BLOB: plain memory that guest and host share.
    host.create_blob(CONTEXT, REPLIES, BlobFlags::MAPPABLE, 0, 4096)?;
    let replies = host.map(REPLIES)?;

    // VIRTIO_GPU_CMD_SUBMIT_3D with a fence: whole commands, one after the other.
    host.submit(CONTEXT, &ask_version())?;
    host.create_fence(CONTEXT, CONTEXT_TIMELINE, 1)?;
    assert_eq!(retired.recv()?.retired, Retired::Done);

    // What the guest finds in its memory.
    let mut bytes = [0; 64];
    replies.copy_out(0, &mut bytes)?;
    let arena = Arena::default();
    let mut decoder = Decoder::new(&bytes, &arena, &IdentityResolver);
    let reply = EnumerateInstanceVersionArgs::decode_reply(&mut decoder)?;
    let version = *reply.p_api_version.ok_or("the host has no version")?;
    let (major, minor) = (vk::api_version_major(version), vk::api_version_minor(version));

    // What became of each command, and what the guest holds.
    let executed = host.statistics(CONTEXT)?.executed;
    Ok(format!("{:?} after {executed} commands, the host's loader speaks Vulkan {major}.{minor}", reply.returned))
}

/// Starts this program as a worker. What the host gives it to talk through is its standard input.
fn this_program() -> Command {
    let mut command = Command::new(env::current_exe().unwrap_or_default());
    command.args(env::args_os().skip(1)).env(WORKER, "1").stdout(Stdio::null());
    command
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
        let (_, run) = include_str!("monitor.rs").split_once("\nfn run").expect("an example has such a function");
        let (run, _) = run.split_once("\n}\n").expect("which ends");
        assert!(include_str!("../../README.md").contains(run), "README.md has another text than `fn run{run}`");
    }
}
