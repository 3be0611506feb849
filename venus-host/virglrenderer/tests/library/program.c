/* A monitor in C: what virtio-gpu's device does for one client, from its start to its end. It is compiled against the
 * installed header by pkg-config. Commands of the client are in "commands.h". */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Both are said: this by QEMU, and the other by the crate virglrenderer-sys. */
#include <virglrenderer.h>
#include <virgl/virglrenderer.h>

#include "commands.h"

#if !VIRGL_CHECK_VERSION(1, 3, 0)
#error "an old header"
#endif

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "program.c:%d: %s\n", __LINE__, #condition);                                               \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint64_t retired;

static void write_fence(void *cookie, uint32_t fence)
{
    CHECK(cookie == &retired);
    (void)fence;
}

static void write_context_fence(void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t fence_id)
{
    CHECK(cookie == &retired && ctx_id == 1 && ring_idx == 0);
    retired = fence_id;
}

static void run(void)
{
    struct virgl_renderer_callbacks callbacks = {
        .version = 3,
        .write_fence = write_fence,
        .write_context_fence = write_context_fence,
    };
    uint32_t version = 99, size = 0, map_info = 0;
    unsigned char capset[160] = {0};
    virgl_renderer_get_cap_set(4, &version, &size);
    CHECK(version == 0 && size == sizeof(capset));
    CHECK(virgl_renderer_init(&retired, VIRGL_RENDERER_VENUS | VIRGL_RENDERER_RENDER_SERVER, &callbacks) == 0);
    virgl_renderer_fill_caps(4, 0, capset);
    CHECK(capset[0] == 1);

    CHECK(virgl_renderer_context_create_with_flags(1, 4, 5, "test?") == 0);
    struct virgl_renderer_resource_create_blob_args blob = {
        .res_handle = 7,
        .ctx_id = 1,
        .blob_mem = VIRGL_RENDERER_BLOB_MEM_HOST3D,
        .blob_flags = VIRGL_RENDERER_BLOB_FLAG_USE_MAPPABLE,
        .size = RING_BYTES,
    };
    CHECK(virgl_renderer_resource_create_blob(&blob) == 0);
    void *map = NULL;
    uint64_t map_size = 0;
    CHECK(virgl_renderer_resource_map(7, &map, &map_size) == 0);
    CHECK(map_size == RING_BYTES);
    CHECK(virgl_renderer_resource_get_map_info(7, &map_info) == 0);
    CHECK((map_info & VIRGL_RENDERER_MAP_CACHE_MASK) == VIRGL_RENDERER_MAP_CACHE_CACHED);
    virgl_renderer_ctx_attach_resource(1, 7);

    /* The client makes a ring and has a word written behind it; a fence says when that has been done. */
    CHECK(virgl_renderer_submit_cmd(create_ring, 1, sizeof(create_ring) / 4) == 0);
    CHECK(virgl_renderer_submit_cmd2(write_extra, 1, sizeof(write_extra) / 4, NULL, 0) == 0);
    retired = 0;
    CHECK(virgl_renderer_context_create_fence(1, VIRGL_RENDERER_FENCE_FLAG_MERGEABLE, 0, 42) == 0);
    for (int i = 0; i < 10000 && retired != 42; i++) {
        virgl_renderer_poll();
        usleep(1000);
    }
    CHECK(retired == 42);
    uint32_t written;
    memcpy(&written, (char *)map + EXTRA_OFFSET, sizeof(written));
    CHECK(written == EXTRA_VALUE);

    /* The client ends as QEMU ends it. */
    virgl_renderer_ctx_detach_resource(1, 7);
    virgl_renderer_context_destroy(1);
    memcpy(&written, (char *)map + EXTRA_OFFSET, sizeof(written));
    CHECK(written == EXTRA_VALUE);
    CHECK(virgl_renderer_resource_unmap(7) == 0);
    virgl_renderer_resource_unref(7);
    virgl_renderer_reset();
    virgl_renderer_cleanup(&retired);
}

/* A user has bounded what guests may hold: this much is not refused, the next is. */
static void bounded(void)
{
    struct virgl_renderer_callbacks callbacks = {
        .version = 3,
        .write_fence = write_fence,
        .write_context_fence = write_context_fence,
    };
    CHECK(virgl_renderer_init(&retired, VIRGL_RENDERER_VENUS | VIRGL_RENDERER_RENDER_SERVER, &callbacks) == 0);
    CHECK(virgl_renderer_context_create_with_flags(1, 4, 5, "test?") == 0);
    struct virgl_renderer_resource_create_blob_args blob = {
        .res_handle = 7,
        .ctx_id = 1,
        .blob_mem = VIRGL_RENDERER_BLOB_MEM_HOST3D,
        .blob_flags = VIRGL_RENDERER_BLOB_FLAG_USE_MAPPABLE,
        .size = RING_BYTES,
    };
    CHECK(virgl_renderer_resource_create_blob(&blob) == 0);
    blob.res_handle = 8;
    CHECK(virgl_renderer_resource_create_blob(&blob) != 0);
    virgl_renderer_cleanup(&retired);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "bounded") == 0) {
        bounded();
        puts("no more than that");
        return 0;
    }
    run();
    run();
    puts("all is well");
    return 0;
}
