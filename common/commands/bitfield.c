/* BITFIELD: a list of operations on integers of 1 to 64 bits that lie anywhere in a string.
 *
 * All operations are read before the first is executed, so that a mistake in the last one changes nothing. */
#include "common/commands/bitfield.h"

#include "common/bits.h"
#include "common/commands/bitmap_args.h"
#include "common/mem.h"

enum field_verb { FIELD_GET, FIELD_SET, FIELD_ADD };
enum field_overflow { OVERFLOW_WRAP, OVERFLOW_SATURATE, OVERFLOW_FAIL };

struct field_op {
    enum field_verb verb;
    enum field_overflow overflow;
    bool is_signed;
    unsigned width;
    uint64_t at;
    int64_t operand; /* the value, or the increment */
};

struct program {
    struct field_op *ops;
    size_t n;
    bool writes;
    uint64_t last_bit; /* the highest that is written */
};

/* --- Reading the operations -------------------------------------------------------------------------------------- */

/* "i1" .. "i64", "u1" .. "u63": what is read must fit into a reply, which is a signed number. */
static bool take_encoding(struct call *c, struct span s, struct field_op *op)
{
    int64_t width = 0;
    op->is_signed = s.n > 0 && s.p[0] == 'i';
    const bool known = op->is_signed || (s.n > 0 && s.p[0] == 'u');
    const int64_t widest = op->is_signed ? BITS_FIELD_MAX : BITS_FIELD_MAX - 1;
    if (known && num_parse_i64(span_of(s.p + 1, s.n - 1), &width) && width >= 1 && width <= widest) {
        op->width = (unsigned)width;
        return true;
    }
    reply_error(c->reply, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
                          "i64 is.");
    return false;
}

static bool take_overflow(struct call *c, struct span s, enum field_overflow *overflow)
{
    if (span_is(s, "WRAP")) *overflow = OVERFLOW_WRAP;
    else if (span_is(s, "SAT")) *overflow = OVERFLOW_SATURATE;
    else if (span_is(s, "FAIL")) *overflow = OVERFLOW_FAIL;
    else {
        reply_error(c->reply, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

/* The operation whose verb is argv[*i], which steps over its arguments. */
static bool take_op(struct call *c, size_t *i, struct program *p, struct field_op *op)
{
    const size_t left = c->argc - *i - 1;
    if (left >= 2 && span_is(c->argv[*i], "GET")) op->verb = FIELD_GET;
    else if (left >= 3 && span_is(c->argv[*i], "SET")) op->verb = FIELD_SET;
    else if (left >= 3 && span_is(c->argv[*i], "INCRBY")) op->verb = FIELD_ADD;
    else {
        reply_syntax_error(c->reply);
        return false;
    }
    if (!take_encoding(c, c->argv[*i + 1], op) || !bitmap_offset(c, c->argv[*i + 2], op->width, &op->at))
        return false;
    *i += 2;
    if (op->verb == FIELD_GET) return true;
    const uint64_t last_bit = op->at + op->width - 1;
    p->writes = true;
    if (last_bit > p->last_bit) p->last_bit = last_bit;
    return call_int(c, c->argv[++*i], &op->operand);
}

static bool take_program(struct call *c, struct program *p)
{
    enum field_overflow overflow = OVERFLOW_WRAP;
    for (size_t i = 2; i < c->argc; i++) {
        if (i + 1 < c->argc && span_is(c->argv[i], "OVERFLOW")) {
            if (!take_overflow(c, c->argv[++i], &overflow)) return false;
            continue;
        }
        struct field_op *op = &p->ops[p->n];
        if (!take_op(c, &i, p, op)) return false;
        op->overflow = overflow;
        p->n++;
    }
    return true;
}

/* --- Arithmetic -------------------------------------------------------------------------------------------------- */

static uint64_t low_bits(unsigned width) { return UINT64_MAX >> (BITS_FIELD_MAX - width); }

/* A field's bits as the number that they stand for. */
static int64_t number_of(const struct field_op *op, uint64_t bits)
{
    const bool negative = op->is_signed && bits >> (op->width - 1) & 1;
    return (int64_t)(negative ? bits | ~low_bits(op->width) : bits);
}

/* Do @v + @increment lie above (1) or below (-1) what the field holds, or in it (0)? The differences may wrap around
 * for a value that is far out of the range; the order of the questions is Redis's, and decides what SAT makes of it. */
static int out_of_range(const struct field_op *op, uint64_t v, int64_t increment)
{
    if (!op->is_signed) {
        const uint64_t most = low_bits(op->width);
        if (v > most || (increment > 0 && (uint64_t)increment > most - v)) return 1;
        return increment < 0 && 0 - (uint64_t)increment > v ? -1 : 0;
    }
    const int64_t most = (int64_t)(low_bits(op->width) >> 1), least = -most - 1, from = (int64_t)v;
    const int64_t up = (int64_t)((uint64_t)most - v), down = (int64_t)((uint64_t)least - v);
    const bool narrow = op->width < BITS_FIELD_MAX;
    if (from > most || (increment > up && (narrow || (from >= 0 && increment > 0)))) return 1;
    return from < least || (increment < down && (narrow || (from < 0 && increment < 0))) ? -1 : 0;
}

/* The bits that the field gets; false: it stays as it is. */
static bool result_of(const struct field_op *op, uint64_t v, int64_t increment, uint64_t *bits)
{
    const int side = out_of_range(op, v, increment);
    if (side != 0 && op->overflow == OVERFLOW_FAIL) return false;
    *bits = (v + (uint64_t)increment) & low_bits(op->width);
    if (side != 0 && op->overflow == OVERFLOW_SATURATE) {
        const uint64_t most = op->is_signed ? low_bits(op->width) >> 1 : low_bits(op->width);
        const uint64_t least = op->is_signed ? most + 1 : 0;
        *bits = side > 0 ? most : least;
    }
    return true;
}

/* --- Execution --------------------------------------------------------------------------------------------------- */

/* Execute one operation that writes, and reply; true if the field is another than before. */
static bool execute_write(struct call *c, const struct field_op *op, struct bitmap *b)
{
    const uint64_t before = bits_get(span_of(b->bytes, b->n), op->at, op->width);
    const bool adds = op->verb == FIELD_ADD;
    uint64_t after;
    const uint64_t v = adds ? (uint64_t)number_of(op, before) : (uint64_t)op->operand;
    if (!result_of(op, v, adds ? op->operand : 0, &after)) {
        reply_null(c->reply);
        return false;
    }
    reply_int(c->reply, number_of(op, adds ? after : before));
    bits_put(b->bytes, op->at, op->width, after);
    return before != after || b->grown; /* as Redis counts */
}

static void execute_reads(struct call *c, const struct program *p)
{
    struct span s;
    char scratch[NUM_I64_MAX_TEXT];
    if (!bitmap_find(c, c->argv[1], scratch, &s)) return;
    reply_array(c->reply, p->n);
    for (size_t i = 0; i < p->n; i++)
        reply_int(c->reply, number_of(&p->ops[i], bits_get(s, p->ops[i].at, p->ops[i].width)));
}

static void execute(struct call *c, const struct program *p)
{
    struct bitmap b;
    if (!bitmap_edit(c, c->argv[1], p->last_bit, &b)) return;
    reply_array(c->reply, p->n);
    uint64_t changes = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct field_op *op = &p->ops[i];
        if (op->verb == FIELD_GET)
            reply_int(c->reply, number_of(op, bits_get(span_of(b.bytes, b.n), op->at, op->width)));
        else changes += execute_write(c, op, &b);
    }
    /* A string that only became longer is another one, though no event tells so. */
    if (changes) call_changed(c, EVENT_STRING, "setbit", c->argv[1], changes + b.grown);
    else if (b.grown) call_touched(c, c->argv[1], b.grown);
}

static void run(struct call *c, bool readonly)
{
    struct program p = {.ops = mem_zalloc(c->argc / 3 + 1, sizeof(struct field_op))};
    if (take_program(c, &p)) {
        if (!p.writes) execute_reads(c, &p);
        else if (readonly) reply_error(c->reply, "ERR BITFIELD_RO only supports the GET subcommand");
        else execute(c, &p);
    }
    mem_free(p.ops);
}

void bitfield_run(struct call *c) { run(c, false); }
void bitfield_run_readonly(struct call *c) { run(c, true); }

uint16_t bitfield_key_flags(const struct span *argv, size_t argc)
{
    for (size_t i = 2, words; i < argc; i += words) {
        words = span_is(argv[i], "overflow") ? 2 : 3;
        if (argc - i < words || (words == 3 && !span_is(argv[i], "get"))) return KEY_RW | KEY_ACCESS | KEY_UPDATE;
    }
    return KEY_RO | KEY_ACCESS;
}
