/* What the process takes of the machine's memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct memory_use {
    size_t used;     /* allocated by us */
    size_t active;   /* the allocator's pages with anything in them */
    size_t held;     /* what the allocator has of the system */
    size_t resident; /* by the kernel's count */
    size_t system;   /* of the whole machine */
    const char *allocator;
};

void memory_use(struct memory_use *m);

/* Give back to the system what the allocator has and nobody uses. */
void memory_purge(void);
/* The allocator's own account, for people; appended to @to. */
struct buf;
void memory_describe(struct buf *to);

/* `used` alone; some microseconds. */
size_t memory_used(void);

/* What this thread has allocated and freed so far, in bytes; *allocated is NULL if nobody counts that. */
void memory_thread_counters(const volatile uint64_t **allocated, const volatile uint64_t **freed);
