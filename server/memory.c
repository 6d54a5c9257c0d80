#include "server/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* jemalloc's, if that is what the program was linked with. */
extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size) __attribute__((weak));

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
    if (mallctl) {
        uint64_t epoch = 1;
        size_t n = sizeof epoch;
        (void)mallctl("epoch", &epoch, &n, &epoch, n); /* the figures are a cache that this renews */
        m->used = jemalloc_figure("stats.allocated");
        m->active = jemalloc_figure("stats.active");
        m->allocator = "jemalloc";
        return;
    }
    const struct mallinfo2 info = mallinfo2();
    m->used = info.uordblks + info.hblkhd;
    m->allocator = "libc";
}
