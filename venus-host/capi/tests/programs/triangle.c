/*
 * A monitor in C: makes a host and a context, shares memory with its guest, and has the guest draw a triangle. Checks the
 * pixels, the statistics, and what functions say that are called in a wrong way.
 *
 *     triangle polled | thread | process | library
 *
 * With `process` this program is its own worker, with `library` the library is.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <venus_guest.h>
#include <venus_host.h>

enum { CONTEXT = 7, SIZE = 200, BLOBS = 64 };

/* Fails the program with the library's own sentence. */
static int must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %d: %s\n", what, result, venus_last_error());
        exit(1);
    }
    return result;
}

static void check(int is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "not so: %s (last error: %s)\n", what, venus_last_error());
        exit(1);
    }
}

struct blob {
    uint32_t resource;
    venus_mapping *mapping;
};

struct monitor {
    venus_host *host;
    uint32_t isolation;
    uint32_t last_resource;
    uint64_t last_fence;
    struct blob blobs[BLOBS];
    /* Memory of our own that the host has got, and has given back. */
    int imported, released;
};

static void released(void *user)
{
    ((struct monitor *)user)->released++;
}

/* Plain shared memory is ours, as in a monitor that looks into its guest's memory: pages that we have allocated, or a
 * memory file where another process is to have them, too. */
static void *import(struct monitor *monitor, uint32_t resource, uint64_t size)
{
    int is_file = monitor->isolation == VENUS_ISOLATION_PROCESS;
    int fd = is_file ? memfd_create("ours", 0) : -1;
    check(!is_file || ftruncate(fd, (off_t)size) == 0, "there is a memory file");
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | (is_file ? 0 : MAP_ANONYMOUS), fd, 0);
    check(memory != MAP_FAILED, "there is memory");
    if (is_file) {
        must(venus_host_import_fd(monitor->host, resource, VENUS_STORAGE_SHM, fd, size, VENUS_MAP_CACHED), "import file");
        check(close(fd) == 0, "the descriptor is still ours");
    } else {
        must(venus_host_import_memory(monitor->host, resource, memory, size, released, monitor), "import memory");
        monitor->imported++;
    }
    must(venus_host_attach_resource(monitor->host, CONTEXT, resource), "attach");
    return memory;
}

static int create_blob(void *user, uint32_t flags, uint64_t blob_id, uint64_t size, uint32_t *resource, void **address)
{
    struct monitor *monitor = user;
    struct blob *blob = monitor->blobs;
    size_t mapped;
    while (blob->resource)
        blob++;
    check(blob < monitor->blobs + BLOBS, "there is room for a blob");
    *blob = (struct blob){.resource = ++monitor->last_resource};
    *resource = blob->resource;
    if (blob_id == 0 && monitor->isolation != VENUS_ISOLATION_THREAD) {
        *address = import(monitor, blob->resource, size);
        return 0;
    }
    must(venus_host_create_blob(monitor->host, CONTEXT, blob->resource, flags, blob_id, size), "create blob");
    must(venus_host_map(monitor->host, blob->resource, &blob->mapping, address, &mapped), "map");
    check(mapped >= size, "all of it is mapped");
    venus_blob about = {.size = sizeof about};
    must(venus_host_describe_resource(monitor->host, blob->resource, &about), "describe");
    check(about.bytes >= size && about.map_info == VENUS_MAP_CACHED, "a blob is as it was wanted");
    int fd = venus_host_export_fd(monitor->host, blob->resource);
    if (about.storage == VENUS_STORAGE_POINTER)
        check(fd == -EOPNOTSUPP, "pointers have no descriptor");
    else
        check(close(must(fd, "export")) == 0, "a descriptor is the caller's");
    return 0;
}

static int destroy_resource(void *user, uint32_t resource)
{
    struct monitor *monitor = user;
    struct blob *blob = monitor->blobs;
    while (blob->resource != resource)
        blob++;
    check(must(venus_host_destroy_resource(monitor->host, resource), "destroy") == 1, "there was a resource");
    venus_mapping_release(blob->mapping);
    *blob = (struct blob){0};
    return 0;
}

static int submit(void *user, const void *commands, size_t size)
{
    return must(venus_host_submit(((struct monitor *)user)->host, CONTEXT, commands, size), "submit");
}

static int process(void *user)
{
    struct monitor *monitor = user;
    if (monitor->isolation == VENUS_ISOLATION_POLLED)
        must(venus_host_process_rings(monitor->host), "process rings");
    return must(venus_host_check_context(monitor->host, CONTEXT), "the context");
}

static int wait_fence(void *user, uint32_t ring_idx)
{
    struct monitor *monitor = user;
    uint64_t number = ++monitor->last_fence;
    venus_retired_fence fence = {.size = sizeof fence};
    struct pollfd readable = {.fd = must(venus_host_retired_fd(monitor->host), "descriptor"), .events = POLLIN};
    must(venus_host_create_fence(monitor->host, CONTEXT, ring_idx, number), "create fence");
    while (must(venus_host_next_retired(monitor->host, &fence), "next retired") == 0) {
        process(monitor);
        check(poll(&readable, 1, monitor->isolation == VENUS_ISOLATION_POLLED ? 1 : 10000) >= 0, "poll");
    }
    check(fence.fence == number && fence.context == CONTEXT && fence.ring_idx == ring_idx, "it is the fence");
    check(fence.how == VENUS_RETIRED_DONE, "the fence is signalled");
    return 0;
}

/* The colour that is strongest in a pixel: 0 red, 1 green, 2 blue. */
static int strongest(const uint8_t *pixels, int x, int y)
{
    const uint8_t *pixel = pixels + 4 * (SIZE * y + x);
    int found = 0;
    for (int colour = 1; colour < 3; colour++)
        if (pixel[colour] > pixel[found])
            found = colour;
    return found;
}

static void check_pixels(const uint8_t *pixels)
{
    static const int outside[][2] = {{199, 0}, {0, 199}, {199, 199}, {100, 10}, {20, 60}, {180, 60}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        check(memcmp(pixels, pixels + 4 * (SIZE * outside[i][1] + outside[i][0]), 4) == 0, "the background is plain");
    check(strongest(pixels, 100, 32) == 0, "the upper corner is red");
    check(strongest(pixels, 172, 166) == 1, "the right corner is green");
    check(strongest(pixels, 28, 166) == 2, "the left corner is blue");
    check(memcmp(pixels, pixels + 4 * (SIZE * 123 + 100), 4) != 0, "the middle is drawn");
}

static void check_statistics(venus_host *host)
{
    venus_statistics *statistics;
    venus_totals totals = {.size = sizeof totals};
    venus_command_statistics command = {.size = sizeof command};
    uint64_t draws = 0;
    must(venus_host_statistics(host, CONTEXT, &statistics), "statistics");
    must(venus_statistics_totals(statistics, &totals), "totals");
    check(totals.executed > 20 && totals.submissions == 1 && !totals.is_lost, "the totals are those of a triangle");
    for (size_t i = 0; must(venus_statistics_command(statistics, i, &command), "a command") == 1; i++)
        if (strcmp(command.name, "vkCmdDraw") == 0)
            draws += command.handled;
    check(draws == 1, "one triangle was drawn");
    check(venus_statistics_command(statistics, totals.commands, &command) == 0, "rows come to an end");
    check(*venus_statistics_last_error(statistics) == 0, "nothing failed");
    venus_statistics_free(statistics);

    uint64_t executed = totals.executed;
    must(venus_host_statistics_of_all(host, &statistics), "statistics of all contexts");
    must(venus_statistics_totals(statistics, &totals), "totals");
    check(totals.executed == executed, "there is one context");
    venus_statistics_free(statistics);
    check(venus_host_statistics_of_all(host, NULL) == -EINVAL, "they have to be put somewhere");
}

static void check_mistakes(venus_host *host)
{
    venus_retired_fence fence = {0};
    venus_host_options options = {.size = sizeof options, .isolation = 99};
    venus_host *none = NULL;
    check(venus_host_create(&options, &none) == -EINVAL && !none, "there is no isolation 99");
    check(strstr(venus_last_error(), "99") != NULL, "and the sentence says so");
    check(venus_host_create(NULL, NULL) == -EINVAL, "a host has to be put somewhere");
    check(venus_host_process_rings(NULL) == -EINVAL, "null is no host");
    check(venus_host_next_retired(host, NULL) == -EINVAL, "null is no fence");
    check(venus_host_submit(host, 1234, "", 0) == -EINVAL, "there is no context 1234");
    check(strstr(venus_last_error(), "1234") != NULL, "and the sentence says so");
    check(venus_host_submit(host, CONTEXT, NULL, 4) == -EINVAL, "null is no commands");
    check(venus_host_create_context(host, CONTEXT, NULL) == -EINVAL, "a context has a number of its own");
    check(venus_host_create_blob(host, CONTEXT, 0, VENUS_BLOB_MAPPABLE, 0, 4096) == -EINVAL, "0 is no resource");
    check(venus_host_import_memory(host, 900, (char *)&fence + 1, 4096, NULL, NULL) == -EINVAL, "pages are aligned");
    check(venus_host_import_fd(host, 900, VENUS_STORAGE_OPAQUE, 0, 4096, 0) == -EINVAL, "opaque is not imported");
    check(venus_host_export_fd(host, 900) == -ENOENT, "there is no resource 900");
    check(venus_host_destroy_resource(host, 900) == 0 && venus_host_destroy_context(host, 900) == 0, "nothing is gone");
    check(venus_host_create_fence(host, 1234, 0, 1) == -EINVAL, "a fence has a context");
    fence.size = sizeof fence;
    check(must(venus_host_next_retired(host, &fence), "next retired") == 1, "it retires all the same");
    check(fence.context == 1234 && fence.how == VENUS_RETIRED_LOST, "as lost");
    check(venus_capset(&fence, 8) == -EINVAL, "the capability set is longer");
    check(venus_statistics_totals(NULL, NULL) == -EINVAL, "null is no snapshot");
    venus_mapping_release(NULL);
    venus_statistics_free(NULL);
}

/* A guest that breaks the protocol loses its context, with a sentence, and nothing else. */
static void check_lost(venus_host *host)
{
    static const uint32_t garbage[] = {0xffffffff, 0, 0, 0};
    venus_retired_fence fence = {.size = sizeof fence};
    must(venus_host_create_context(host, 8, &(venus_context_options){.size = sizeof(venus_context_options),
                                                                    .name = "liar",
                                                                    .name_size = 4,
                                                                    .isolation = VENUS_ISOLATION_POLLED}),
         "create context");
    check(venus_host_submit(host, 8, garbage, sizeof garbage) == -EPIPE, "garbage ends a context");
    check(venus_host_check_context(host, 8) == -EPIPE && *venus_last_error(), "it is lost, and why is known");
    check(must(venus_host_create_fence(host, 8, 0, 5), "create fence") == 0, "a lost context takes fences");
    check(must(venus_host_next_retired(host, &fence), "next retired") == 1, "which retire");
    check(fence.fence == 5 && fence.how == VENUS_RETIRED_LOST, "as lost");
    must(venus_host_check_context(host, CONTEXT), "the other context");
    check(venus_host_destroy_context(host, 8) == 1, "it can be destroyed");
}

struct told {
    venus_host *host;
    int lines, fences, refused, ends;
};

static void told_line(void *user, uint32_t level, const char *line)
{
    struct told *told = user;
    if (level == VENUS_LOG_ERROR && strstr(line, "babbler"))
        told->lines++;
}

static void told_end(void *user)
{
    struct told *told = user;
    told->ends++;
}

static void told_fence(void *user, const venus_retired_fence *fence)
{
    struct told *told = user;
    if (fence->fence == 5 && fence->context == 1 && fence->how == VENUS_RETIRED_DONE)
        told->fences++;
    if (venus_host_process_rings(told->host) == -EDEADLK)
        told->refused++;
}

/* Callbacks hear of lines of the log and of fences, and must not call back. */
static void check_callbacks(void)
{
    static const uint32_t garbage[] = {0xffffffff, 0, 0, 0};
    struct told told = {0};
    venus_host_options options = {
        .size = sizeof options, .isolation = VENUS_ISOLATION_POLLED, .retired = told_fence, .retired_user = &told};
    venus_context_options context = {.size = sizeof context, .name = "babbler, and more", .name_size = 7};
    venus_retired_fence fence = {.size = sizeof fence};
    must(venus_set_log(told_line, &told, VENUS_LOG_WARN, told_end), "set log");
    must(venus_host_create(&options, &told.host), "create host");
    must(venus_host_create_context(told.host, 1, &context), "create context");
    must(venus_host_create_fence(told.host, 1, 0, 5), "create fence");
    check(told.fences == 1 && told.refused == 1, "the callback hears of a fence, and may not call back");
    check(venus_host_next_retired(told.host, &fence) == 0, "nobody else does");
    check(venus_host_submit(told.host, 1, garbage, sizeof garbage) == -EPIPE, "garbage ends a context");
    check(told.lines == 1, "the log says so");
    check(told.ends == 0, "it is in use until another is set");
    must(venus_set_log(NULL, NULL, VENUS_LOG_OFF, NULL), "set log");
    check(told.ends == 1, "then it is released");
    must(venus_host_destroy(told.host, 5000), "destroy host");
    check(venus_set_log(told_line, &told, 99, told_end) == -EINVAL, "there is no level 99");
    check(told.ends == 1, "what was not taken is not released");
}

static uint32_t isolation_of(const char *name)
{
    if (strcmp(name, "polled") == 0)
        return VENUS_ISOLATION_POLLED;
    return strcmp(name, "thread") == 0 ? VENUS_ISOLATION_THREAD : VENUS_ISOLATION_PROCESS;
}

int main(int argc, char **argv)
{
    if (getenv("VENUS_WORKER"))
        return venus_worker_main();
    check(argc == 2, "one argument says who serves the guest");
    check(venus_host_version() == VENUS_HOST_VERSION, "header and library belong together");

    struct monitor monitor = {.isolation = isolation_of(argv[1])};
    venus_host_options options = {.size = sizeof options};
    if (strcmp(argv[1], "process") == 0)
        options.worker_program = argv[0];
    options.protocol = 450;
    check(venus_host_create(&options, &monitor.host) == -EINVAL, "there is no level 450");
    options.protocol = 433;
    must(venus_host_create(&options, &monitor.host), "create host");

    uint32_t newest[40], words[40];
    must(venus_capset(newest, sizeof newest), "capset of the newest level");
    size_t capset_size = (size_t)must(venus_host_capset(monitor.host, words, sizeof words), "capset");
    check(words[1] == 0x404133 && newest[1] > words[1], "each level announces its registry's version");
    venus_context_options context = {
        .size = sizeof context, .name = "triangle", .name_size = 8, .isolation = monitor.isolation};
    must(venus_host_create_context(monitor.host, CONTEXT, &context), "create context");

    const struct venus_guest_transport transport = {
        .monitor = &monitor,
        .capset = words,
        .capset_size = capset_size,
        .create_blob = create_blob,
        .destroy_resource = destroy_resource,
        .submit = submit,
        .wait_fence = wait_fence,
        .pause = process,
    };
    static uint8_t pixels[4 * SIZE * SIZE];
    check(venus_guest_triangle(&transport, SIZE, pixels) == 0, "the guest draws");
    check_pixels(pixels);
    check_statistics(monitor.host);
    check_mistakes(monitor.host);
    check_lost(monitor.host);
    check_callbacks();

    /* A mapping outlives everything. */
    venus_mapping *mapping;
    char *address;
    size_t mapped;
    must(venus_host_create_blob(monitor.host, CONTEXT, 1000, VENUS_BLOB_MAPPABLE, 0, 4096), "create blob");
    must(venus_host_map(monitor.host, 1000, &mapping, (void **)&address, &mapped), "map");
    check(venus_host_destroy_context(monitor.host, CONTEXT) == 1, "there was a context");
    must(venus_host_destroy(monitor.host, 5000), "destroy host");
    memset(address, 1, mapped);
    venus_mapping_release(mapping);

    check(monitor.released == monitor.imported, "memory that was lent is given back");
    check(monitor.imported > 0 || monitor.isolation != VENUS_ISOLATION_POLLED, "memory was lent");
    printf("%s: the triangle is drawn, %d imports given back\n", argv[1], monitor.released);
    return 0;
}
