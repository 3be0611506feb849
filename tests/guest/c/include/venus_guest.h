/*
 * A guest to test monitors with, which are not written in Rust: it draws a triangle, and all it knows of its host it
 * learns from functions of the monitor's. The guest is tests/guest; this is its C interface, tests/guest/c.
 */
#ifndef VENUS_GUEST_H
#define VENUS_GUEST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a monitor does for its guest. Functions return 0, or a negative number, which ends the guest. They are called on
 * the thread that has called the guest. */
struct venus_guest_transport {
    /* Passed on to each function. */
    void *monitor;
    /* The capability set. */
    const void *capset;
    size_t capset_size;
    /* Creates a blob: stores its number at `resource`, and where the guest sees it at `address`. It stays there until
     * the resource is destroyed. */
    int (*create_blob)(void *monitor, uint32_t flags, uint64_t blob_id, uint64_t size, uint32_t *resource, void **address);
    int (*destroy_resource)(void *monitor, uint32_t resource);
    int (*submit)(void *monitor, const void *commands, size_t size);
    /* Waits until a fence behind all that was submitted retires. */
    int (*wait_fence)(void *monitor, uint32_t ring_idx);
    /* Called again and again while the guest waits for its ring: here the monitor polls its host. */
    int (*pause)(void *monitor);
};

/* Draws a triangle of `size` pixels in width and height: red, green, blue, alpha of each pixel, from the top left, at
 * `pixels`, where there is room for them. Returns 0, or -1 after a line on standard error. */
int venus_guest_triangle(const struct venus_guest_transport *transport, uint32_t size, uint8_t *pixels);

#ifdef __cplusplus
}
#endif

#endif
