/* Counters of different elements, in strings: PFADD, PFCOUNT, PFMERGE, and what looks into them.
 *
 * The result must not hang on a setting of whoever replays the log: replay keeps counters sparse up to the default
 * length, and where another setting led to another string, that string is what is logged. */
#include "common/commands/commands.h"

#include "common/call.h"
#include "common/hyperloglog.h"

enum { SPARSE_MAX_BYTES_IN_REPLAY = 3000 };

static size_t sparse_max_bytes(const struct call *c)
{
    return c->origin == ORIGIN_LOG ? SPARSE_MAX_BYTES_IN_REPLAY : call_limits(c)->hll_sparse_max_bytes;
}

static void reply_damaged(struct call *c) { reply_error(c->reply, "INVALIDOBJ Corrupted HLL object detected"); }

/* The counter at @key. *e is NULL, and *s empty, if there is none. False: it is something else; the error was replied. */
static bool find_counter(struct call *c, struct span key, enum intent intent, struct entry **e, struct span *s)
{
    char scratch[NUM_I64_MAX_TEXT];
    if (!call_find(c, key, TYPE_STRING, intent, e)) return false;
    *s = span_of(NULL, 0);
    if (!*e) return true;
    *s = entry_string(*e, scratch);
    int64_t v;
    if (!entry_int(*e, &v) && hll_valid(*s)) return true;
    reply_error(c->reply, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

/* Put @b in place of the string that was found FOR_WRITE (@e), or in a new key. */
static void put_counter(struct call *c, struct span key, struct entry *e, const struct buf *b)
{
    char *bytes;
    call_edit_string(c, key, e, b->len, &bytes);
    memcpy(bytes, b->p, b->len);
    hll_spoil_cache(bytes);
}

/* Log the counter itself. */
static void log_counter(struct call *c, struct span key)
{
    struct entry *e = call_peek(c, db_id(c->db), key);
    CALL_EFFECT(c, SPAN("SET"), key, entry_string(e, NULL), SPAN("KEEPTTL"));
}

/* --- PFADD ------------------------------------------------------------------------------------------------------- */

static uint64_t add_dense(struct call *c, struct entry *e, size_t n)
{
    char *bytes;
    uint64_t changes = 0;
    call_edit_string(c, c->argv[1], e, n, &bytes);
    for (size_t i = 2; i < c->argc; i++) changes += hll_raise_dense(bytes, hll_mark_of(c->argv[i]));
    if (changes) hll_spoil_cache(bytes);
    return changes;
}

/* Could replay, with the limit that it has, come to another string than @b, which has become from a sparse one? */
static bool depends_on_limit(const struct call *c, const struct buf *b)
{
    enum { GROWTH_MAX = 3 }; /* bytes by which one element can make it longer */
    const size_t limit = sparse_max_bytes(c);
    if (limit == SPARSE_MAX_BYTES_IN_REPLAY) return false;
    if (hll_encoding(buf_span(b)) == HLL_DENSE) return true;
    return b->len + c->argc * GROWTH_MAX > SPARSE_MAX_BYTES_IN_REPLAY;
}

/* Work on a copy, so that nothing is changed if it turns out to be damaged. False: so it did. */
static bool add_sparse(struct call *c, struct entry *e, struct span s, uint64_t *changes)
{
    struct buf b = {0};
    struct hll_editor editor = {.b = &b, .sparse_max_bytes = sparse_max_bytes(c)};
    enum hll_change change = HLL_SAME;
    if (e) buf_add_span(&b, s);
    else hll_init(&b);
    *changes = !e;
    for (size_t i = 2; i < c->argc && change != HLL_DAMAGED; i++) {
        change = hll_raise(&editor, hll_mark_of(c->argv[i]));
        *changes += change != HLL_SAME;
    }
    if (change != HLL_DAMAGED && *changes) {
        put_counter(c, c->argv[1], e, &b);
        if (depends_on_limit(c, &b)) log_counter(c, c->argv[1]);
    }
    buf_free(&b);
    return change != HLL_DAMAGED;
}

static void pfadd(struct call *c)
{
    struct entry *e;
    struct span s;
    uint64_t changes = 0;
    if (!find_counter(c, c->argv[1], FOR_WRITE, &e, &s)) return;
    if (e && hll_encoding(s) == HLL_DENSE) {
        changes = add_dense(c, e, s.n);
    } else if (!add_sparse(c, e, s, &changes)) {
        reply_damaged(c);
        return;
    }
    if (changes) call_changed(c, EVENT_STRING, "pfadd", c->argv[1], changes);
    reply_int(c->reply, changes > 0);
}

/* --- PFCOUNT ----------------------------------------------------------------------------------------------------- */

/* Keep an estimate in the counter. That is a change of the data, which only the log may cause on a replica. */
static void keep_estimate(struct call *c, uint64_t estimate)
{
    const struct span key = c->argv[1];
    struct entry *e;
    struct span s;
    char *bytes, cache[HLL_CACHE_BYTES], offset[NUM_I64_MAX_TEXT];
    if (!c->effects && c->origin != ORIGIN_LOG) return;
    if (!find_counter(c, key, FOR_WRITE, &e, &s)) return;
    hll_format_cache(cache, estimate);
    call_edit_string(c, key, e, s.n, &bytes);
    memcpy(bytes + HLL_CACHE_AT, cache, sizeof cache);
    CALL_EFFECT(c, SPAN("SETRANGE"), key, span_of(offset, num_format_u64(offset, HLL_CACHE_AT)),
                span_of(cache, sizeof cache));
    call_touched(c, key, 1);
}

static void count_one(struct call *c)
{
    struct entry *e;
    struct span s;
    uint64_t estimate;
    if (!find_counter(c, c->argv[1], FOR_READ, &e, &s)) return;
    if (!e) {
        reply_int(c->reply, 0);
        return;
    }
    if (!hll_cached(s, &estimate)) {
        uint8_t registers[HLL_REGISTERS] = {0};
        if (!hll_merge(registers, s)) {
            reply_damaged(c);
            return;
        }
        estimate = hll_estimate(registers);
        keep_estimate(c, estimate);
    }
    reply_int(c->reply, (int64_t)estimate);
}

/* Raise the registers to those of all keys from argv[1] on. False: the error was replied. */
static bool merge_keys(struct call *c, uint8_t *registers, bool *some_dense)
{
    for (size_t i = 1; i < c->argc; i++) {
        struct entry *e;
        struct span s;
        if (!find_counter(c, c->argv[i], FOR_READ, &e, &s)) return false;
        if (!e) continue;
        *some_dense |= hll_encoding(s) == HLL_DENSE;
        if (hll_merge(registers, s)) continue;
        reply_damaged(c);
        return false;
    }
    return true;
}

static void pfcount(struct call *c)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    bool some_dense = false;
    if (c->argc == 2) count_one(c);
    else if (merge_keys(c, registers, &some_dense)) reply_int(c->reply, (int64_t)hll_estimate(registers));
}

/* --- PFMERGE ----------------------------------------------------------------------------------------------------- */

static bool raise_all(struct hll_editor *editor, const uint8_t *registers)
{
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        const struct hll_mark mark = {i, registers[i]};
        if (mark.rank && hll_raise(editor, mark) == HLL_DAMAGED) return false;
    }
    return true;
}

static void pfmerge(struct call *c)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    bool dense = false;
    struct entry *e;
    struct span s;
    if (!merge_keys(c, registers, &dense) || !find_counter(c, c->argv[1], FOR_WRITE, &e, &s)) return;
    struct buf b = {0};
    struct hll_editor editor = {.b = &b, .sparse_max_bytes = sparse_max_bytes(c)};
    if (e) buf_add_span(&b, s);
    else hll_init(&b);
    if ((dense && !hll_make_dense(&b)) || !raise_all(&editor, registers)) {
        reply_damaged(c);
    } else {
        put_counter(c, c->argv[1], e, &b);
        if (!dense && editor.sparse_max_bytes != SPARSE_MAX_BYTES_IN_REPLAY) log_counter(c, c->argv[1]);
        call_changed(c, EVENT_STRING, "pfadd", c->argv[1], 1);
        reply_ok(c->reply);
    }
    buf_free(&b);
}

/* --- PFDEBUG and PFSELFTEST -------------------------------------------------------------------------------------- */

/* Turn the counter dense; *turned says whether it was not. False: it is damaged, which was replied. */
static bool make_dense(struct call *c, struct entry *e, struct span s, bool *turned)
{
    struct buf b = {0};
    *turned = hll_encoding(s) == HLL_SPARSE;
    if (!*turned) return true;
    buf_add_span(&b, s);
    const bool ok = hll_make_dense(&b);
    if (ok) {
        char *bytes;
        call_edit_string(c, c->argv[2], e, b.len, &bytes);
        memcpy(bytes, b.p, b.len);
        call_touched(c, c->argv[2], 1);
    } else {
        reply_damaged(c);
    }
    buf_free(&b);
    return ok;
}

static void show_registers(struct call *c, struct span s)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    (void)hll_merge(registers, s);
    reply_array(c->reply, HLL_REGISTERS);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) reply_int(c->reply, registers[i]);
}

static void show_runs(struct call *c, struct span s)
{
    struct buf text = {0};
    struct hll_run run;
    for (size_t at = HLL_HEADER_BYTES; hll_next_run(s, &at, &run);) {
        if (text.len) buf_add_char(&text, ' ');
        if (run.value) buf_printf(&text, "v:%u,%u", run.value, run.registers);
        else buf_printf(&text, "%c:%u", run.wide ? 'Z' : 'z', run.registers);
    }
    reply_bulk(c->reply, buf_span(&text));
    buf_free(&text);
}

static void pfdebug(struct call *c)
{
    struct entry *e;
    struct span s;
    bool turned;
    const struct span what = c->argv[1], key = c->argv[2];
    if (!find_counter(c, key, FOR_WRITE, &e, &s)) return;
    if (!e) {
        reply_error(c->reply, "ERR The specified key does not exist");
    } else if (span_is(what, "GETREG")) {
        if (make_dense(c, e, s, &turned) && find_counter(c, key, FOR_LOOK, &e, &s)) show_registers(c, s);
    } else if (span_is(what, "DECODE")) {
        if (hll_encoding(s) == HLL_SPARSE) show_runs(c, s);
        else reply_error(c->reply, "ERR HLL encoding is not sparse");
    } else if (span_is(what, "ENCODING")) {
        reply_simple(c->reply, hll_encoding(s) == HLL_SPARSE ? "sparse" : "dense");
    } else if (span_is(what, "TODENSE")) {
        if (make_dense(c, e, s, &turned)) reply_int(c->reply, turned);
    } else {
        reply_error(c->reply, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)(what.n < 128 ? what.n : 128), what.p);
    }
}

/* Count up to ten thousand, sparse and dense side by side: both must agree, and be near the truth. */
static const char *self_test(struct buf *sparse, struct buf *dense)
{
    enum { MOST = 10000, SPARSE_MAX_BYTES = 3000 };
    struct hll_editor editors[2] = {{.b = sparse, .sparse_max_bytes = SPARSE_MAX_BYTES}, {.b = dense}};
    hll_init(sparse);
    hll_init(dense);
    if (!hll_make_dense(dense)) return "an empty counter cannot be made dense";
    uint32_t next = 10;
    for (uint32_t n = 1; n <= MOST; n++) {
        const struct hll_mark mark = hll_mark_of(span_of(&n, sizeof n));
        if (hll_raise(&editors[0], mark) != hll_raise(&editors[1], mark)) return "sparse and dense disagree";
        if (n != next) continue;
        next *= 10;
        uint8_t a[HLL_REGISTERS] = {0}, b[HLL_REGISTERS] = {0};
        if (!hll_merge(a, buf_span(sparse)) || !hll_merge(b, buf_span(dense))) return "a counter is damaged";
        if (memcmp(a, b, sizeof a) != 0) return "sparse and dense registers differ";
        const double error = (double)hll_estimate(a) / n - 1;
        if (error > 0.04 || error < -0.04) return "an estimate is more than five standard errors off";
    }
    return NULL;
}

static void pfselftest(struct call *c)
{
    struct buf sparse = {0}, dense = {0};
    const char *trouble = self_test(&sparse, &dense);
    if (trouble) reply_error(c->reply, "TESTFAILED %s", trouble);
    else reply_ok(c->reply);
    buf_free(&sparse);
    buf_free(&dense);
}

const struct command hyperloglog_commands[] = {
    COMMAND("PFADD", "key [element+]", "Add elements to a counter of different elements.", "2.8.9",
            "O(1) for each element", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_HYPERLOGLOG,
            KEYS(KEY_RW | KEY_INSERT, 1), pfadd),
    COMMAND("PFCOUNT", "key+",
            "Estimate how many different elements were added to one counter, or to any of several.", "2.8.9",
            "O(1) with one key, O(N) with N keys and a far larger constant", CMD_READONLY, ACL_HYPERLOGLOG,
            KEYS_RANGE(KEY_RW | KEY_ACCESS, 1, -1, 1), pfcount),
    COMMAND("PFDEBUG", "subcommand key", "Look into a counter: GETREG, DECODE, ENCODING, TODENSE.", "2.8.9", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_ADMIN, ACL_HYPERLOGLOG | ACL_ADMIN | ACL_DANGEROUS,
            KEYS(KEY_RW | KEY_ACCESS, 2), pfdebug, .internal = true),
    COMMAND("PFMERGE", "destkey sourcekey*", "Make a counter one of all elements that were added to it and others.",
            "2.8.9", "O(N) where N is the number of counters", CMD_WRITE | CMD_DENYOOM, ACL_HYPERLOGLOG,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_INSERT, 1), KEYS_RANGE(KEY_RO | KEY_ACCESS, 2, -1, 1)), pfmerge),
    COMMAND("PFSELFTEST", "", "Check that the counters count.", "2.8.9", "O(1)", CMD_ADMIN,
            ACL_HYPERLOGLOG | ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, pfselftest, .internal = true),
    COMMANDS_END,
};
