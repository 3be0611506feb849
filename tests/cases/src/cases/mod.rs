//! The cases, and what each of them re-enacts. A case is right when it ends as it does natively.
//!
//! Those that begin with `time-` re-enact no report but say how long something takes, and those of newer levels of the
//! protocol skip themselves where a driver lacks what they use: "not supported".

mod copies;
mod death;
mod frames;
mod fresh;
mod heap;
mod images;
mod many;
mod matrix;
mod memory;
mod mesh;
mod pipelines;
mod polling;
mod queries;
mod reach;
mod refused;
mod rendering;
mod sparse;
mod starts;
mod timings;

use anyhow::Result;

/// One report, re-enacted.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// How many of what the case is about, unless it is called with another number.
    pub(crate) number: u32,
    pub(crate) about: &'static str,
    pub(crate) run: fn(u32) -> Result<String>,
}

/// A row of [`CASES`].
const fn case(name: &'static str, number: u32, run: fn(u32) -> Result<String>, about: &'static str) -> Case {
    Case { name, number, about, run }
}

/// Says that from now on the host, or the case itself, may be killed.
fn ready() {
    eprintln!("READY");
}

/// A second, in milliseconds.
const SECOND: u32 = 1000;

/// All of them.
#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    // The number is the milliseconds of work that is polled for.
    case("poll-fence-0", SECOND, polling::fence_0, "vkWaitForFences without patience, as ggml, zink and wgpu poll"),
    case("poll-fence-1ns", SECOND, polling::fence_1ns, "the same with a nanosecond"),
    case("poll-fence-1us", SECOND, polling::fence_1us, "the same with a microsecond"),
    case("poll-fence-1ms", SECOND, polling::fence_1ms, "the same with a millisecond"),
    case("poll-fence-8-threads", SECOND, polling::fence_threads, "the same in eight threads"),
    case("poll-fence-700-threads", SECOND, polling::fence_many_threads, "700 threads that wait for two seconds each"),
    case("poll-timeline", SECOND, polling::timeline, "vkWaitSemaphores without patience"),
    case("poll-any-timeline", SECOND, polling::any_timeline, "the same for any of three"),
    case("poll-status", SECOND, polling::status, "vkGetFenceStatus while another thread records"),

    case("fences", 70_000, many::fences, "fences alive, each once in use"),
    case("timelines", 40_000, many::timelines, "timeline semaphores alive"),
    case("wait-all", 5_000, many::wait_all, "one wait for so many fences"),
    case("wait-any", 2_100, many::wait_any, "one wait for any of so many timelines"),
    case("timeline-threads", 600, many::timeline_threads, "threads that wait without limit, each for its timeline"),
    case("fence-threads", 600, many::fence_threads, "threads that wait without limit, each for its fence"),
    case("pending", 20_000, many::pending, "submissions held back by one timeline, each with a fence"),

    // Whoever runs these ends the host when they say READY.
    case("lost-fence", 0, death::fence, "the host dies under vkWaitForFences without limit"),
    case("lost-fence-100ms", 0, death::fence_100ms, "the same in steps of 100 ms"),
    case("lost-timeline", 0, death::timeline, "the host dies under vkWaitSemaphores without limit"),
    case("lost-idle", 0, death::idle, "the host dies under vkQueueWaitIdle"),
    case("lost-status", 0, death::status, "the host dies under a loop of vkGetFenceStatus"),
    case("lost-status-1ms", 0, death::status_1ms, "the same with a rest of 1 ms"),
    case("lost-sleep", 0, death::sleep, "the host dies while the program sleeps, which then asks for memory"),
    case("lost-sleep-fence", 0, death::sleep_fence, "the same, which then asks for a fence"),
    case("lost-sleep-query", 0, death::sleep_query, "the same, which then asks about a format"),
    case("lost-record", 0, death::record, "the host dies while the program records and submits"),
    case("lost-compile", 800_000, death::compile, "the host dies while it compiles a shader of so many operations"),
    case("lost-two", 0, death::two, "the host dies while one thread waits and another records"),
    case("lost-cleanup", 0, death::cleanup, "as lost-fence; then the program destroys what it has made"),
    case("lost-again", 0, death::again, "as lost-fence; then the program makes a new instance and uses it"),

    case("memory-sizes", 0, memory::sizes, "odd sizes of all mappable types, plain and dedicated, every byte"),
    case("memory-twice", 0, memory::twice, "a heap's worth of memory, twice, untouched"),
    case("memory-churn", 20_000, memory::churn, "allocate, map, write, unmap, free"),
    case("memory-budget", 256, memory::budget, "budgets, with so many MiB more"),
    case("memory-large", 256, memory::large, "so many MiB in one mapping"),
    case("memory-refused-free", 0, memory::refused_free, "memory that is refused is freed"),
    case("memory-refused-bind", 0, memory::refused_bind, "memory that is refused is bound to a buffer"),
    case("memory-refused-map", 0, memory::refused_map, "memory that is refused is mapped"),
    case("memory-many", 25_000, memory::many, "mapped allocations alive"),
    case("memory-many-unmapped", 25_000, memory::many_unmapped, "allocations alive, not mapped"),
    case("memory-left", 50, memory::left, "mapped allocations that nobody frees"),

    case("pipeline-destroy", 100, pipelines::destroy, "a pipeline that cannot be made is destroyed"),
    case("pipeline-three", 0, pipelines::three, "three in one call, the second cannot be made"),
    case("pipeline-three-fresh", 0, pipelines::three_fresh, "the same on a fresh thread, which is told"),
    case("pipeline-fresh", 0, pipelines::fresh, "one that cannot be made, on a fresh thread"),
    case("pipeline-early-0", 0, pipelines::early_0, "pipelines that may not be compiled now"),
    case("pipeline-early-1", 0, pipelines::early_1, "the same, with an early return"),
    case("pipeline-record", 0, pipelines::record, "one that cannot be made is bound, and never submitted"),
    case("pipeline-submit", 0, pipelines::submit, "one that cannot be made is bound and submitted"),
    case("pipeline-derive", 0, pipelines::derive, "one is derived from one that cannot be made"),
    case("pipeline-threads", 300, pipelines::threads, "threads that make a pipeline each, all alive"),
    case("pipeline-cache-data", 300, pipelines::cache_data, "a cache with so many MiB of initial data"),

    case("frames", 10_000, frames::readback, "frames that are cleared, copied, waited for and compared"),
    case("first-reply", 0, frames::first_reply, "how long it takes until a device first does something"),

    case("image-copy", 8192, images::copy, "host image copy of a square of so many texels"),
    case("sparse-buffer", 0, sparse::buffer, "memory that can be mapped, bound to a sparse buffer"),
    case("sparse-image", 0, sparse::image, "the same, bound to a sparse image"),

    // What newer levels of the protocol bring.
    case("mesh-draw", 0, mesh::draw, "mesh shaders that paint tiles"),
    case("mesh-tasks", 0, mesh::tasks, "the same, asked for by task shaders"),
    case("mesh-indirect", 0, mesh::indirect, "the same, as a buffer says"),
    case("mesh-indirect-count", 0, mesh::indirect_count, "the same, and as many as a buffer says"),
    case("heap", 0, heap::descriptors, "descriptors of images, buffers and samplers that are in heaps"),
    case("heap-border", 0, heap::borders, "the same with a border that has a colour of its own"),
    case("heap-secondary", 0, heap::secondary, "the same from a command buffer that inherits the heaps"),
    case("heap-sources", 0, heap::sources, "the same from everywhere that a mapping can name"),
    case("slices", 0, reach::slices, "some slices of an image of three dimensions, written by a shader"),
    case("beyond-a-range", 0, reach::beyond_a_range, "a shader that writes beyond what is bound, and to nothing"),
    case("untyped", 0, reach::untyped, "a shader whose pointers have no type"),
    case("single-sampled", 0, rendering::single_sampled, "several samples of each pixel of an image that has one"),
    case("restart-index", 0, rendering::restart_index, "strips that begin anew at an index of the program's choice"),
    case("end-rendering", 0, rendering::end, "a rendering that ends by vkCmdEndRendering2KHR, with a structure and without"),
    case("depth-copy", 0, copies::depth, "colours that are copied to depths"),
    case("copy-indirect", 0, copies::indirect, "copies between addresses that a buffer says"),
    case("zeroed-memory", 0, fresh::memory, "memory that is nothing but zeros from the start"),
    case("reset-queries", 0, fresh::queries, "a pool whose queries are reset from the start"),
    case("matrix", 0, matrix::multiply, "cooperative matrices of all kinds that a subgroup multiplies"),

    case("clear-no-rectangle", 0, refused::clear_no_rectangle, "vkCmdClearAttachments of no rectangle"),
    case("clear-no-texels", 0, refused::clear_no_texels, "vkCmdClearAttachments of a rectangle without texels"),
    case("clear-no-layers", 0, refused::clear_no_layers, "vkCmdClearAttachments of a rectangle without layers"),
    case("empty-buffer", 0, refused::empty_buffer, "vkCreateBuffer of no bytes"),
    case("half-a-word", 0, refused::half_a_word, "vkCreateShaderModule of a word and a half"),
    case("global-priority", 0, refused::global_priority, "a priority that few may have"),
    case("transfer-timestamps", 0, queries::transfer_timestamps, "timestamps of a queue that only copies"),

    case("starts", 300, starts::in_a_row, "devices one after another, while all cores are busy"),
    case("instance-threads", 50, starts::in_threads, "so many instances in each of 32 threads, one after another"),
    case("instances", 300, starts::at_once, "instances alive at once"),

    // The number is in seconds.
    case("idle", 60, starts::idle, "a device that has worked and has nothing more to do"),

    // The number is how often it is timed.
    case("time-start", 10, timings::start, "from nothing to a queue"),
    case("time-call", 20_000, timings::call, "a call that the driver answers at once: vkGetDescriptorSetLayoutSupport"),
    case("time-record", 10, timings::record, "200 000 commands recorded, submitted and waited for, per command"),
    case("time-submit", 1_000, timings::submit, "submit nothing and wait for it"),
    case("time-two-in-flight", 1_000, timings::two_in_flight, "the same with two on the way"),
    case("time-three-in-flight", 1_000, timings::three_in_flight, "the same with three"),
    case("time-buffer", 500, timings::mapped, "make, allocate, bind, map, touch and free a buffer of 64 KiB"),
    case("time-buffer-unmapped", 500, timings::unmapped, "the same of memory that only the device sees"),
    case("time-map", 2_000, timings::map_again, "map and unmap memory"),
    case("time-job", 500, timings::job, "write, record, dispatch, wait, read"),
    case("time-pipeline", 50, timings::pipeline, "make a compute pipeline and use it"),
    case("time-1000-draws", 50, timings::thousand_draws, "frames of 1 000 draws with constants, per draw"),
    case("time-10000-draws", 10, timings::ten_thousand_draws, "frames of 10 000 draws with constants, per draw"),
];
