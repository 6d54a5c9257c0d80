/* The name of an entry of a stream: a time in milliseconds and a number within it. */
#pragma once

#include <stdbool.h>

#include "common/radix.h"

struct stream_id {
    uint64_t ms, seq;
};

#define STREAM_ID_ZERO ((struct stream_id){0, 0})
#define STREAM_ID_MAX  ((struct stream_id){UINT64_MAX, UINT64_MAX})

enum { STREAM_ID_BYTES = 16 }; /* as it stands in files: big endian, ms first */

static inline int stream_id_cmp(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms) return a.ms < b.ms ? -1 : 1;
    return (a.seq > b.seq) - (a.seq < b.seq);
}

static inline bool stream_id_is_zero(struct stream_id id) { return id.ms == 0 && id.seq == 0; }

static inline struct radix_key stream_id_key(struct stream_id id) { return (struct radix_key){id.ms, id.seq}; }

static inline struct stream_id stream_id_of_key(struct radix_key key) { return (struct stream_id){key.hi, key.lo}; }

/* The next ID, or the one before; false (and *id unchanged) where there is none. */
static inline bool stream_id_increment(struct stream_id *id)
{
    if (id->seq == UINT64_MAX && id->ms == UINT64_MAX) return false;
    if (++id->seq == 0) id->ms++;
    return true;
}

static inline bool stream_id_decrement(struct stream_id *id)
{
    if (stream_id_is_zero(*id)) return false;
    if (id->seq-- == 0) id->ms--;
    return true;
}
