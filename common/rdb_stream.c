#include "common/rdb_stream.h"

#include "common/mem.h"

/* What one stream is read with. */
struct load {
    struct rdb_reader *in;
    struct buf *string;
    unsigned version;
    struct stream *stream;
};

static enum err damaged(struct load *l, const char *what)
{
    return rdb_fail(l->in, ERR_CORRUPT, "a damaged stream: %s", what);
}

static enum err read_id(struct load *l, struct stream_id *id)
{
    TRY(rdb_read_number(l->in, &id->ms));
    return rdb_read_number(l->in, &id->seq);
}

static struct stream_id id_of_bytes(struct span s)
{
    struct cursor c = cursor_of(s);
    struct stream_id id = STREAM_ID_ZERO;
    (void)(take_u64be(&c, &id.ms) && take_u64be(&c, &id.seq));
    return id;
}

static enum err read_raw_id(struct load *l, struct stream_id *id)
{
    char bytes[STREAM_ID_BYTES];
    TRY(rdb_read(l->in, bytes, sizeof bytes));
    *id = id_of_bytes(span_of(bytes, sizeof bytes));
    return ERR_OK;
}

static enum err load_node(struct load *l)
{
    TRY(rdb_read_string(l->in, l->string));
    if (l->string->len != STREAM_ID_BYTES) return damaged(l, "an ID that is none");
    const struct stream_id id = id_of_bytes(buf_span(l->string));
    TRY(rdb_read_blob(l->in, l->string));
    if (!lp_valid(l->string->p, l->string->len)) return damaged(l, "a listpack");
    if (!stream_append_node(l->stream, id, (lp_t *)l->string->p)) return damaged(l, "a node");
    *l->string = (struct buf){0};
    return ERR_OK;
}

/* Counters are signed numbers in commands and in the log; what could not stand there is brought to the nearest that can. */
static uint64_t counted(uint64_t v, uint64_t least)
{
    if (v > INT64_MAX) return INT64_MAX;
    return v < least ? least : v;
}

static enum err load_marks(struct load *l)
{
    struct stream_marks m = {0};
    struct stream_id first;
    uint64_t size;
    const struct stream_id highest = stream_marks(l->stream)->last;
    TRY(rdb_read_number(l->in, &size));
    if (size != stream_size(l->stream)) return damaged(l, "another number of entries");
    TRY(read_id(l, &m.last));
    if (stream_id_cmp(m.last, highest) < 0) return damaged(l, "an entry above the last ID");
    m.added = size;
    if (l->version >= 2) {
        TRY(read_id(l, &first)); /* what it is stands in the nodes */
        TRY(read_id(l, &m.max_deleted));
        TRY(rdb_read_number(l->in, &m.added));
        m.added = counted(m.added, size);
    }
    stream_set_marks(l->stream, &m);
    return ERR_OK;
}

/* A pending entry of the group waits here, without a consumer, until its consumer names it. */
static enum err load_group_pending(struct load *l, struct radix *waiting)
{
    uint64_t n;
    TRY(rdb_read_count(l->in, &n));
    for (; n > 0; n--) {
        struct stream_id id;
        struct stream_pending p = {0};
        uint64_t ms;
        TRY(read_raw_id(l, &id));
        TRY(rdb_read_u64le(l->in, &ms));
        TRY(rdb_read_number(l->in, &p.deliveries));
        p.delivered_ms = (int64_t)ms;
        p.deliveries = counted(p.deliveries, 0);
        if (radix_find(waiting, stream_id_key(id))) return damaged(l, "an entry that is pending twice");
        (void)radix_put(waiting, stream_id_key(id), mem_dup(&p, sizeof p));
    }
    return ERR_OK;
}

static enum err load_consumer(struct load *l, struct stream_group *g, struct radix *waiting)
{
    uint64_t seen, active, n;
    TRY(rdb_read_string(l->in, l->string));
    TRY(rdb_read_u64le(l->in, &seen));
    if (l->version >= 3) TRY(rdb_read_u64le(l->in, &active));
    struct stream_consumer *c = stream_consumer_add(g, buf_span(l->string), (int64_t)seen);
    if (!c) return damaged(l, "a consumer twice");
    TRY(rdb_read_count(l->in, &n));
    for (; n > 0; n--) {
        struct stream_id id;
        TRY(read_raw_id(l, &id));
        struct stream_pending *p = radix_take(waiting, stream_id_key(id));
        if (!p) return damaged(l, "a consumer's entry that is not pending");
        struct stream_pending *mine = stream_pending_assign(g, id, c);
        mine->delivered_ms = p->delivered_ms;
        mine->deliveries = p->deliveries;
        mem_free(p);
    }
    return ERR_OK;
}

static enum err load_members(struct load *l, struct stream_group *g, struct radix *waiting)
{
    uint64_t n;
    TRY(load_group_pending(l, waiting));
    TRY(rdb_read_count(l->in, &n));
    for (; n > 0; n--) TRY(load_consumer(l, g, waiting));
    return waiting->size ? damaged(l, "a pending entry without a consumer") : ERR_OK;
}

static enum err load_group(struct load *l)
{
    struct stream_id last;
    struct radix waiting = {0};
    struct buf name = {0};
    uint64_t read = 0;
    enum err e = rdb_read_string(l->in, &name);
    if (!e) e = read_id(l, &last);
    if (!e && l->version >= 2) e = rdb_read_number(l->in, &read);
    if (e) {
        buf_free(&name);
        return e;
    }
    int64_t known = l->version >= 2 ? (int64_t)read : stream_position(l->stream, last);
    if (known < 0) known = STREAM_READ_UNKNOWN;
    struct stream_group *g = stream_groups_add(stream_groups(l->stream), buf_span(&name), last, known);
    buf_free(&name);
    e = g ? load_members(l, g, &waiting) : damaged(l, "a group twice");
    radix_clear(&waiting, mem_free);
    return e;
}

enum err rdb_read_stream(struct rdb_reader *r, struct buf *scratch, unsigned version, struct stream *s)
{
    struct load l = {.in = r, .string = scratch, .version = version, .stream = s};
    uint64_t n;
    TRY(rdb_read_count(r, &n));
    for (; n > 0; n--) TRY(load_node(&l));
    TRY(load_marks(&l));
    TRY(rdb_read_count(r, &n));
    for (; n > 0; n--) TRY(load_group(&l));
    return ERR_OK;
}
