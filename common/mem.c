#include "common/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die_of_memory(size_t n) __attribute__((noreturn));
static void die_of_memory(size_t n)
{
    (void)fprintf(stderr, "relevo: out of memory while allocating %zu bytes\n", n);
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p) die_of_memory(n);
    return p;
}

void *mem_zalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p) die_of_memory(count * size);
    return p;
}

void *mem_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q) die_of_memory(n);
    return q;
}

void *mem_dup(const void *p, size_t n)
{
    void *q = mem_alloc(n);
    if (n) memcpy(q, p, n);
    return q;
}

void mem_free(void *p) { free(p); }

size_t mem_size(const void *p) { return p ? malloc_usable_size((void *)p) : 0; }
