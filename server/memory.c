#include "server/memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "common/buf.h"

/* jemalloc's, if that is what the program was linked with. */
extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size) __attribute__((weak));

extern void malloc_stats_print(void (*write)(void *context, const char *text), void *context, const char *options)
    __attribute__((weak));

/* 4096 stands for all arenas. */
#define ALL_ARENAS_PURGE "arena.4096.purge"
#define ALL_AT_HAND      "stats.arenas.4096.tcache_bytes"

/* The sanitizers' allocator. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t jemalloc_figure(const char *name)
{
    size_t v = 0, n = sizeof v;
    return mallctl(name, &v, &n, NULL, 0) == 0 ? v : 0;
}

static size_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    const int n = fscanf(f, "%lu %lu", &size, &resident);
    (void)fclose(f);
    return n == 2 ? resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

void memory_use(struct memory_use *m)
{
    *m = (struct memory_use){.resident = resident_bytes(),
                             .system = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE)};
    m->used = memory_used();
    m->active = m->held = m->used;
    if (mallctl) {
        m->active = jemalloc_figure("stats.active");
        m->held = jemalloc_figure("stats.resident");
    } else if (!__sanitizer_get_current_allocated_bytes) {
        const struct mallinfo2 info = mallinfo2();
        m->active = m->held = info.arena + info.hblkhd;
    }
    m->allocator = mallctl ? "jemalloc" : "libc";
}

void memory_purge(void)
{
    if (mallctl) (void)mallctl(ALL_ARENAS_PURGE, NULL, NULL, NULL, 0);
    else (void)malloc_trim(0);
}

static void append(void *to, const char *text) { buf_add_span(to, span_str(text)); }

void memory_describe(struct buf *to)
{
    if (malloc_stats_print) {
        malloc_stats_print(append, to, NULL);
        return;
    }
    const struct mallinfo2 info = mallinfo2();
    buf_printf(to, "libc: %zu bytes in use, %zu free in its heap of %zu, %zu in %zu mappings of their own\n",
               info.uordblks, info.fordblks, info.arena, info.hblkhd, info.hblks);
}

size_t memory_used(void)
{
    if (__sanitizer_get_current_allocated_bytes) return __sanitizer_get_current_allocated_bytes();
    if (mallctl) {
        uint64_t epoch = 1;
        size_t n = sizeof epoch;
        (void)mallctl("epoch", &epoch, &n, &epoch, n); /* the figures are a cache that this renews */
        /* What threads keep at hand for their next allocations counts as allocated there. */
        const size_t allocated = jemalloc_figure("stats.allocated"), at_hand = jemalloc_figure(ALL_AT_HAND);
        return allocated > at_hand ? allocated - at_hand : allocated;
    }
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void memory_thread_counters(const volatile uint64_t **allocated, const volatile uint64_t **freed)
{
    uint64_t *in = NULL, *out = NULL;
    size_t n = sizeof in;
    const bool counted = mallctl && mallctl("thread.allocatedp", &in, &n, NULL, 0) == 0 &&
                         mallctl("thread.deallocatedp", &out, &n, NULL, 0) == 0;
    *allocated = counted ? in : NULL;
    *freed = counted ? out : NULL;
}
