/* What the allocator has given out and not got back, by the figures that mem_size() adds up: for tests of memory. */
#pragma once

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>

extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size) __attribute__((weak));

static inline uint64_t allocated_figure(const char *name)
{
    uint64_t v = 0;
    size_t n = sizeof v;
    return mallctl(name, &v, &n, NULL, 0) == 0 ? v : 0;
}

/* By this thread, if that can be told: what others free does not count. */
static inline uint64_t allocated_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes) return __sanitizer_get_current_allocated_bytes();
    if (mallctl) return allocated_figure("thread.allocated") - allocated_figure("thread.deallocated");
    return (uint64_t)mallinfo2().uordblks;
}
