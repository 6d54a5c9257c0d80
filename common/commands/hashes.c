/* Commands on hashes. */
#include <math.h>

#include "common/commands/collection_scan.h"
#include "common/commands/commands.h"
#include "common/commands/hash_fields.h"
#include "common/commands/sampling.h"
#include "common/mem.h"
#include "common/types/set.h"

/* Set the pairs from argv[2] on; false if the key is no hash or the last value is missing, which was replied. */
static bool set_pairs(struct call *c, uint64_t *added)
{
    struct entry *e;
    if (c->argc % 2) {
        reply_error(c->reply, "ERR wrong number of arguments for '%s' command", c->command->name);
        return false;
    }
    const size_t pairs = c->argc / 2 - 1;
    if (!hash_fields_write(c, ARGUMENTS(2, pairs, 2), &e)) return false;
    struct hash *h = hash_fields_make(c, &e);
    *added = 0;
    for (size_t i = 2; i < c->argc; i += 2) *added += hash_set(h, c->argv[i], c->argv[i + 1], call_limits(c));
    hash_fields_changed(c, "hset", e, pairs);
    return true;
}

static void hset(struct call *c)
{
    uint64_t added;
    if (set_pairs(c, &added)) reply_int(c->reply, (int64_t)added);
}

static void hmset(struct call *c)
{
    uint64_t added;
    if (set_pairs(c, &added)) reply_ok(c->reply);
}

static void hsetnx(struct call *c)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct entry *e;
    struct span old;
    if (!hash_fields_write(c, ARGUMENTS(2, 1, 1), &e)) return;
    const bool there = e && hash_get(entry_object(e), c->argv[2], &old, scratch);
    if (!there) {
        (void)hash_set(hash_fields_make(c, &e), c->argv[2], c->argv[3], call_limits(c));
        hash_fields_changed(c, "hset", e, 1);
    }
    reply_int(c->reply, !there);
}

static void hdel(struct call *c)
{
    struct entry *e;
    if (!hash_fields_write(c, ARGUMENTS(2, c->argc - 2, 1), &e)) return;
    uint64_t removed = 0;
    for (size_t i = 2; e && i < c->argc; i++) removed += hash_remove(entry_object(e), c->argv[i]);
    if (removed) hash_fields_changed(c, "hdel", e, removed);
    reply_int(c->reply, (int64_t)removed);
}

/* --- Reading --------------------------------------------------------------------------------------------------- */

static void reply_field(struct call *c, const struct entry *e, struct span field)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct span value;
    if (hash_fields_get(c, e, field, &value, scratch)) reply_bulk(c->reply, value);
    else reply_null(c->reply);
}

static void hget(struct call *c)
{
    struct entry *e;
    if (hash_fields_read(c, &e)) reply_field(c, e, c->argv[2]);
}

static void hmget(struct call *c)
{
    struct entry *e;
    if (!hash_fields_read(c, &e)) return;
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) reply_field(c, e, c->argv[i]);
}

/* The value's length, or -1 if there is no such field; false: an error was replied. */
static bool field_length(struct call *c, int64_t *length)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct entry *e;
    struct span value;
    if (!hash_fields_read(c, &e)) return false;
    *length = hash_fields_get(c, e, c->argv[2], &value, scratch) ? (int64_t)value.n : -1;
    return true;
}

static void hexists(struct call *c)
{
    int64_t length;
    if (field_length(c, &length)) reply_int(c->reply, length >= 0);
}

static void hstrlen(struct call *c)
{
    int64_t length;
    if (field_length(c, &length)) reply_int(c->reply, length >= 0 ? length : 0);
}

/* Dead fields that are yet to be deleted count, as in Redis. */
static void hlen(struct call *c)
{
    struct entry *e;
    if (!hash_fields_read(c, &e)) return;
    reply_int(c->reply, e ? (int64_t)hash_size(entry_object(e)) : 0);
}

static void reply_key_only(void *context, struct span field, struct span value)
{
    (void)value;
    reply_bulk(context, field);
}

static void reply_value_only(void *context, struct span field, struct span value)
{
    (void)field;
    reply_bulk(context, value);
}

static void reply_both(void *context, struct span field, struct span value)
{
    reply_bulk(context, field);
    reply_bulk(context, value);
}

static void reply_all(struct call *c, void (*head)(struct reply *r, size_t n), hash_visit *visit)
{
    struct entry *e;
    if (!hash_fields_read(c, &e)) return;
    head(c->reply, e ? hash_live(entry_object(e), call_fields_now(c)) : 0);
    if (e) hash_each_live(entry_object(e), call_fields_now(c), visit, c->reply);
}

static void hgetall(struct call *c) { reply_all(c, reply_map, reply_both); }
static void hkeys(struct call *c) { reply_all(c, reply_array, reply_key_only); }
static void hvals(struct call *c) { reply_all(c, reply_array, reply_value_only); }

/* --- Counting -------------------------------------------------------------------------------------------------- */

/* Store a sum in a field, which keeps its expiry time. */
static void put_sum(struct call *c, struct entry *e, const char *event, struct span sum)
{
    struct hash *h = hash_fields_make(c, &e);
    int64_t expiry;
    (void)hash_expiry(h, c->argv[2], &expiry);
    (void)hash_set_timed(h, c->argv[2], sum, expiry, call_limits(c));
    hash_fields_changed(c, event, e, 1);
}

static void hincrby(struct call *c)
{
    char text[NUM_I64_MAX_TEXT];
    struct entry *e;
    struct span old;
    int64_t by, v = 0;
    if (!call_int(c, c->argv[3], &by) || !hash_fields_write(c, ARGUMENTS(2, 1, 1), &e)) return;
    if (e && hash_get(entry_object(e), c->argv[2], &old, text) && !num_parse_i64(old, &v)) {
        reply_error(c->reply, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(v, by, &v)) {
        reply_error(c->reply, "ERR increment or decrement would overflow");
        return;
    }
    put_sum(c, e, "hincrby", span_of(text, num_format_i64(text, v)));
    reply_int(c->reply, v);
}

/* Read the increment and find the hash and its old number; false: an error was replied. */
static bool float_operands(struct call *c, struct entry **e, long double *v, long double *by)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct span old;
    *v = 0;
    if (!num_parse_long_double(c->argv[3], by)) {
        reply_not_a_float(c->reply);
        return false;
    }
    if (isinf(*by)) {
        reply_error(c->reply, "ERR value is NaN or Infinity");
        return false;
    }
    if (!hash_fields_write(c, ARGUMENTS(2, 1, 1), e)) return false;
    if (*e && hash_get(entry_object(*e), c->argv[2], &old, scratch) && !num_parse_long_double(old, v)) {
        reply_error(c->reply, "ERR hash value is not a float");
        return false;
    }
    return true;
}

/* Another machine may round otherwise: the log says the sum, and the expiry time that setting it clears. */
static void log_sum(struct call *c, const struct entry *e, struct span sum)
{
    const struct span key = c->argv[1], field = c->argv[2];
    char text[NUM_I64_MAX_TEXT];
    int64_t expiry = FIELD_STAYS;
    CALL_EFFECT(c, SPAN("HSET"), key, field, sum);
    if (!e || !hash_expiry(entry_object(e), field, &expiry) || expiry == FIELD_STAYS) return;
    CALL_EFFECT(c, SPAN("HPEXPIREAT"), key, span_of(text, num_format_i64(text, expiry)), SPAN("FIELDS"), SPAN("1"),
                field);
}

static void hincrbyfloat(struct call *c)
{
    char text[NUM_LONG_DOUBLE_MAX_TEXT];
    struct entry *e;
    long double v, by;
    if (!float_operands(c, &e, &v, &by)) return;
    v += by;
    if (isnan(v) || isinf(v)) {
        reply_error(c->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    const struct span sum = span_of(text, num_format_long_double(text, v));
    log_sum(c, e, sum);
    put_sum(c, e, "hincrbyfloat", sum);
    reply_bulk(c->reply, sum);
}

/* --- HRANDFIELD ------------------------------------------------------------------------------------------------ */

struct draw {
    struct call *call;
    bool with_values;
    struct sampler sampler;
    struct buf field, value; /* of the pair that was drawn last */
};

static void reply_pair(const struct draw *d, struct span field, struct span value)
{
    struct reply *r = d->call->reply;
    if (d->with_values && r->resp == 3) reply_array(r, 2);
    reply_bulk(r, field);
    if (d->with_values) reply_bulk(r, value);
}

/* Pairs are pairs in RESP3, and stand one behind the other in RESP2. */
static void reply_pairs_head(const struct draw *d, uint64_t n)
{
    reply_array(d->call->reply, d->with_values && d->call->reply->resp != 3 ? 2 * n : n);
}

static void draw_one(struct draw *d, const struct hash *h)
{
    d->field.len = d->value.len = 0;
    hash_random_live(h, call_fields_now(d->call), call_random, d->call, &d->field, d->with_values ? &d->value : NULL);
}

static void reply_sampled(void *context, struct span field, struct span value)
{
    struct draw *d = context;
    if (sampler_takes(&d->sampler)) reply_pair(d, field, value);
}

/* Draw @count different pairs of many, one by one. */
static void draw_different(struct draw *d, const struct hash *h, uint64_t count)
{
    struct set *seen = set_new(call_hash_key(d->call));
    while (set_size(seen) < count) {
        draw_one(d, h);
        if (set_add(seen, buf_span(&d->field), call_limits(d->call)))
            reply_pair(d, buf_span(&d->field), buf_span(&d->value));
    }
    set_free(seen);
}

static void draw_some(struct draw *d, const struct hash *h, int64_t count)
{
    const uint64_t size = h ? hash_live(h, call_fields_now(d->call)) : 0;
    if (size == 0 || count == 0) {
        reply_array(d->call->reply, 0);
    } else if (count < 0) {
        const size_t mark = d->call->reply->out->len;
        reply_pairs_head(d, (uint64_t)-count);
        for (int64_t i = count; i < 0 && !sampling_overflows(d->call, mark); i++) {
            draw_one(d, h);
            reply_pair(d, buf_span(&d->field), buf_span(&d->value));
        }
    } else {
        const uint64_t n = (uint64_t)count < size ? (uint64_t)count : size;
        reply_pairs_head(d, n);
        d->sampler = (struct sampler){d->call, n, size};
        if (sampling_walks(n, size)) hash_each_live(h, call_fields_now(d->call), reply_sampled, d);
        else draw_different(d, h, n);
    }
}

static void hrandfield_some(struct call *c)
{
    struct draw d = {.call = c, .with_values = c->argc == 4};
    struct entry *e;
    int64_t count;
    if (!sampling_count(c, c->argv[2], &count)) return;
    if (c->argc > 4 || (d.with_values && !span_is(c->argv[3], "WITHVALUES"))) {
        reply_syntax_error(c->reply);
        return;
    }
    if (d.with_values && !sampling_of_pairs(c, count)) return;
    if (!hash_fields_read(c, &e)) return;
    if (e && !sampling_fits(c, count)) return;
    draw_some(&d, e ? entry_object(e) : NULL, count);
    buf_free(&d.field);
    buf_free(&d.value);
}

static void hrandfield(struct call *c)
{
    struct entry *e;
    if (c->argc > 2) {
        hrandfield_some(c);
        return;
    }
    if (!hash_fields_read(c, &e)) return;
    if (!e || hash_live(entry_object(e), call_fields_now(c)) == 0) {
        reply_null(c->reply);
        return;
    }
    struct buf field = {0};
    hash_random_live(entry_object(e), call_fields_now(c), call_random, c, &field, NULL);
    reply_bulk(c->reply, buf_span(&field));
    buf_free(&field);
}

static void scan_pair(void *context, struct span field, struct span value)
{
    struct scan_walk *w = context;
    if (scan_wants(w, field)) reply_both(&w->into, field, value);
}

static void hscan(struct call *c)
{
    struct scan_walk w;
    struct entry *e;
    if (!scan_begin(c, TYPE_HASH, &e, &w)) return;
    do w.at = hash_scan_live(entry_object(e), w.at, call_fields_now(c), scan_pair, &w);
    while (scan_goes_on(&w));
    scan_end(c, &w, 2);
}

#define ANY_ORDER "nondeterministic_output_order"
#define BY_CHANCE "nondeterministic_output"

const struct command hash_commands[] = {
    COMMAND("HSET", "key {field value}+", "Set fields of a hash to values; it is made if need be.", "2.0.0",
            "O(1) per field", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_HASH, KEYS(KEY_RW | KEY_UPDATE, 1), hset,
            .history = "4.0.0 Takes several fields."),
    COMMAND("HMSET", "key {field value}+", "Set fields of a hash to values (HSET does the same).", "2.0.0",
            "O(1) per field", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_HASH, KEYS(KEY_RW | KEY_UPDATE, 1), hmset,
            .deprecated = "4.0.0", .replaced_by = "`HSET`, which takes several fields too"),
    COMMAND("HSETNX", "key field value", "Set a field of a hash unless it exists.", "2.0.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_HASH, KEYS(KEY_RW | KEY_INSERT, 1), hsetnx),
    COMMAND("HGET", "key field", "Get the value of a field.", "2.0.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_HASH,
            KEYS(KEY_RO | KEY_ACCESS, 1), hget),
    COMMAND("HMGET", "key field+", "Get the values of several fields.", "2.0.0", "O(1) per field",
            CMD_READONLY | CMD_FAST, ACL_HASH, KEYS(KEY_RO | KEY_ACCESS, 1), hmget),
    COMMAND_HINTED("HGETALL", "key", "Get all fields and values of a hash.", "2.0.0", "O(N) for N fields",
                   CMD_READONLY, ACL_HASH, KEYS(KEY_RO | KEY_ACCESS, 1), hgetall, ANY_ORDER),
    COMMAND("HDEL", "key field+", "Delete fields; an empty hash is deleted.", "2.0.0", "O(1) per field",
            CMD_WRITE | CMD_FAST, ACL_HASH, KEYS(KEY_RW | KEY_DELETE, 1), hdel,
            .history = "2.4.0 Takes several fields."),
    COMMAND("HEXISTS", "key field", "Tell whether a field exists.", "2.0.0", "O(1)", CMD_READONLY | CMD_FAST,
            ACL_HASH, KEYS(KEY_RO, 1), hexists),
    COMMAND("HLEN", "key", "Get the number of fields.", "2.0.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_HASH,
            KEYS(KEY_RO, 1), hlen),
    COMMAND_HINTED("HKEYS", "key", "Get all fields of a hash.", "2.0.0", "O(N) for N fields", CMD_READONLY, ACL_HASH,
                   KEYS(KEY_RO | KEY_ACCESS, 1), hkeys, ANY_ORDER),
    COMMAND_HINTED("HVALS", "key", "Get all values of a hash.", "2.0.0", "O(N) for N fields", CMD_READONLY, ACL_HASH,
                   KEYS(KEY_RO | KEY_ACCESS, 1), hvals, ANY_ORDER),
    COMMAND("HINCRBY", "key field increment(integer)", "Add an integer to the number in a field.", "2.0.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_HASH, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), hincrby),
    COMMAND("HINCRBYFLOAT", "key field increment(double)", "Add a floating-point number to the number in a field.",
            "2.6.0", "O(1)", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_HASH, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1),
            hincrbyfloat),
    COMMAND("HSTRLEN", "key field", "Get the length of the value of a field.", "3.2.0", "O(1)",
            CMD_READONLY | CMD_FAST, ACL_HASH, KEYS(KEY_RO, 1), hstrlen),
    COMMAND_HINTED("HRANDFIELD", "key options=[count [WITHVALUES]]", "Get fields chosen by chance.", "6.2.0",
                   "O(N) for N fields that are returned", CMD_READONLY, ACL_HASH, KEYS(KEY_RO | KEY_ACCESS, 1),
                   hrandfield, BY_CHANCE),
    COMMAND_HINTED("HSCAN", "key cursor [MATCH pattern] [COUNT count]", "Walk over the fields of a hash in steps.",
                   "2.8.0", "O(1) per call", CMD_READONLY, ACL_HASH, KEYS(KEY_RO | KEY_ACCESS, 1), hscan, BY_CHANCE),
    COMMANDS_END,
};
