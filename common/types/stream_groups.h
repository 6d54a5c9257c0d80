/* Groups of consumers that share the reading of a stream.
 *
 * A group knows how far it has read, and which entries were given to whom and are not acknowledged yet: the pending
 * ones. Each of them stands in two trees, the group's and its consumer's, under the entry's ID. Groups and consumers
 * are few and kept sorted by name. Not thread-safe. */
#pragma once

#include "common/span.h"
#include "common/types/stream_id.h"

struct stream_consumer {
    struct radix pending; /* of struct stream_pending, owned by the group */
    int64_t seen_ms;      /* when it was last heard of; says nothing about the data */
    struct span name;     /* behind the struct */
};

struct stream_pending {
    struct stream_consumer *consumer;
    int64_t delivered_ms;
    uint64_t deliveries; /* at most INT64_MAX, as it is logged, and read back, as a signed number */
};

/* It is given out once more. */
static inline void stream_pending_count(struct stream_pending *p) { p->deliveries += p->deliveries < INT64_MAX; }

/* Who watches what is pending in a group (watch.h). */
struct pending_watch {
    /* The entry is about to change or to go; NULL: to come. */
    void (*before)(struct pending_watch *w, struct stream_id id, const struct stream_pending *p);
    bool left; /* the group was destroyed; it is the watch's, to be freed by stream_group_free() */
};

enum { STREAM_READ_UNKNOWN = -1 };

struct stream_group {
    struct stream_id last; /* the last ID that was given out */
    int64_t read;          /* entries given out since the stream began, 0 or more, or STREAM_READ_UNKNOWN */
    struct radix pending;
    struct stream_consumer **consumers; /* sorted by name */
    size_t consumer_count;
    struct pending_watch *watch; /* NULL: nobody; borrowed */
    struct span name;            /* behind the struct */
};
void stream_group_free(struct stream_group *g); /* one that is in no stream any more */

/* Zero-initialised is empty and valid. */
struct stream_groups {
    struct stream_group **list; /* sorted by name */
    size_t count;
};

void stream_groups_clear(struct stream_groups *g);
void stream_groups_dup(struct stream_groups *to, const struct stream_groups *from); /* @to is empty */
size_t stream_groups_bytes(const struct stream_groups *g);
void stream_groups_check(const struct stream_groups *g);

/* NULL if there is none. */
struct stream_group *stream_groups_find(const struct stream_groups *g, struct span name);
/* NULL if there is one already. */
struct stream_group *stream_groups_add(struct stream_groups *g, struct span name, struct stream_id last,
                                       int64_t read);
bool stream_groups_remove(struct stream_groups *g, struct span name);

struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct span name);
struct stream_consumer *stream_consumer_add(struct stream_group *g, struct span name, int64_t seen_ms);
/* Remove a consumer with its pending entries; returns how many these were. */
uint64_t stream_consumer_remove(struct stream_group *g, struct stream_consumer *c);

/* To be called before a pending entry is changed in place; the functions here do it themselves. */
void stream_pending_before_change(const struct stream_group *g, struct stream_id id, const struct stream_pending *p);
struct stream_pending *stream_pending_find(const struct stream_group *g, struct stream_id id);
/* Make the entry pending for @c, whoever had it; times and numbers stay (0 if it was not pending). */
struct stream_pending *stream_pending_assign(struct stream_group *g, struct stream_id id, struct stream_consumer *c);
/* Acknowledge; false if it was not pending. */
bool stream_pending_remove(struct stream_group *g, struct stream_id id);

/* Walk over pending entries, of a group or a consumer: the next at or after *id, which is set; NULL at the end. */
struct stream_pending *stream_pending_from(const struct radix *pending, struct stream_id *id);
