/* Writing one large key of an RDB file in parts: what comes before its elements, and some of them at a time. The whole of a
 * key, and of a file, is rdb.h's. */
#pragma once

#include "common/rdb.h"
#include "common/types/stream_groups.h"

/* A key up to its value: expiry time, kind, name. */
void rdb_put_key(struct buf *out, const struct entry *e);

/* A number of elements, as it stands before them. */
void rdb_put_length(struct buf *out, uint64_t n);

/* What stands between the name and that number: for a hash with fields that expire, a time that none of them precedes. Returns
 * it for rdb_put_elements(); INT64_MAX if nothing stands there. */
int64_t rdb_put_first_time(struct buf *out, const struct entry *e);

/* The chosen elements (htable.h) of a set, hash or sorted set in a table; returns how many. */
uint64_t rdb_put_elements(struct buf *out, enum type type, const void *object, int64_t first_ms,
                          const struct htable_choice *c);

/* Strings: as they are, or as short as an integer may be written. */
void rdb_put_raw(struct buf *out, struct span s);
void rdb_put_string(struct buf *out, struct span s);
void rdb_put_u64le(struct buf *out, uint64_t v);

/* One node of a list, which is its number of nodes and these in order; @out: a struct buf. */
void rdb_put_list_node(void *out, struct span bytes, bool plain);

/* A stream is its number of nodes, the nodes in order, the marks (which end in the number of groups), the groups. */
void rdb_put_stream(struct buf *out, const struct stream *s);
void rdb_put_stream_node(struct buf *out, struct stream_id id, struct span listpack);
void rdb_put_stream_marks(struct buf *out, const struct stream *s);

/* A group is its head, what is pending in it in any order, its number of consumers, the consumers. */
void rdb_put_group(struct buf *out, const struct stream_group *g);
void rdb_put_group_head(struct buf *out, const struct stream_group *g);
void rdb_put_pending(struct buf *out, struct stream_id id, const struct stream_pending *p);
/* A consumer is its head and the IDs that are pending for it, in any order. */
void rdb_put_consumer_head(struct buf *out, const struct stream_consumer *c);
void rdb_put_raw_id(struct buf *out, struct stream_id id);
