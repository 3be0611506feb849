//! A virtual machine monitor without a virtual machine: what crosvm does with `rutabaga_gfx` for a guest, which is
//! [`venus_guest`]. The library behind `rutabaga_gfx` is this project's libvirglrenderer.
//!
//! | file | what |
//! |---|---|
//! | [`monitor`] | contexts, blobs, submissions and fences, through `Rutabaga` |
//! | [`window`] | the address space that a monitor shows its guest |

mod monitor;
mod window;

use anyhow::{Result, ensure};
use rutabaga_gfx::{RUTABAGA_CAPSET_VENUS, RUTABAGA_MAP_CACHE_CACHED};
use venus_guest::{BlobFlags, Guest, Transport as _, programs};

use monitor::{Monitor, Virtqueue};

/// Pixels in a row of the triangle's picture, and rows.
const SIZE: u32 = 200;

fn main() -> Result<()> {
    let monitor = Monitor::start()?;
    ensure!(monitor.borrow().capset_ids()? == [RUTABAGA_CAPSET_VENUS], "one capset, which is Venus");

    // Twice: what the first context leaves behind is none of the second one's business.
    for context in [1, 2] {
        draw(Virtqueue::open(&monitor, context)?)?;
        println!("context {context} drew a triangle");
    }
    outlive(&monitor)?;
    println!("a blob outlived its context");
    let monitor = monitor.borrow();
    ensure!(monitor.failed_fences() == 0, "fences retired that nobody has asked for");
    Ok(())
}

/// Has a guest draw, and checks the picture.
fn draw(virtqueue: Virtqueue) -> Result<()> {
    // SAFETY: the guest's programs fill Vulkan's structures through ash's setters, which tie every pointer to what it leads
    // to, and give chains only structures of Vulkan.
    let guest = unsafe { Guest::over(virtqueue) }?;
    programs::triangle(guest, SIZE)?.check_triangle()
}

/// A blob is there until the guest's kernel drops it, whatever becomes of its context; and a context that is gone says so.
fn outlive(monitor: &monitor::Shared) -> Result<()> {
    let mut virtqueue = Virtqueue::open(monitor, 3)?;
    let (resource, mapping) = virtqueue.create_blob(BlobFlags::MAPPABLE, 0, 4096)?;
    ensure!(monitor.borrow().map_info(resource)? == RUTABAGA_MAP_CACHE_CACHED, "plain memory is cached");
    mapping.write(0, b"still there.")?;
    monitor.borrow_mut().destroy_context(3)?;
    ensure!(virtqueue.submit(&[]).is_err(), "there is no context to submit to");
    let mut bytes = [0; 12];
    mapping.read(0, &mut bytes)?;
    ensure!(&bytes == b"still there.", "the memory has other contents");
    drop(mapping);
    virtqueue.unref_resource(resource)
}
