/* Strings as rows of bits: single bits, counts, positions and BITOP; numbers of any width stand in bitfield.c. */
#include "common/commands/commands.h"

#include "common/bits.h"
#include "common/commands/bitmap_args.h"
#include "common/commands/bitfield.h"
#include "common/mem.h"

/* --- What bitfield.c needs too ----------------------------------------------------------------------------------- */

bool bitmap_offset(struct call *c, struct span s, unsigned width, uint64_t *offset)
{
    int64_t v = 0;
    const bool counted = width > 0 && s.n > 0 && s.p[0] == '#';
    bool ok = num_parse_i64(counted ? span_of(s.p + 1, s.n - 1) : s, &v) && v >= 0;
    if (ok && counted) ok = !__builtin_mul_overflow(v, (int64_t)width, &v);
    /* What is logged was within the limit of its time. */
    if (ok && c->origin == ORIGIN_CLIENT) ok = (uint64_t)v / 8 < call_max_bulk(c);
    if (!ok) {
        reply_error(c->reply, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *offset = (uint64_t)v;
    return true;
}

bool bitmap_find(struct call *c, struct span key, char *scratch, struct span *s)
{
    struct entry *e;
    if (!call_find(c, key, TYPE_STRING, FOR_READ, &e)) return false;
    *s = e ? entry_string(e, scratch) : span_of(NULL, 0);
    return true;
}

bool bitmap_edit(struct call *c, struct span key, uint64_t last_bit, struct bitmap *b)
{
    struct entry *e;
    char scratch[NUM_I64_MAX_TEXT];
    if (!call_find(c, key, TYPE_STRING, FOR_WRITE, &e)) return false;
    const size_t before = e ? entry_string(e, scratch).n : 0, needed = (size_t)(last_bit / 8 + 1);
    b->grown = needed > before;
    b->n = b->grown ? needed : before;
    call_edit_string(c, key, e, b->n, &b->bytes);
    return true;
}

/* --- Single bits ------------------------------------------------------------------------------------------------- */

static void setbit(struct call *c)
{
    uint64_t at;
    int64_t bit;
    struct bitmap b;
    const struct span key = c->argv[1];
    if (!bitmap_offset(c, c->argv[2], 0, &at)) return;
    if (!call_int_in(c, c->argv[3], 0, 1, &bit, "ERR bit is not an integer or out of range")) return;
    if (!bitmap_edit(c, key, at, &b)) return;
    const uint64_t before = bits_get(span_of(b.bytes, b.n), at, 1);
    if (b.grown || before != (uint64_t)bit) {
        bits_put(b.bytes, at, 1, (uint64_t)bit);
        call_changed(c, EVENT_STRING, "setbit", key, 1);
    }
    reply_int(c->reply, (int64_t)before);
}

static void getbit(struct call *c)
{
    uint64_t at;
    struct span s;
    char scratch[NUM_I64_MAX_TEXT];
    if (!bitmap_offset(c, c->argv[2], 0, &at) || !bitmap_find(c, c->argv[1], scratch, &s)) return;
    reply_int(c->reply, (int64_t)bits_get(s, at, 1));
}

/* --- Ranges of bits ---------------------------------------------------------------------------------------------- */

struct bit_range {
    int64_t start, end; /* as given; then positions in bits, end being one behind the last */
    bool in_bits;
};

static bool take_unit(struct call *c, size_t at, struct bit_range *r)
{
    if (at >= c->argc) return true;
    r->in_bits = span_is(c->argv[at], "BIT");
    if (r->in_bits || span_is(c->argv[at], "BYTE")) return true;
    reply_syntax_error(c->reply);
    return false;
}

/* Count from the other end where numbers are negative, and turn bytes into bits. False: nothing lies in the range. */
static bool settle_range(struct bit_range *r, size_t bytes)
{
    const int64_t size = (int64_t)bytes * (r->in_bits ? 8 : 1);
    if (r->start < 0) r->start = r->start + size < 0 ? 0 : r->start + size;
    if (r->end < 0) r->end = r->end + size < 0 ? 0 : r->end + size;
    if (r->end >= size) r->end = size - 1;
    if (r->start > r->end) return false;
    r->end++;
    if (!r->in_bits) {
        r->start *= 8;
        r->end *= 8;
    }
    return true;
}

static void bitcount(struct call *c)
{
    struct entry *e;
    char scratch[NUM_I64_MAX_TEXT];
    struct bit_range r = {0, -1, false};
    if (!call_find(c, c->argv[1], TYPE_STRING, FOR_READ, &e)) return;
    if (!e) {
        /* Redis looks no further then. */
        reply_int(c->reply, 0);
        return;
    }
    if (c->argc != 2 && c->argc != 4 && c->argc != 5) {
        reply_syntax_error(c->reply);
        return;
    }
    if (c->argc > 2 && (!call_int(c, c->argv[2], &r.start) || !call_int(c, c->argv[3], &r.end))) return;
    const bool backwards = c->argc > 2 && r.start < 0 && r.end < 0 && r.start > r.end;
    if (backwards) {
        reply_int(c->reply, 0);
        return;
    }
    if (!take_unit(c, 4, &r)) return;
    const struct span s = entry_string(e, scratch);
    const bool some = settle_range(&r, s.n);
    reply_int(c->reply, some ? (int64_t)bits_count(s.p, (uint64_t)r.start, (uint64_t)r.end) : 0);
}

/* The arguments behind the bit that is looked for. */
static bool take_position_range(struct call *c, struct bit_range *r)
{
    if (c->argc > 6) {
        reply_syntax_error(c->reply);
        return false;
    }
    if (c->argc > 3 && !call_int(c, c->argv[3], &r->start)) return false;
    if (!take_unit(c, 5, r)) return false;
    return c->argc < 5 || call_int(c, c->argv[4], &r->end);
}

static void bitpos(struct call *c)
{
    struct entry *e;
    int64_t bit;
    char scratch[NUM_I64_MAX_TEXT];
    struct bit_range r = {0, -1, false};
    if (!call_int(c, c->argv[2], &bit)) return;
    if (bit != 0 && bit != 1) {
        reply_error(c->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!call_find(c, c->argv[1], TYPE_STRING, FOR_READ, &e)) return;
    if (!e) {
        reply_int(c->reply, bit ? -1 : 0);
        return;
    }
    if (!take_position_range(c, &r)) return;
    const struct span s = entry_string(e, scratch);
    if (!settle_range(&r, s.n)) {
        reply_int(c->reply, -1);
        return;
    }
    const uint64_t end = (uint64_t)r.end, at = bits_find(s.p, (uint64_t)r.start, end, bit);
    /* Behind the string there are zeros without end, unless an end was named. */
    const bool found = at < end || (!bit && c->argc < 5);
    reply_int(c->reply, found ? (int64_t)at : -1);
}

/* --- BITOP ------------------------------------------------------------------------------------------------------- */

struct operands {
    struct call *c;
    struct entry **entries; /* of argv[3] on; NULL where there is no key */
    size_t n, longest;
};

static struct span operand(const struct operands *o, size_t i, char *scratch)
{
    return o->entries[i] ? entry_string(o->entries[i], scratch) : span_of(NULL, 0);
}

static bool find_operands(struct operands *o)
{
    char scratch[NUM_I64_MAX_TEXT];
    for (size_t i = 0; i < o->n; i++) {
        if (!call_find(o->c, o->c->argv[3 + i], TYPE_STRING, FOR_READ, &o->entries[i])) return false;
        const size_t n = operand(o, i, scratch).n;
        if (n > o->longest) o->longest = n;
    }
    return true;
}

/* A string that is shorter than the others goes on with zeros. */
static void combine(const struct operands *o, enum bits_op op, bool invert, char *result)
{
    char scratch[NUM_I64_MAX_TEXT];
    for (size_t i = 0; i < o->n; i++) {
        const struct span s = operand(o, i, scratch);
        if (i == 0 && s.n) memcpy(result, s.p, s.n);
        if (i > 0) bits_combine(op, result, s.p, s.n);
        if (s.n < o->longest && (i == 0 || op == BITS_AND)) memset(result + s.n, 0, o->longest - s.n);
    }
    if (invert) bits_invert(result, o->longest);
}

static bool is_operand(const struct operands *o, struct span key)
{
    for (size_t i = 0; i < o->n; i++)
        if (span_eq(o->c->argv[3 + i], key)) return true;
    return false;
}

/* The result is made where it is to stand, unless that is an operand too. */
static void store_result(const struct operands *o, enum bits_op op, bool invert)
{
    struct call *c = o->c;
    const struct span key = c->argv[2];
    char *bytes, *copy = NULL;
    if (o->longest == 0) {
        if (call_find_any(c, key, FOR_WRITE) && call_delete(c, key)) call_changed(c, EVENT_GENERIC, "del", key, 1);
        return;
    }
    if (is_operand(o, key)) {
        copy = mem_alloc(o->longest);
        combine(o, op, invert, copy);
    }
    call_edit_string(c, key, NULL, o->longest, &bytes);
    if (copy) memcpy(bytes, copy, o->longest);
    else combine(o, op, invert, bytes);
    mem_free(copy);
    call_changed(c, EVENT_STRING, "set", key, 1);
}

static void bitop(struct call *c)
{
    const struct span word = c->argv[1];
    const bool invert = span_is(word, "NOT");
    enum bits_op op = BITS_AND;
    if (span_is(word, "OR")) op = BITS_OR;
    else if (span_is(word, "XOR")) op = BITS_XOR;
    else if (!invert && !span_is(word, "AND")) {
        reply_syntax_error(c->reply);
        return;
    }
    if (invert && c->argc != 4) {
        reply_error(c->reply, "ERR BITOP NOT must be called with a single source key.");
        return;
    }
    struct operands o = {.c = c, .n = c->argc - 3};
    o.entries = mem_zalloc(o.n, sizeof(struct entry *));
    if (find_operands(&o)) {
        store_result(&o, op, invert);
        reply_int(c->reply, (int64_t)o.longest);
    }
    mem_free(o.entries);
}

const struct command bitmap_commands[] = {
    COMMAND("BITCOUNT", "key index=[start(integer) end(integer) index_unit=[BYTE|BIT]@7.0.0]",
            "Count the bits of a string that are set.", "2.6.0", "O(N) where N is the number of bytes", CMD_READONLY,
            ACL_BITMAP, KEYS(KEY_RO | KEY_ACCESS, 1), bitcount),
    COMMAND("BITFIELD",
            "key operation=[GET encoding offset|write={[OVERFLOW wrap_sat_fail={WRAP|SAT|FAIL}] write_operation={SET "
            "encoding offset value(integer)|INCRBY encoding offset increment(integer)}}]+",
            "Read and write integers of any width at any bit of a string.", "3.2.0", "O(1) for each operation",
            CMD_WRITE | CMD_DENYOOM, ACL_BITMAP, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS, 1),
            bitfield_run, .key_flags = bitfield_key_flags),
    COMMAND("BITFIELD_RO", "key [GET encoding offset]+", "Read integers of any width at any bit of a string.",
            "6.0.0", "O(1) for each operation", CMD_READONLY | CMD_FAST, ACL_BITMAP, KEYS(KEY_RO | KEY_ACCESS, 1),
            bitfield_run_readonly),
    COMMAND("BITOP", "operation destkey key+",
            "Combine strings bit by bit (AND, OR, XOR, or NOT of one) and store the result.", "2.6.0",
            "O(N) where N is the number of bytes of all strings", CMD_WRITE | CMD_DENYOOM, ACL_BITMAP,
            KEYS_TWO(KEYS(KEY_OW | KEY_UPDATE, 2), KEYS_RANGE(KEY_RO | KEY_ACCESS, 3, -1, 1)), bitop),
    COMMAND("BITPOS", "key bit index=[start(integer) end_index=[end(integer) index_unit=[BYTE|BIT]@7.0.0]]",
            "Find the first bit that is set, or is not.", "2.8.7", "O(N) where N is the number of bytes",
            CMD_READONLY, ACL_BITMAP, KEYS(KEY_RO | KEY_ACCESS, 1), bitpos),
    COMMAND("GETBIT", "key offset", "Read one bit of a string.", "2.2.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_BITMAP,
            KEYS(KEY_RO | KEY_ACCESS, 1), getbit),
    COMMAND("SETBIT", "key offset value(integer)", "Write one bit of a string, which grows as needed.", "2.2.0",
            "O(1)", CMD_WRITE | CMD_DENYOOM, ACL_BITMAP, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), setbit),
    COMMANDS_END,
};
