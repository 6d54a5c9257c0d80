/* Streams of an RDB file, whole and in parts. */
#include <endian.h>

#include "common/rdb_write.h"
#include "common/types/stream.h"

static void put_id(struct buf *out, struct stream_id id)
{
    rdb_put_length(out, id.ms);
    rdb_put_length(out, id.seq);
}

/* An ID as the 16 bytes that Redis's trees have it in. */
void rdb_put_raw_id(struct buf *out, struct stream_id id)
{
    const uint64_t be[] = {htobe64(id.ms), htobe64(id.seq)};
    buf_add(out, be, sizeof be);
}

void rdb_put_stream_node(struct buf *out, struct stream_id id, struct span listpack)
{
    rdb_put_length(out, STREAM_ID_BYTES);
    rdb_put_raw_id(out, id);
    rdb_put_raw(out, listpack);
}

void rdb_put_stream_marks(struct buf *out, const struct stream *s)
{
    const struct stream_marks *m = stream_marks(s);
    rdb_put_length(out, stream_size(s));
    put_id(out, m->last);
    put_id(out, m->first);
    put_id(out, m->max_deleted);
    rdb_put_length(out, m->added);
    rdb_put_length(out, stream_groups_of(s)->count);
}

void rdb_put_group_head(struct buf *out, const struct stream_group *g)
{
    rdb_put_string(out, g->name);
    put_id(out, g->last);
    rdb_put_length(out, (uint64_t)g->read);
    rdb_put_length(out, g->pending.size);
}

void rdb_put_pending(struct buf *out, struct stream_id id, const struct stream_pending *p)
{
    rdb_put_raw_id(out, id);
    rdb_put_u64le(out, (uint64_t)p->delivered_ms);
    rdb_put_length(out, p->deliveries);
}

void rdb_put_consumer_head(struct buf *out, const struct stream_consumer *c)
{
    rdb_put_string(out, c->name);
    rdb_put_u64le(out, (uint64_t)c->seen_ms);
    rdb_put_length(out, c->pending.size);
}

static void put_consumer(struct buf *out, const struct stream_consumer *c)
{
    rdb_put_consumer_head(out, c);
    for (struct stream_id id = STREAM_ID_ZERO; stream_pending_from(&c->pending, &id);) {
        rdb_put_raw_id(out, id);
        if (!stream_id_increment(&id)) break;
    }
}

void rdb_put_group(struct buf *out, const struct stream_group *g)
{
    const struct stream_pending *p;
    rdb_put_group_head(out, g);
    for (struct stream_id id = STREAM_ID_ZERO; (p = stream_pending_from(&g->pending, &id));) {
        rdb_put_pending(out, id, p);
        if (!stream_id_increment(&id)) break;
    }
    rdb_put_length(out, g->consumer_count);
    for (size_t i = 0; i < g->consumer_count; i++) put_consumer(out, g->consumers[i]);
}

static void put_node(void *context, struct stream_id id, struct span listpack)
{
    rdb_put_stream_node(context, id, listpack);
}

void rdb_put_stream(struct buf *out, const struct stream *s)
{
    const struct stream_groups *groups = stream_groups_of(s);
    rdb_put_length(out, stream_nodes(s));
    stream_each_node(s, put_node, out);
    rdb_put_stream_marks(out, s);
    for (size_t i = 0; i < groups->count; i++) rdb_put_group(out, groups->list[i]);
}
