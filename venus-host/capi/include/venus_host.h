/*
 * The Venus host for monitors that are not written in Rust: it executes the Vulkan commands of a guest, which come by
 * virtio-gpu or by any other way, on a driver of this machine.
 *
 * Made from the sources by `cargo xtask header`; do not edit it.
 *
 * A host is one virtio-gpu device: contexts, resources and fences have the numbers that the guest's kernel gives them.
 *
 * Results: functions that return `int` return 0 or a number that says something, or fail with a negative number of
 * <errno.h>; venus_last_error() then has the whole sentence. What fails changes nothing, unless the function says so.
 *
 *     -EINVAL      an argument is wrong, or what the guest asks for breaks the protocol
 *     -EPIPE       the context is lost
 *     -EOPNOTSUPP  this machine, its driver or the context's isolation lacks what is asked for
 *     -EDQUOT      a limit was reached
 *     -ENOMEM, -ENOSPC, -ENODEV, -ENXIO, -EIO
 *                  the driver says: no memory of the host's, none of the GPU's, the device is lost, there is no driver
 *                  that works, something else
 *     -EDEADLK     called from a callback
 *     -ENOTRECOVERABLE
 *                  a fault of the library; nothing of it leaves as a C++ exception or an abort
 *     others       of a system call that failed
 *
 * Pointers: what a caller passes is read or written during the call and not kept, except where a function says so. What
 * a function gives belongs to the caller, who gives it back to the function that is named.
 *
 * Structures begin with their own size, as the caller's compiler knows it: set it to `sizeof` before every call. So a
 * program works with a later library, which adds members at the end, and with an earlier one if it leaves those zero
 * that the earlier one does not know.
 *
 * Threads: every function may be called on every thread, also for one host on several at a time; they take turns.
 * Callbacks come on any thread. They must not call a function of this library, nor wait for a lock that another thread
 * may hold while it calls one: that call may be waiting for the callback.
 */

#ifndef VENUS_HOST_H
#define VENUS_HOST_H

#include <stddef.h>
#include <stdint.h>

// The version of this header: its major number in the upper 16 bits, which changes when programs have to, and its
// minor number in the lower ones, which grows when functions or members are added.
#define VENUS_HOST_VERSION 2

// virtio-gpu's number of the Venus capability set (VIRTIO_GPU_CAPSET_VENUS).
#define VENUS_CAPSET_ID 4

// The version of the capability set.
#define VENUS_CAPSET_VERSION 0

// No line at all.
#define VENUS_LOG_OFF 0

// Somebody is not served.
#define VENUS_LOG_ERROR 1

// Something is not as it should be, and the host goes on.
#define VENUS_LOG_WARN 2

// What happens.
#define VENUS_LOG_INFO 3

// What happens, in detail.
#define VENUS_LOG_DEBUG 4

// Everything.
#define VENUS_LOG_TRACE 5

// What the environment variable VENUS_ISOLATION says (process or thread); a thread if it says nothing. Of a context: as
// the host's options say.
#define VENUS_ISOLATION_DEFAULT 0

// Each context has a thread of this process, and its rings have more. A guest that makes the driver crash takes the
// process along.
#define VENUS_ISOLATION_THREAD 1

// No threads: submissions are executed by the calls that make them, and rings by venus_host_process_rings().
#define VENUS_ISOLATION_POLLED 2

// Each context has a process of its own, and whatever a guest makes the driver do ends with that. Its memory travels by
// descriptor, so such a context cannot have memory that has none.
#define VENUS_ISOLATION_PROCESS 3

// Has the Khronos validation layer, which has to be installed, check what guests do, and logs what it finds. Slow.
#define VENUS_HOST_VALIDATE 1

// Commands were executed: come back at once.
#define VENUS_PROGRESS_WORKED 0

// There were none, but a guest counts on being polled: come back within a millisecond or so.
#define VENUS_PROGRESS_EMPTY 1

// A command waits for something that has not happened yet, such as the end of work of the GPU or a submission: come back
// soon, and after the next submission.
#define VENUS_PROGRESS_BLOCKED 2

// Guests make a submission before they need their rings again: come back after the next one.
#define VENUS_PROGRESS_IDLE 3

// No ring will ever execute anything again.
#define VENUS_PROGRESS_ENDED 4

// The guest wants to map the blob (VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE).
#define VENUS_BLOB_MAPPABLE 1

// The guest wants to hand it to other processes (VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE).
#define VENUS_BLOB_SHAREABLE 2

// The guest wants to hand it to other devices, so it has to be a dma-buf (VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE).
#define VENUS_BLOB_CROSS_DEVICE 4

// A memory file: map it.
#define VENUS_STORAGE_SHM 1

// A dma-buf: map it, or import it into a driver.
#define VENUS_STORAGE_DMA_BUF 2

// A driver's own descriptor: import it into the same driver. Never map it, its first bytes may be a private header.
#define VENUS_STORAGE_OPAQUE 3

// Memory of this process, without a descriptor.
#define VENUS_STORAGE_POINTER 4

// Not mappable.
#define VENUS_MAP_NONE 0

// Ordinary cached memory (VIRTIO_GPU_MAP_CACHE_CACHED).
#define VENUS_MAP_CACHED 1

// Uncached (VIRTIO_GPU_MAP_CACHE_UNCACHED).
#define VENUS_MAP_UNCACHED 2

// Write-combining (VIRTIO_GPU_MAP_CACHE_WC).
#define VENUS_MAP_WRITE_COMBINING 3

// Everything before the fence is done.
#define VENUS_RETIRED_DONE 0

// Nobody will know: the context is lost or gone, or the queue is. A guest's kernel, which cannot be told so, takes the
// fence as signalled.
#define VENUS_RETIRED_LOST 1

// The same, because the device is lost.
#define VENUS_RETIRED_DEVICE_LOST 2

// A host: one virtio-gpu device. Made by venus_host_create(), ended by venus_host_destroy().
typedef struct venus_host venus_host;

// A mapping of a resource's storage. Made by venus_host_map(), given back to venus_mapping_release().
typedef struct venus_mapping venus_mapping;

// What a context had done and what it held when venus_host_statistics() looked, or all of them in sum. Given back to
// venus_statistics_free().
typedef struct venus_statistics venus_statistics;

// Gets a line of the log: its level (`VENUS_LOG_...`) and its text, which is valid during the call. Called on any
// thread, also on several at a time.
typedef void (*venus_log_callback)(void *user, uint32_t level, const char *line);

// Called once nobody uses what it came with any more, with its `user`, on any thread.
typedef void (*venus_release_callback)(void *user);

// A fence that has retired.
typedef struct venus_retired_fence {
    // `sizeof` of this structure.
    size_t size;
    // The number that it was created with.
    uint64_t fence;
    // The context that it was created in.
    uint32_t context;
    // The timeline that it was created on.
    uint32_t ring_idx;
    // How: `VENUS_RETIRED_...`.
    uint32_t how;
    // (always zero)
    uint32_t reserved;
} venus_retired_fence;

// Gets a fence that has retired; the structure is valid during the call. Called on any thread.
typedef void (*venus_retired_callback)(void *user, const struct venus_retired_fence *fence);

// How a host is made. What a member says comes before the environment variable for the same, here and in processes of
// their own. What a zero member leaves open, the variable decides: VENUS_ISOLATION, VENUS_VALIDATE, VENUS_GPU,
// VENUS_MAX_MEMORY, VENUS_MAX_OBJECTS, VENUS_PROTOCOL. Each member says what holds without either.
typedef struct venus_host_options {
    // `sizeof` of this structure.
    size_t size;
    // Who serves contexts that do not say it themselves: `VENUS_ISOLATION_...`.
    uint32_t isolation;
    // `VENUS_HOST_...`, or'ed.
    uint32_t flags;
    // Which GPUs guests see: `all`, a position in the list of `venus doctor`, a deviceUUID, or part of a name. All if
    // null.
    const char *gpu;
    // Bytes of memory that each guest may hold; as much as there is if zero.
    uint64_t max_memory_bytes;
    // Vulkan objects that each guest may hold; some millions if zero.
    uint64_t max_objects;
    // Called for each fence that retires, on any thread, those of a timeline in order; on one that a function of this
    // library waits for, perhaps, so it must not wait for a lock that is held around such a call. If null, fences wait
    // for venus_host_next_retired().
    venus_retired_callback retired;
    // Passed on to it.
    void *retired_user;
    // `vkGetInstanceProcAddr` of a Vulkan that this program has linked or loaded itself, which has to stay; if null, the
    // system's loader is looked for. Processes of their own look for that in any case.
    const void *get_instance_proc_addr;
    // The program that is started for contexts that have a process of their own, with the environment variable
    // VENUS_WORKER set to 1: it calls venus_worker_main() then. UTF-8. If null, the library starts itself, which it can on
    // Linux, where it is a shared one.
    const char *worker_program;
    // The level of the protocol that guests are served at, called by how many command names it has: 433, 448 or 453. The
    // newest if zero. Guests read it from venus_host_capset().
    uint32_t protocol;
    // (zero)
    uint32_t reserved;
} venus_host_options;

// How a context is made. Zero members leave everything as it is without them.
typedef struct venus_context_options {
    // `sizeof` of this structure.
    size_t size;
    // What the log calls the context: the guest program's name. Need not end with a zero, need not be UTF-8, may be null.
    const char *name;
    // Bytes of the name.
    size_t name_size;
    // Who serves it: `VENUS_ISOLATION_...`.
    uint32_t isolation;
    // (zero)
    uint32_t reserved;
} venus_context_options;

// What a resource's storage is.
typedef struct venus_blob {
    // `sizeof` of this structure.
    size_t size;
    // Bytes of storage, a multiple of the host page where the host has made it: not less than what was asked for.
    uint64_t bytes;
    // `VENUS_STORAGE_...`.
    uint32_t storage;
    // How a guest should map it: `VENUS_MAP_...`, the numbers of virtio-gpu.
    uint32_t map_info;
    // Of opaque storage, what `vkAllocateMemory` of an importer has to repeat: the memory type, ...
    uint32_t memory_type_index;
    // (always zero)
    uint32_t reserved;
    // ... the allocation's size, ...
    uint64_t allocation_size;
    // ... and the deviceUUID and driverUUID of `VkPhysicalDeviceIDProperties`, which have to be the same.
    uint8_t device_uuid[16];
    // See device_uuid.
    uint8_t driver_uuid[16];
} venus_blob;

// What a context has done in sum, and what it holds.
typedef struct venus_totals {
    // `sizeof` of this structure.
    size_t size;
    // Commands that were executed.
    uint64_t executed;
    // Lines in the log about commands that failed or were left out.
    uint64_t failures;
    // Messages of the validation layers.
    uint64_t findings;
    // Submissions to queues.
    uint64_t submissions;
    // `VkDeviceMemory` objects.
    uint64_t allocations;
    // Bytes of those.
    uint64_t device_memory_bytes;
    // Bytes of them that are resources, too.
    uint64_t blob_memory_bytes;
    // Bytes of resources that are plain shared memory.
    uint64_t shared_memory_bytes;
    // Rows for venus_statistics_command().
    size_t commands;
    // Rows for venus_statistics_object().
    size_t objects;
    // Rows for venus_statistics_ring().
    size_t rings;
    // Rows for venus_statistics_heap().
    size_t heaps;
    // The context is lost.
    uint32_t is_lost;
    // (always zero)
    uint32_t reserved;
} venus_totals;

// What became of one command, each time that it came.
typedef struct venus_command_statistics {
    // `sizeof` of this structure.
    size_t size;
    // Its Vulkan name; the snapshot's.
    const char *name;
    // How often it was decoded and handed on, or left out for naming what is no object.
    uint64_t dispatched;
    // How often it was executed.
    uint64_t handled;
    // How often the host left it out or answered it itself.
    uint64_t refused;
    // How often the driver failed to do it, or it ended the context.
    uint64_t failed;
} venus_command_statistics;

// How many objects of one type a guest has.
typedef struct venus_object_statistics {
    // `sizeof` of this structure.
    size_t size;
    // The type's Vulkan name, such as VkBuffer; the snapshot's.
    const char *name;
    // How many.
    uint64_t count;
} venus_object_statistics;

// What one ring holds.
typedef struct venus_ring_statistics {
    // `sizeof` of this structure.
    size_t size;
    // The guest's number of it.
    uint64_t id;
    // Bytes that the guest has written and the host has not executed.
    uint64_t unexecuted_bytes;
} venus_ring_statistics;

// One heap of a GPU that the guest has devices of.
typedef struct venus_heap_statistics {
    // `sizeof` of this structure.
    size_t size;
    // The GPU's name; the snapshot's.
    const char *gpu;
    // Bytes of it.
    uint64_t bytes;
    // Bytes that the process which serves the guest may use, by the driver's estimate; UINT64_MAX if it has none.
    uint64_t budget;
    // Bytes that it uses; UINT64_MAX if the driver does not tell.
    uint64_t usage;
    // It is the GPU's own memory.
    uint32_t is_device_local;
    // (always zero)
    uint32_t reserved;
} venus_heap_statistics;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library, to be compared with `VENUS_HOST_VERSION` of the header that a program was compiled with:
// the upper 16 bits have to be the same, the lower ones not less.
uint32_t venus_host_version(void);

// The sentence about the last call that failed on this thread: what was wrong, and where something can be done about
// it, what. Empty if none has failed.
//
// The text is the library's and valid until the next call fails on this thread, or the thread ends.
const char *venus_last_error(void);

// Sends lines of the log that matter as much as `level` (`VENUS_LOG_...`) to `callback`, for all hosts of this process;
// with a null callback or VENUS_LOG_OFF to nobody, as in the beginning. `user` is passed on.
//
// Beside this, lines go to standard error as the environment variable VENUS_LOG says (off, error, warn, info, debug or
// trace; warn if it says nothing). What worker processes have to say is among both.
//
// The callback is kept. Once this returns, another thread may still be about to call an earlier one: `release`, unless it is
// null, is called with `user` once nobody does any more, on any thread. If this fails, it is not called.
//
// Errors:
// -EINVAL: there is no such level.
//
// The caller sees to it:
// `callback` can be called with `user` on any thread until `release` is called, or for ever without that; `release` can be
// called on any thread.
int venus_set_log(venus_log_callback callback,
                  void *user,
                  uint32_t level,
                  venus_release_callback release);

// Copies the Venus capability set, which a guest reads before it makes a context, to `bytes`, and returns how many bytes
// it has. With a null pointer it only returns that.
//
// Needs no host, and asks no driver: what a driver lacks, the guest is told later. It is that of hosts whose options name
// no level of the protocol; venus_host_capset() has that of one host.
//
// Errors:
// -EINVAL: `size` is less than the set has, or the environment variable VENUS_PROTOCOL has a value that does not exist.
//
// The caller sees to it:
// `bytes` is null, or points to `size` writable bytes.
int venus_capset(void *bytes,
                 size_t size);

// As venus_capset(), for guests of this host.
//
// Errors:
// -EINVAL: `size` is less than the set has.
//
// The caller sees to it:
// `host` comes from venus_host_create(). `bytes` is null, or points to `size` writable bytes.
int venus_host_capset(struct venus_host *host, void *bytes, size_t size);

// Makes a host, and stores it at `host`. Touches no driver: that is loaded when a guest needs it.
//
// With null options all is as after `venus_host_options options = { .size = sizeof options };`.
//
// Errors:
// -EINVAL: an option, or an environment variable that is looked at, has a value that does not exist. -EOPNOTSUPP:
// the isolation is not to be had here. -EMFILE: there are no descriptors left.
//
// The caller sees to it:
// `options` is null or points to a structure of the size that it begins with; `host` is null or points to a pointer.
int venus_host_create(const struct venus_host_options *options, struct venus_host **host);

// Ends all contexts of a host, waits for that at most `patience_ms` milliseconds, and frees the host. Null is nothing.
//
// Fences that have not retired do so before this returns, as lost; the callback for them is not called afterwards.
// Mappings stay until they are given back.
//
// Errors:
// -ETIMEDOUT: the host is gone, too, but something of it is stuck in the driver and was left behind: memory that was
// imported without a release callback must stay as long as the process lives.
//
// The caller sees to it:
// `host` is null or comes from venus_host_create(), and nobody uses it any more.
int venus_host_destroy(struct venus_host *host, uint32_t patience_ms);

// Executes what is in the rings of polled contexts, and returns how busy the busiest is (`VENUS_PROGRESS_...`). Takes
// what is there, on this thread, and never sleeps.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_process_rings(struct venus_host *host);

// What a program does that was started as a worker (see worker_program of venus_host_options): serves one context to its
// end, and returns what the program has to exit with. Call it before anything else in `main`.
//
// Errors:
// -EINVAL: an environment variable that is looked at has a value that does not exist.
int venus_worker_main(void);

// Makes a context: VIRTIO_GPU_CMD_CTX_CREATE. No driver is called before the guest creates its instance.
//
// Errors:
// -EINVAL: there is one of that number. -EDQUOT: there are too many. -EOPNOTSUPP: the isolation is not to be had here.
// -EAGAIN and others: the system has no thread or process for it.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `options` is null or points to a structure of the size that it begins with.
int venus_host_create_context(struct venus_host *host, uint32_t context, const struct venus_context_options *options);

// Ends a context: VIRTIO_GPU_CMD_CTX_DESTROY. Returns 1, or 0 if there is none of that number.
//
// Fences of it that are left retire as lost before this returns. Resources stay, and what is mapped stays mapped.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_destroy_context(struct venus_host *host, uint32_t context);

// Whether a context lives: 0 if it does or there is none of that number. A context is lost when its guest breaks the
// protocol, when its process dies, or when it cannot be served any more; it stays so until it is destroyed.
//
// Errors:
// -EPIPE: it is lost, and venus_last_error() says why.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_check_context(struct venus_host *host, uint32_t context);

// Executes a direct submission, whole commands one after the other: VIRTIO_GPU_CMD_SUBMIT_3D. Polled contexts execute it
// before this returns; for others it is queued, in order with everything else that is asked of the context.
//
// Errors:
// -EINVAL: there is no such context. -EPIPE: the context is lost, before or by these commands.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `commands` points to `size` readable bytes, which do not change meanwhile.
int venus_host_submit(struct venus_host *host,
                      uint32_t context,
                      const void *commands,
                      size_t size);

// Creates a resource of a context's memory and attaches it: VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB. `blob_id` 0 with exactly
// VENUS_BLOB_MAPPABLE asks for plain shared memory, in which rings, replies and commands can lie; any other number names a
// `VkDeviceMemory` of the guest.
//
// Plain shared memory is there at once. For memory of the guest's this waits until the context has come to it, with an end.
//
// Errors:
// -EINVAL: the resource's number is 0 or in use, the size is 0, or there is no such context or memory. -EDQUOT: the size
// or the number of resources is over a limit. -EOPNOTSUPP: the memory cannot be shared. -EPIPE: the context is lost.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_create_blob(struct venus_host *host,
                           uint32_t context,
                           uint32_t resource,
                           uint32_t flags,
                           uint64_t blob_id,
                           uint64_t size);

// Lets a context know a resource, so that its guest can import it or put rings there: VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE.
// Nothing if it does already; who has created one has it.
//
// Errors:
// -EINVAL: there is no such context or resource. -EOPNOTSUPP: the context has a process of its own, and the memory no
// descriptor. -EPIPE: the context is lost.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_attach_resource(struct venus_host *host,
                               uint32_t context,
                               uint32_t resource);

// Lets a context forget a resource: VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE. Nothing if it does not know it.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_detach_resource(struct venus_host *host, uint32_t context, uint32_t resource);

// Drops a resource: VIRTIO_GPU_CMD_RESOURCE_UNREF. Returns 1, or 0 if there is none of that number. Contexts forget it;
// what is mapped stays mapped, and what is exported stays open.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_destroy_resource(struct venus_host *host, uint32_t resource);

// Writes to `blob` what the storage of a resource is.
//
// Errors:
// -ENOENT: there is no such resource.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `blob` points to a structure of the size that it begins with.
int venus_host_describe_resource(struct venus_host *host, uint32_t resource, struct venus_blob *blob);

// Returns a descriptor of a resource's storage, which is the caller's to close. What may be done with it depends on the
// kind of storage: see venus_host_describe_resource().
//
// Errors:
// -ENOENT: there is no such resource. -EOPNOTSUPP: it is memory of this process. -EMFILE: there are no descriptors left.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_export_fd(struct venus_host *host,
                         uint32_t resource);

// Maps a resource into this process, and stores at `address` where it is, the start of a page, at `size` how many bytes
// it has, and at `mapping` what keeps it so. All mappings of a resource are one: they have the same address.
//
// It lasts until it is given back to venus_mapping_release(), whatever becomes of the resource, its context or the host.
// The guest may write there at any time.
//
// Errors:
// -EINVAL: there is no such resource, or a place to store something is null. -EOPNOTSUPP: the storage cannot be mapped.
//
// The caller sees to it:
// `host` comes from venus_host_create(); the others point to places for what is stored there.
int venus_host_map(struct venus_host *host,
                   uint32_t resource,
                   struct venus_mapping **mapping,
                   void **address,
                   size_t *size);

// Gives a mapping back. Its memory is unmapped once nobody else uses it. Null is nothing. May be called after the host has
// been destroyed.
//
// The caller sees to it:
// `mapping` is null or comes from venus_host_map(), and nobody uses it or its memory any more.
void venus_mapping_release(struct venus_mapping *mapping);

// Makes memory of the caller's own a resource, in which rings, replies and commands can lie: such as memory of a virtual
// machine, into which this program looks. Contexts that have a process of their own cannot have it.
//
// The memory is kept: it stays readable and writable until `release` is called with `user`, which happens once, when the
// resource is destroyed and nothing else uses it. With a null callback it stays until venus_host_destroy() returns 0. If
// this fails, `release` is not called.
//
// Errors:
// -EINVAL: the resource's number is 0 or in use, or the memory is none or does not begin with a page of this machine.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `address` points to `size` bytes that can be read and written for that long,
// through which only atomic and volatile accesses of this program's are in flight; `release` can be called on any thread.
int venus_host_import_memory(struct venus_host *host,
                             uint32_t resource,
                             void *address,
                             size_t size,
                             venus_release_callback release,
                             void *user);

// Makes storage that somebody else has made a resource: a memory file (VENUS_STORAGE_SHM), in which rings, replies and
// commands can lie, whoever serves the context, or a dma-buf (VENUS_STORAGE_DMA_BUF), which guests import. `fd` stays the
// caller's; the host keeps a duplicate. `map_info` is how guests should map a dma-buf; memory files are ordinary cached
// memory.
//
// Errors:
// -EINVAL: the resource's number is 0 or in use, the size is 0, or the storage is of another kind. -EMFILE: there are no
// descriptors left.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `fd` is open. A memory file has `size` bytes or more, and keeps them as long as
// somebody has it mapped.
int venus_host_import_fd(struct venus_host *host,
                         uint32_t resource,
                         uint32_t storage,
                         int fd,
                         uint64_t size,
                         uint32_t map_info);

// Has a fence retire once everything before it on a timeline of the context is done: submissions for `ring_idx` 0, the
// work of a queue for the others. `fence` is any number of the caller's.
//
// It retires once in any case, also if this fails: then as lost, as it does if the context is lost or destroyed first.
//
// Errors:
// -EINVAL: there is no such context or timeline. -EDQUOT: too many fences are pending, so the context is lost.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_create_fence(struct venus_host *host, uint32_t context, uint32_t ring_idx, uint64_t fence);

// Takes the next fence that has retired, where there is no callback: writes it to `fence` and returns 1, or returns 0 if
// there is none. Those of a timeline come in order.
//
// Errors:
// -EINVAL: `fence` is null, or does not begin with its size.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `fence` points to a structure of the size that it begins with.
int venus_host_next_retired(struct venus_host *host,
                            struct venus_retired_fence *fence);

// A descriptor that is readable once fences have retired that venus_host_next_retired() has not begun to take: for an
// event loop, which then takes them until there are none. It is the host's; neither read nor close it.
//
// The caller sees to it:
// `host` comes from venus_host_create().
int venus_host_retired_fd(struct venus_host *host);

// Takes one look at all counters of a context, and stores what it saw at `statistics`.
//
// Errors:
// -EINVAL: `statistics` is null, or there is no such context. -EPIPE: the context is lost, and is not polled.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `statistics` points to a place for a pointer.
int venus_host_statistics(struct venus_host *host, uint32_t context, struct venus_statistics **statistics);

// Takes one look at all counters of all contexts in sum, and stores what it saw at `statistics`. Processes that do not answer
// soon, or have ended, are left out. Rings and heaps are those of all contexts, one after the other.
//
// Errors:
// -EINVAL: `statistics` is null.
//
// The caller sees to it:
// `host` comes from venus_host_create(); `statistics` points to a place for a pointer.
int venus_host_statistics_of_all(struct venus_host *host,
                                 struct venus_statistics **statistics);

// Writes the sums to `totals`, and how many rows there are of everything else.
//
// The caller sees to it:
// `statistics` comes from venus_host_statistics(); `totals` points to a structure of the size that it begins with.
int venus_statistics_totals(const struct venus_statistics *statistics, struct venus_totals *totals);

// Why the context is lost; if it is not, the last line in the log about a command that failed; or an empty text. It is the
// snapshot's, and null only if `statistics` is.
//
// The caller sees to it:
// `statistics` is null or comes from venus_host_statistics().
const char *venus_statistics_last_error(const struct venus_statistics *statistics);

// Writes what became of one command and returns 1, or returns 0 if there is no row `index`. Rows are in the order of the
// commands' numbers; commands that never came have none.
//
// The caller sees to it:
// `statistics` comes from venus_host_statistics(); `command` points to a structure of the size that it begins with.
int venus_statistics_command(const struct venus_statistics *statistics,
                             size_t index,
                             struct venus_command_statistics *command);

// Writes how many objects of one type there are and returns 1, or returns 0 if there is no row `index`. Types without an
// object have none.
//
// The caller sees to it:
// `statistics` comes from venus_host_statistics(); `object` points to a structure of the size that it begins with.
int venus_statistics_object(const struct venus_statistics *statistics,
                            size_t index,
                            struct venus_object_statistics *object);

// Writes what one ring holds and returns 1, or returns 0 if there is no row `index`.
//
// The caller sees to it:
// `statistics` comes from venus_host_statistics(); `ring` points to a structure of the size that it begins with.
int venus_statistics_ring(const struct venus_statistics *statistics, size_t index, struct venus_ring_statistics *ring);

// Writes what there is of one heap and returns 1, or returns 0 if there is no row `index`. Rows are the heaps of the GPUs
// that the guest has devices of.
//
// The caller sees to it:
// `statistics` comes from venus_host_statistics(); `heap` points to a structure of the size that it begins with.
int venus_statistics_heap(const struct venus_statistics *statistics,
                          size_t index,
                          struct venus_heap_statistics *heap);

// Gives a snapshot back, and all texts of it. Null is nothing.
//
// The caller sees to it:
// `statistics` is null or comes from venus_host_statistics(), and nobody uses it any more.
void venus_statistics_free(struct venus_statistics *statistics);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* VENUS_HOST_H */
