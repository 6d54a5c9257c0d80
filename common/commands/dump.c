/* DUMP and RESTORE: one value as bytes, to be carried to another server.
 *
 *     | kind: 1 | value | RDB version: 2 | CRC-64 of all before: 8 |     (numbers little endian)
 */
#include "common/commands/commands.h"

#include "common/call.h"
#include "common/rdb.h"
#include "common/rdb_format.h"

enum { VERSION_BYTES = 2, FOOTER_BYTES = 10 };

static void put_payload(struct buf *out, const struct entry *e)
{
    const size_t begin = out->len;
    struct rdb_sum sum = {0};
    rdb_put_value(out, e);
    const char version[VERSION_BYTES] = {RDB_VERSION, 0};
    buf_add(out, version, sizeof version);
    rdb_sum_add(&sum, span_of(out->p + begin, out->len - begin));
    rdb_put_checksum(out, &sum);
}

static void dump(struct call *c)
{
    const struct entry *e = call_find_any(c, c->argv[1], FOR_READ);
    if (!e) {
        reply_null(c->reply);
        return;
    }
    struct buf payload = {0};
    put_payload(&payload, e);
    reply_bulk(c->reply, buf_span(&payload));
    buf_free(&payload);
}

struct restore {
    bool replace, absolute;
    int64_t idle_s, frequency; /* -1: not given */
    int64_t expiry;
    bool newer; /* the payload is of a form that Redis 7.0 does not read */
};

static bool take_number(struct call *c, struct span s, int64_t most, const char *error, int64_t *v)
{
    if (!call_int(c, s, v)) return false;
    if (*v >= 0 && *v <= most) return true;
    reply_error(c->reply, "%s", error);
    return false;
}

static bool take_options(struct call *c, struct restore *r)
{
    for (size_t i = 4; i < c->argc; i++) {
        const bool has_value = i + 1 < c->argc;
        if (span_is(c->argv[i], "REPLACE")) {
            r->replace = true;
        } else if (span_is(c->argv[i], "ABSTTL")) {
            r->absolute = true;
        } else if (has_value && r->frequency < 0 && span_is(c->argv[i], "IDLETIME")) {
            if (!take_number(c, c->argv[++i], INT64_MAX, "ERR Invalid IDLETIME value, must be >= 0", &r->idle_s))
                return false;
        } else if (has_value && r->idle_s < 0 && span_is(c->argv[i], "FREQ")) {
            if (!take_number(c, c->argv[++i], 255, "ERR Invalid FREQ value, must be >= 0 and <= 255", &r->frequency))
                return false;
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    return true;
}

static bool take_expiry(struct call *c, struct restore *r)
{
    int64_t ttl;
    if (!take_number(c, c->argv[2], INT64_MAX, "ERR Invalid TTL value, must be >= 0", &ttl)) return false;
    r->expiry = ttl ? ttl : NO_EXPIRY;
    /* Beyond the end of time there is no difference. */
    if (ttl && !r->absolute && __builtin_add_overflow(ttl, c->now_ms, &r->expiry)) r->expiry = INT64_MAX;
    return true;
}

/* Check version and checksum of a payload, and cut them off. */
static bool open_payload(struct span *payload, bool *newer)
{
    uint64_t crc;
    uint16_t version;
    if (payload->n < FOOTER_BYTES) return false;
    payload->n -= FOOTER_BYTES;
    struct cursor footer = cursor_of(span_of(payload->p + payload->n, FOOTER_BYTES));
    if (!take_u16le(&footer, &version) || !take_u64le(&footer, &crc)) return false;
    struct rdb_sum sum = {0};
    rdb_sum_add(&sum, span_of(payload->p, payload->n + VERSION_BYTES));
    *newer = version > RDB_VERSION || (unsigned char)payload->p[0] > RDB_STREAM_LISTPACKS_2;
    return version <= RDB_PAYLOAD_NEWEST_READ && crc == sum.crc;
}

static bool load_payload(struct call *c, struct restore *r, struct value *v, struct buf *string)
{
    struct span payload = c->argv[3];
    if (!open_payload(&payload, &r->newer)) {
        reply_error(c->reply, "ERR DUMP payload version or checksum are wrong");
        return false;
    }
    const struct rdb_target target = {
        .hash_key = call_hash_key(c), .limits = call_limits(c), .max_string = call_max_bulk(c)};
    if (rdb_load_value(payload, &target, v, string, NULL) == ERR_OK) return true;
    reply_error(c->reply, "ERR Bad data format");
    return false;
}

/* Log with the time made absolute, and such that an older server can read the payload. */
static void log_restore(struct call *c, const struct restore *r, const struct entry *e)
{
    char text[NUM_I64_MAX_TEXT];
    struct buf payload = {0};
    if (!r->newer && (r->absolute || r->expiry == NO_EXPIRY)) return;
    if (r->newer) put_payload(&payload, e);
    const struct span bytes = r->newer ? buf_span(&payload) : c->argv[3];
    const int64_t expiry = r->expiry == NO_EXPIRY ? 0 : r->expiry;
    CALL_EFFECT(c, SPAN("RESTORE"), c->argv[1], span_of(text, num_format_i64(text, expiry)), bytes, SPAN("REPLACE"),
                SPAN("ABSTTL"));
    buf_free(&payload);
}

/* A key that would be dead at once is only removed. */
static void put_nothing(struct call *c, const struct restore *r, struct value *v)
{
    const struct span key = c->argv[1];
    value_free(v);
    if (r->replace && call_find_any(c, key, FOR_WRITE) && call_delete(c, key)) {
        CALL_EFFECT(c, SPAN("DEL"), key);
        call_changed(c, EVENT_GENERIC, "del", key, 1);
    }
}

static void put_restored(struct call *c, const struct restore *r, struct value *v)
{
    const struct span key = c->argv[1];
    /* One whose time has come is removed, and that is logged, before. */
    const bool replaced = call_find_any(c, key, FOR_WRITE) != NULL;
    struct entry *e = call_put(c, key, v, r->expiry);
    entry_set_clock(e, eviction_clock_told(engine_eviction(c->engine), r->idle_s, r->frequency, c->now_ms));
    log_restore(c, r, e);
    if (replaced) call_changed_in(c, db_id(c->db), EVENT_NEW, "new", key);
    call_changed(c, EVENT_GENERIC, "restore", key, 1);
}

static void restore(struct call *c)
{
    struct restore r = {.idle_s = -1, .frequency = -1};
    struct value v;
    struct buf string = {0};
    if (!take_options(c, &r)) return;
    if (!r.replace && call_find_any(c, c->argv[1], FOR_WRITE)) {
        reply_error(c->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!take_expiry(c, &r) || !load_payload(c, &r, &v, &string)) return;
    if (r.expiry != NO_EXPIRY && call_is_past(c, r.expiry)) put_nothing(c, &r, &v);
    else put_restored(c, &r, &v);
    reply_ok(c->reply);
    buf_free(&string);
}

#define RESTORE_SYNTAX \
    "key ttl serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 [IDLETIME seconds]@5.0.0 [FREQ frequency]@5.0.0"
#define RESTORE_SUMMARY "Make a key of what DUMP gave."
#define RESTORE_COST    "O(N) where N is the size of the value, O(N*log N) for a sorted set"
#define RESTORE_GROUPS  (ACL_KEYSPACE | ACL_DANGEROUS)

const struct command dump_commands[] = {
    COMMAND_HINTED("DUMP", "key", "A value as bytes, for RESTORE.", "2.6.0", "O(N) where N is the size of the value",
                   CMD_READONLY, ACL_KEYSPACE, KEYS(KEY_RO | KEY_ACCESS, 1), dump, "nondeterministic_output"),
    COMMAND("RESTORE", RESTORE_SYNTAX, RESTORE_SUMMARY, "2.6.0", RESTORE_COST, CMD_WRITE | CMD_DENYOOM,
            RESTORE_GROUPS, KEYS(KEY_OW | KEY_UPDATE, 1), restore),
    COMMAND("RESTORE-ASKING", RESTORE_SYNTAX, "As RESTORE, within a cluster.", "3.0.0", RESTORE_COST,
            CMD_WRITE | CMD_DENYOOM | CMD_ASKING, RESTORE_GROUPS | GROUP_SERVER, KEYS(KEY_OW | KEY_UPDATE, 1),
            restore, .internal = true),
    COMMANDS_END,
};
