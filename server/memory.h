/* What the process takes of the machine's memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct memory_use {
    size_t used;     /* allocated by us */
    size_t active;   /* the allocator's pages with anything in them; 0: unknown */
    size_t resident; /* by the kernel's count */
    size_t system;   /* of the whole machine */
    const char *allocator;
};

void memory_use(struct memory_use *m);

/* `used` alone; some microseconds. */
size_t memory_used(void);

/* What this thread has allocated and freed so far, in bytes; *allocated is NULL if nobody counts that. */
void memory_thread_counters(const volatile uint64_t **allocated, const volatile uint64_t **freed);
