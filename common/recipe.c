#include "common/recipe.h"

#include <math.h>
#include <stdio.h>

#include "common/types/hash_expiry.h"
#include "common/types/list.h"
#include "common/types/set.h"
#include "common/types/stream.h"
#include "common/types/zset.h"

enum { ARGS_MAX = 2 + 2 * 64, BYTES_MAX = 64 << 10 };

/* A command that is being put together. Its arguments are copied: what a walk over a collection gives does not last. */
struct recipe {
    recipe_step *step;
    void *context;
    struct errmsg *m;
    enum err error;                    /* the first one; nothing follows it */
    struct span name, subcommand, key; /* subcommand: may be empty */
    struct buf bytes;
    size_t ends[ARGS_MAX]; /* of the arguments in `bytes` */
    size_t count;
};

static void begin(struct recipe *r, struct span name)
{
    r->name = name;
    r->subcommand = span_of(NULL, 0);
    r->bytes.len = 0;
    r->count = 0;
}

static void begin_xgroup(struct recipe *r, struct span subcommand)
{
    begin(r, SPAN("XGROUP"));
    r->subcommand = subcommand;
}

static void add(struct recipe *r, struct span argument)
{
    buf_add_span(&r->bytes, argument);
    r->ends[r->count++] = r->bytes.len;
}

static void add_id(struct recipe *r, struct stream_id id)
{
    char text[2 * NUM_I64_MAX_TEXT + 2];
    size_t n = num_format_u64(text, id.ms);
    text[n++] = '-';
    n += num_format_u64(text + n, id.seq);
    add(r, span_of(text, n));
}

static void add_number(struct recipe *r, int64_t v)
{
    char text[NUM_I64_MAX_TEXT];
    add(r, span_of(text, num_format_i64(text, v)));
}

static void end(struct recipe *r)
{
    struct span argv[3 + ARGS_MAX] = {r->name};
    size_t from = 0, argc = 1;
    if (r->subcommand.n) argv[argc++] = r->subcommand;
    argv[argc++] = r->key;
    for (size_t i = 0; i < r->count; i++) {
        argv[argc++] = span_of(r->bytes.p + from, r->ends[i] - from);
        from = r->ends[i];
    }
    if (!r->error) r->error = r->step(r->context, argv, argc, r->m);
    r->count = r->bytes.len = 0;
}

/* The command is long enough: it ends, and another one of the same name begins. */
static void end_if_long(struct recipe *r)
{
    if (r->count + 2 > ARGS_MAX - 2 || r->bytes.len > BYTES_MAX) end(r);
}

static void end_if_begun(struct recipe *r)
{
    if (r->count) end(r);
}

static void tell_member(void *context, struct span member)
{
    struct recipe *r = context;
    add(r, member);
    end_if_long(r);
}

static void tell_pair(void *context, struct span field, struct span value)
{
    struct recipe *r = context;
    add(r, field);
    add(r, value);
    end_if_long(r);
}

static void tell_list(struct recipe *r, const struct list *l)
{
    struct list_iter i;
    struct span element;
    char scratch[NUM_I64_MAX_TEXT];
    begin(r, SPAN("RPUSH"));
    list_iter_begin(&i, l, 0, false);
    while (list_iter_next(&i, &element, scratch)) tell_member(r, element);
    end_if_begun(r);
}

static void tell_zset(struct recipe *r, const struct zset *z)
{
    struct zset_iter i;
    struct span member;
    double score;
    char scratch[NUM_I64_MAX_TEXT], text[NUM_DOUBLE_MAX_TEXT];
    begin(r, SPAN("ZADD"));
    zset_iter_begin(&i, z, 0, false);
    while (zset_iter_next(&i, &member, &score, scratch)) {
        /* Where a table keeps the sign of a zero, the digest of a Redis knows it. */
        const bool minus_zero = score == 0 && signbit(score);
        tell_pair(r, minus_zero ? SPAN("-0") : span_of(text, num_format_double(text, score)), member);
    }
    end_if_begun(r);
}

/* One entry of a stream, however many fields it has: they do not fit into the other commands' room. */
static void tell_entry(struct recipe *r, struct stream_iter *i, struct stream_id id, uint64_t fields)
{
    struct buf bytes = {0}, spans = {0};
    struct span field, value;
    char scratch[NUM_I64_MAX_TEXT], scratch2[NUM_I64_MAX_TEXT], text[2 * NUM_I64_MAX_TEXT + 2];
    const int n = snprintf(text, sizeof text, "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
    const size_t argc = 3 + 2 * (size_t)fields;
    struct span *argv = (struct span *)(void *)buf_room(&spans, argc * sizeof *argv);
    argv[0] = SPAN("XADD");
    argv[1] = r->key;
    argv[2] = span_of(text, (size_t)n);
    for (size_t at = 3; at < argc && stream_iter_field(i, &field, &value, scratch, scratch2); at += 2) {
        /* Where they begin is known at the end: the buffer moves while it grows. */
        argv[at] = span_of(NULL, field.n);
        argv[at + 1] = span_of(NULL, value.n);
        buf_add_span(&bytes, field);
        buf_add_span(&bytes, value);
    }
    const char *p = bytes.p;
    for (size_t at = 3; at < argc; p += argv[at++].n) argv[at].p = p;
    if (!r->error) r->error = r->step(r->context, argv, argc, r->m);
    buf_free(&bytes);
    buf_free(&spans);
}

static void tell_pending(struct recipe *r, struct span group, struct stream_id id, const struct stream_pending *p)
{
    begin(r, SPAN("XCLAIM"));
    add(r, group);
    add(r, p->consumer->name);
    add(r, SPAN("0"));
    add_id(r, id);
    add(r, SPAN("TIME"));
    add_number(r, p->delivered_ms);
    add(r, SPAN("RETRYCOUNT"));
    add_number(r, (int64_t)p->deliveries);
    add(r, SPAN("JUSTID"));
    add(r, SPAN("FORCE"));
    end(r);
}

static void tell_group(struct recipe *r, const struct stream_group *g)
{
    begin_xgroup(r, SPAN("CREATE"));
    add(r, g->name);
    add_id(r, g->last);
    add(r, SPAN("ENTRIESREAD"));
    add_number(r, g->read);
    end(r);
    for (size_t i = 0; i < g->consumer_count; i++) {
        begin_xgroup(r, SPAN("CREATECONSUMER"));
        add(r, g->name);
        add(r, g->consumers[i]->name);
        end(r);
    }
    const struct stream_pending *p;
    for (struct stream_id id = STREAM_ID_ZERO; (p = stream_pending_from(&g->pending, &id));) {
        tell_pending(r, g->name, id, p);
        if (!stream_id_increment(&id)) break;
    }
}

/* A stream without entries exists only by having had something. */
static void tell_empty(struct recipe *r)
{
    static const char name[] = "relevo";
    begin_xgroup(r, SPAN("CREATE"));
    add(r, SPAN(name));
    add(r, SPAN("0"));
    add(r, SPAN("MKSTREAM"));
    end(r);
    begin_xgroup(r, SPAN("DESTROY"));
    add(r, SPAN(name));
    end(r);
}

static void tell_stream(struct recipe *r, const struct stream *s)
{
    struct stream_iter i;
    struct stream_id id;
    uint64_t fields;
    const struct stream_marks *marks = stream_marks(s);
    const struct stream_groups *groups = stream_groups_of(s);
    if (stream_size(s) == 0) tell_empty(r);
    stream_iter_begin(&i, s, STREAM_ID_ZERO, STREAM_ID_MAX, false);
    while (stream_iter_next(&i, &id, &fields)) tell_entry(r, &i, id, fields);
    begin(r, SPAN("XSETID"));
    add_id(r, marks->last);
    add(r, SPAN("ENTRIESADDED"));
    add_number(r, (int64_t)marks->added);
    add(r, SPAN("MAXDELETEDID"));
    /* A damaged snapshot may say that more was deleted than was ever added, which no command can. */
    add_id(r, stream_id_cmp(marks->max_deleted, marks->last) > 0 ? marks->last : marks->max_deleted);
    end(r);
    for (size_t k = 0; k < groups->count; k++) tell_group(r, groups->list[k]);
}

static void tell_string(struct recipe *r, const struct entry *e)
{
    char scratch[NUM_I64_MAX_TEXT];
    begin(r, SPAN("SET"));
    add(r, entry_string(e, scratch));
    if (entry_expiry(e) != NO_EXPIRY) {
        add(r, SPAN("PXAT"));
        add_number(r, entry_expiry(e));
    }
    end(r);
}

static void tell_set(struct recipe *r, const struct set *s)
{
    begin(r, SPAN("SADD"));
    set_each(s, tell_member, r);
    end_if_begun(r);
}

static void tell_field_time(void *context, struct span field, struct span value, int64_t expiry)
{
    struct recipe *r = context;
    (void)value;
    if (expiry == FIELD_STAYS) return;
    begin(r, SPAN("HPEXPIREAT"));
    add_number(r, expiry);
    add(r, SPAN("FIELDS"));
    add(r, SPAN("1"));
    add(r, field);
    end(r);
}

static void tell_hash(struct recipe *r, const struct hash *h)
{
    begin(r, SPAN("HSET"));
    hash_each(h, tell_pair, r);
    end_if_begun(r);
    if (hash_timed_fields(h)) hash_each_timed(h, tell_field_time, r);
}

enum err recipe_of(const struct entry *e, recipe_step *step, void *context, struct errmsg *m)
{
    struct recipe r = {.step = step, .context = context, .m = m, .key = entry_key(e)};
    switch (entry_type(e)) {
    case TYPE_STRING: tell_string(&r, e); break;
    case TYPE_LIST: tell_list(&r, entry_object(e)); break;
    case TYPE_SET: tell_set(&r, entry_object(e)); break;
    case TYPE_ZSET: tell_zset(&r, entry_object(e)); break;
    case TYPE_HASH: tell_hash(&r, entry_object(e)); break;
    case TYPE_STREAM: tell_stream(&r, entry_object(e)); break;
    case TYPE_COUNT: break;
    }
    if (entry_type(e) != TYPE_STRING && entry_expiry(e) != NO_EXPIRY) {
        begin(&r, SPAN("PEXPIREAT"));
        add_number(&r, entry_expiry(e));
        end(&r);
    }
    buf_free(&r.bytes);
    return r.error;
}
