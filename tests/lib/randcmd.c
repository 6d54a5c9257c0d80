#include "tests/lib/randcmd.h"

#include <assert.h>
#include <stdio.h>

#include "common/num.h"
#include "common/rdb.h"
#include "common/syntax.h"

void randcmd_init(struct randcmd *r, const struct command_set *commands, uint64_t seed)
{
    *r = (struct randcmd){.random = {seed}, .commands = commands};
}

void randcmd_free(struct randcmd *r)
{
    buf_free(&r->bytes);
    buf_free(&r->raw);
    buf_free(&r->syntax);
}

/* Chance. */

static uint64_t below(struct randcmd *r, uint64_t bound) { return rand_below(&r->random, bound); }

static bool one_in(struct randcmd *r, uint64_t n) { return below(r, n) == 0; }

static const char *pick(struct randcmd *r, const char *const *texts, size_t n) { return texts[below(r, n)]; }

#define PICK(r, ...) \
    pick(r, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Arguments. */

static void put(struct randcmd *r, struct span s)
{
    if (r->argc == RANDCMD_MAX_ARGS) return;
    buf_add_span(&r->bytes, s);
    r->ends[r->argc++] = r->bytes.len;
}

static void put_text(struct randcmd *r, const char *text) { put(r, span_str(text)); }

static void put_int(struct randcmd *r, int64_t v)
{
    char text[NUM_I64_MAX_TEXT];
    put(r, span_of(text, num_format_i64(text, v)));
}

/* -@around .. @around, now and then at the ends of what a number can be, or none at all. */
static void put_some_int(struct randcmd *r, uint64_t around)
{
    if (one_in(r, 40))
        put_text(r, PICK(r, "9223372036854775807", "-9223372036854775808", "9223372036854775808", "2147483648", "1.5",
                         "abc", "", " 1", "-0"));
    else put_int(r, (int64_t)below(r, 2 * around + 1) - (int64_t)around);
}

static void put_some_count(struct randcmd *r)
{
    if (one_in(r, 20)) put_some_int(r, 5);
    else put_int(r, (int64_t)below(r, 6));
}

static void put_number(struct randcmd *r)
{
    if (one_in(r, 3)) put_some_int(r, 20);
    else
        put_text(r, PICK(r, "0.1", "-2.5", "1e3", "1e300", "-1e300", "inf", "-inf", "3.14159265358979", "1e-5",
                         "5e-324", "0.30000000000000004", "123456789.125", "nan", "x", "-0"));
}

/* A string of any kind: what members, fields and values are. */
static void put_value(struct randcmd *r)
{
    char text[700];
    const uint64_t kind = below(r, 40);
    int n;
    if (kind < 20) n = snprintf(text, sizeof text, "m%u", (unsigned)below(r, 12));
    else if (kind < 28) n = snprintf(text, sizeof text, "%d", (int)below(r, 20) - 5);
    else if (kind < 34) n = snprintf(text, sizeof text, "w%u", (unsigned)below(r, 1000));
    else if (kind < 36)
        n = snprintf(text, sizeof text, "%lld", (long long)((int64_t)rand_next(&r->random) >> below(r, 64)));
    else if (kind < 37) n = snprintf(text, sizeof text, "%0*u", (int)(40 + below(r, 600)), (unsigned)below(r, 10));
    else {
        static const struct span odd[] = {{"", 0}, {"\0\xff\r\n", 4}, {"1.50", 4}, {"007", 3}, {"*", 1}, {"a b", 3}};
        put(r, odd[below(r, sizeof odd / sizeof *odd)]);
        return;
    }
    put(r, span_of(text, (size_t)n));
}

/* The letter that keys of the command's family begin with. */
static char family_of(const struct command_entry *e)
{
    const uint32_t categories = e->row->categories;
    return categories & ACL_STRING        ? 's'
           : categories & ACL_LIST        ? 'l'
           : categories & ACL_SET         ? 't'
           : categories & ACL_HASH        ? 'h'
           : categories & ACL_SORTEDSET   ? 'z'
           : categories & ACL_STREAM      ? 'q'
           : categories & ACL_BITMAP      ? 'b'
           : categories & ACL_HYPERLOGLOG ? 'p'
           : categories & ACL_GEO         ? 'g'
                                          : 0;
}

static void put_key(struct randcmd *r)
{
    const char families[] = "slthzqbpg", own = family_of(r->command);
    char text[8];
    const char family = own && !one_in(r, 15) ? own : families[below(r, sizeof families - 1)];
    const int n = snprintf(text, sizeof text, "%c%u", family, (unsigned)below(r, 4));
    put(r, span_of(text, (size_t)n));
}

static void put_milliseconds(struct randcmd *r)
{
    if (one_in(r, 30)) put_some_int(r, 1);
    else put_int(r, 1 + (int64_t)below(r, one_in(r, 3) ? 100000 : 3000));
}

static void put_seconds(struct randcmd *r)
{
    if (one_in(r, 30)) put_some_int(r, 1);
    else put_int(r, 1 + (int64_t)below(r, 5));
}

static void put_token(struct randcmd *r) { put_text(r, r->token); }

static void put_unix_ms(struct randcmd *r) { put_int(r, r->now_ms - 2000 + (int64_t)below(r, 8000)); }

static void put_unix_seconds(struct randcmd *r) { put_int(r, r->now_ms / 1000 - 2 + (int64_t)below(r, 8)); }

static void put_index(struct randcmd *r) { put_some_int(r, one_in(r, 5) ? 200 : 8); }

static void put_offset(struct randcmd *r)
{
    if (one_in(r, 30)) put_some_int(r, 5);
    else put_int(r, (int64_t)below(r, 50));
}

static void put_database(struct randcmd *r)
{
    if (one_in(r, 60)) put_some_int(r, 20);
    else put_int(r, (int64_t)below(r, RANDCMD_DATABASES));
}

static void put_pattern(struct randcmd *r) { put_text(r, PICK(r, "*", "m*", "?1", "[a-m]*", "h\\1", "", "z")); }

static void put_type(struct randcmd *r)
{
    put_text(r, PICK(r, "string", "list", "set", "hash", "zset", "stream", "nothing"));
}

static void put_cursor(struct randcmd *r)
{
    if (one_in(r, 4)) put_some_int(r, 1000);
    else put_text(r, "0");
}

static void put_numkeys(struct randcmd *r)
{
    r->numkeys = 1 + below(r, 3);
    if (one_in(r, 30)) put_some_int(r, 3);
    else put_int(r, (int64_t)r->numkeys);
}

/* A bound of a range of scores or of names. */
static void put_bound(struct randcmd *r)
{
    const bool lex = strstr(r->command->name, "lex") || (!strstr(r->command->name, "score") && one_in(r, 4));
    if (one_in(r, 20)) put_value(r);
    else if (lex) put_text(r, PICK(r, "-", "+", "[m1", "(m1", "[m5", "(m9", "[w", "(", "[0", "(5"));
    else if (one_in(r, 3)) put_text(r, PICK(r, "-inf", "+inf", "inf", "(1", "(5", "(-3", "0.5"));
    else put_some_int(r, 10);
}

static void put_bit_value(struct randcmd *r) { put_int(r, (int64_t)below(r, 2)); }

/* The ID of an entry: those of XADD grow with the clock, the others look back. All are of full seconds, so that they
 * meet. */
static void put_id(struct randcmd *r)
{
    char text[64];
    const bool adds = strcmp(r->command->name, "xadd") == 0;
    const int64_t back = adds ? 0 : (int64_t)below(r, 20), ms = (r->now_ms / 1000 - back) * 1000;
    if (one_in(r, 30)) {
        put_text(r, PICK(r, "0-0", "$", ">", "-", "+", "0", "1-*", "x", "18446744073709551615-18446744073709551615"));
        return;
    }
    const int n = adds && one_in(r, 3) ? snprintf(text, sizeof text, "%lld-*", (long long)ms)
                  : one_in(r, 2)       ? snprintf(text, sizeof text, "%lld", (long long)ms)
                                       : snprintf(text, sizeof text, "%lld-%u", (long long)ms, (unsigned)below(r, 3));
    put(r, span_of(text, (size_t)n));
}

static void put_stream_id(struct randcmd *r)
{
    const bool group = strcmp(r->command->name, "xreadgroup") == 0;
    if (group && !one_in(r, 3)) put_text(r, ">");
    else if (one_in(r, 3)) put_text(r, "0");
    else put_id(r);
}

static void put_stream_bound(struct randcmd *r, const char *end)
{
    if (one_in(r, 2)) put_text(r, end);
    else put_id(r);
}

static void put_threshold(struct randcmd *r)
{
    if (one_in(r, 2)) put_id(r);
    else put_int(r, (int64_t)below(r, 40));
}

static void put_group(struct randcmd *r) { put_text(r, PICK(r, "g1", "g2")); }
static void put_consumer(struct randcmd *r) { put_text(r, PICK(r, "c1", "c2", "c3")); }
static void put_idle(struct randcmd *r) { put_int(r, one_in(r, 2) ? 0 : (int64_t)below(r, 3000)); }

static void put_operation(struct randcmd *r) { put_text(r, PICK(r, "AND", "OR", "XOR", "NOT", "NAND")); }

/* The type of a bit field. */
static void put_encoding(struct randcmd *r)
{
    char text[8];
    const int n = snprintf(text, sizeof text, "%c%u", one_in(r, 2) ? 'i' : 'u', 1 + (unsigned)below(r, 64));
    put(r, span_of(text, (size_t)n));
}

static void put_coordinate(struct randcmd *r)
{
    char text[32];
    const int n = snprintf(text, sizeof text, "%.3f", (double)below(r, 170000) / 1000 - 85);
    if (one_in(r, 30)) put_number(r);
    else if (one_in(r, 3)) put_int(r, (int64_t)below(r, 5));
    else put(r, span_of(text, (size_t)n));
}

static void put_distance(struct randcmd *r)
{
    static const unsigned scales[] = {10, 1000, 100000, 10000000};
    if (one_in(r, 30)) put_number(r);
    else put_int(r, (int64_t)below(r, scales[below(r, 4)]));
}

static void put_hll_question(struct randcmd *r)
{
    put_text(r, PICK(r, "GETREG", "DECODE", "ENCODING", "TODENSE", "x"));
}

static void put_sort_pattern(struct randcmd *r)
{
    put_text(r, PICK(r, "s*", "h*->m1", "#", "nosort", "w_*", "t*", "*", "h*->5"));
}

static void put_ttl(struct randcmd *r)
{
    if (one_in(r, 2)) put_text(r, "0");
    else if (one_in(r, 2)) put_unix_ms(r);
    else put_milliseconds(r);
}

/* What DUMP could have given: a string, a list or a set of few elements. At times it is damaged. */
static void put_payload(struct randcmd *r)
{
    struct buf b = {0};
    struct rdb_sum sum = {0};
    const uint64_t kind = below(r, 3), n = 1 + below(r, 3);
    buf_add_char(&b, (char)kind);
    if (kind > 0) buf_add_char(&b, (char)n);
    for (uint64_t i = 0; i < (kind ? n : 1); i++) {
        const char element[] = {2, 'm', (char)('0' + 3 * i + below(r, 3))};
        buf_add(&b, element, sizeof element);
    }
    const char version[] = {(char)(9 + below(r, 3)), 0};
    buf_add(&b, version, sizeof version);
    rdb_sum_add(&sum, buf_span(&b));
    rdb_put_checksum(&b, &sum);
    if (one_in(r, 20)) b.p[below(r, b.len)] ^= 1;
    put(r, buf_span(&b));
    buf_free(&b);
}

static const struct {
    const char *name;
    void (*put)(struct randcmd *r);
} values[] = {
    {"key", put_key},
    {"newkey", put_key},
    {"source", put_key},
    {"destination", put_key},
    {"src", put_key},
    {"dst", put_key},
    {"numkeys", put_numkeys},
    {"numfields", put_numkeys},
    {"token", put_token},
    {"seconds", put_seconds},
    {"milliseconds", put_milliseconds},
    {"unix-time-seconds", put_unix_seconds},
    {"unix-time-milliseconds", put_unix_ms},
    {"score", put_number},
    {"weight", put_number},
    {"decrement", put_index},
    {"min", put_bound},
    {"max", put_bound},
    {"start", put_index},
    {"stop", put_index},
    {"end", put_index},
    {"index", put_index},
    {"rank", put_index},
    {"count", put_some_count},
    {"limit", put_some_count},
    {"len", put_some_count},
    {"num-matches", put_some_count},
    {"offset", put_offset},
    {"db", put_database},
    {"destination-db", put_database},
    {"index1", put_database},
    {"index2", put_database},
    {"cursor", put_cursor},
    {"pattern", put_pattern},
    {"type", put_type},
    {"bit", put_bit_value},
    {"key1", put_key},
    {"key2", put_key},
    {"destkey", put_key},
    {"sourcekey", put_key},
    {"operation", put_operation},
    {"encoding", put_encoding},
    {"longitude", put_coordinate},
    {"latitude", put_coordinate},
    {"radius", put_distance},
    {"width", put_distance},
    {"height", put_distance},
    {"subcommand", put_hll_question},
    {"ttl", put_ttl},
    {"serialized-value", put_payload},
    {"last-id", put_id},
    {"max_deleted_entry_id", put_id},
    {"threshold", put_threshold},
    {"group", put_group},
    {"groupname", put_group},
    {"consumer", put_consumer},
    {"consumername", put_consumer},
    {"min-idle-time", put_idle},
    {"ms", put_idle},
    {"entries_added", put_some_count},
    {"entries_read", put_some_count},
};

static void put_named(struct randcmd *r, struct span name)
{
    const bool selects = strcmp(r->command->name, "select") == 0 || strcmp(r->command->name, "swapdb") == 0;
    if (selects) {
        put_database(r);
        return;
    }
    if (span_eq(name, SPAN("increment"))) {
        const bool fraction = strstr(r->command->name, "float") || family_of(r->command) == 'z';
        if (fraction) put_number(r);
        else put_index(r);
        return;
    }
    if (family_of(r->command) == 'q') {
        if (span_eq(name, SPAN("start")) || span_eq(name, SPAN("end"))) {
            put_stream_bound(r, *name.p == 's' ? "-" : "+");
            return;
        }
        if (span_eq(name, SPAN("id"))) {
            if (strncmp(r->command->name, "xread", 5) == 0) put_stream_id(r);
            else put_id(r);
            return;
        }
    }
    if (strcmp(r->command->name, "setbit") == 0 && span_eq(name, SPAN("value"))) {
        put_bit_value(r);
        return;
    }
    if (strncmp(r->command->name, "cache.", 6) == 0 && span_eq(name, SPAN("key")) && r->token[0] && !one_in(r, 4)) {
        put_text(r, r->token_key);
        return;
    }
    if (strncmp(r->command->name, "sort", 4) == 0 && span_eq(name, SPAN("pattern"))) {
        put_sort_pattern(r);
        return;
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (span_eq(name, span_str(values[i].name))) {
            values[i].put(r);
            return;
        }
    put_value(r);
}

/* Walking a syntax (its grammar stands in common/syntax.h) without annotations. */

static bool ends(char c) { return c == 0 || c == ']' || c == '}'; }

/* Behind the group or word at @at, without a '+'. */
static const char *item_end(const char *at)
{
    if (*at != '[' && *at != '{') return at + strcspn(at, " []{}|+");
    unsigned depth = 0;
    do {
        depth += *at == '[' || *at == '{';
        depth -= *at == ']' || *at == '}';
        at++;
    } while (depth);
    return at;
}

/* The next '|' of this level, or its end. */
static const char *alternative_end(const char *at)
{
    while (!ends(*at) && *at != '|') at = *at == ' ' || *at == '+' ? at + 1 : item_end(at);
    return at;
}

static void make_sequence(struct randcmd *r, const char *at);

/* One repetition of the item. */
static void make_once(struct randcmd *r, const char *at, const char *end)
{
    const struct span word = span_of(at, (size_t)(end - at));
    if (*at == '{' || *at == '[') make_sequence(r, at + 1);
    else if (*at >= 'a' && *at <= 'z') put_named(r, word);
    else put(r, word);
}

static uint64_t repetitions(struct randcmd *r, struct span word)
{
    const bool counted = span_eq(word, SPAN("key")) || span_eq(word, SPAN("weight")) ||
                         span_eq(word, SPAN("field")) || span_eq(word, SPAN("{field value}"));
    if (strncmp(r->command->name, "xread", 5) == 0) return 1; /* as many IDs as keys */
    if (counted && r->numkeys && !one_in(r, 40)) return r->numkeys;
    return one_in(r, 50) ? 150 : 1 + below(r, 3);
}

static const char *make_item(struct randcmd *r, const char *at)
{
    const char *end = item_end(at);
    uint64_t times = *at == '[' ? one_in(r, 3) : 1;
    if (*end == '+') times *= repetitions(r, span_of(at, (size_t)(end - at)));
    while (times--) make_once(r, at, end);
    return *end == '+' ? end + 1 : end;
}

/* One alternative of the sequence at @at, each with equal chance. */
static void make_sequence(struct randcmd *r, const char *at)
{
    uint64_t alternatives = 1;
    for (const char *p = alternative_end(at); *p == '|'; p = alternative_end(p + 1)) alternatives++;
    for (uint64_t skip = below(r, alternatives); skip--;) at = alternative_end(at) + 1;
    while (!ends(*at) && *at != '|') at = *at == ' ' ? at + 1 : make_item(r, at);
}

/* Commands. */

/* What empties whole databases is rare, or nothing would ever grow; the same for what only removes. */
static bool too_often(struct randcmd *r, const char *name)
{
    if (strncmp(name, "flush", 5) == 0) return !one_in(r, 20);
    if (strcmp(name, "del") == 0 || strcmp(name, "unlink") == 0) return !one_in(r, 3);
    return strstr(name, "store") && one_in(r, 2);
}

/* What streams and their groups live on; without it there would be nothing that the other commands find. */
static const struct command_entry *feed_streams(struct randcmd *r)
{
    const char *name = PICK(r, "XADD", "XADD", "XADD", "XREADGROUP", "XGROUP");
    return command_find(r->commands, span_str(name), SPAN("CREATE"));
}

static const struct command_entry *choose(struct randcmd *r)
{
    if (one_in(r, 8)) return feed_streams(r);
    for (;;) {
        const struct command_entry *e = command_at(r->commands, below(r, command_count(r->commands)));
        /* A token is good for some time only, and only until its key changes. */
        if (r->token[0] && one_in(r, 8)) e = command_find(r->commands, SPAN("cache.fill"), SPAN(""));
        if (e->sub_count) e = e->subs[below(r, e->sub_count)];
        if (!e->row->run || too_often(r, e->name)) continue;
        /* Reads matter for what they find dead, but there need not be as many of them. */
        if (e->flags & CMD_WRITE || one_in(r, 4)) return e;
    }
}

static void put_name(struct randcmd *r, const char *name)
{
    const char *sub = strchr(name, '|');
    put(r, span_of(name, sub ? (size_t)(sub - name) : strlen(name)));
    if (sub) put_text(r, sub + 1);
}

/* Put another value in the place of one argument. */
static void spoil(struct randcmd *r)
{
    if (r->argc < 2) return;
    const size_t at = 1 + below(r, r->argc - 1), begin = r->ends[at - 1], old = r->ends[at] - begin;
    const char *text =
        PICK(r, "", "abc", "1", "-1", "9223372036854775807", "NX", "GT", "WITHSCORES", "(", "0", "z1", "s1");
    const size_t n = strlen(text);
    if (r->command->parent && at == 1) return; /* the subcommand's name */
    struct buf bytes = {0};
    buf_add(&bytes, r->bytes.p, begin);
    buf_add(&bytes, text, n);
    buf_add(&bytes, r->bytes.p + begin + old, r->bytes.len - begin - old);
    buf_free(&r->bytes);
    r->bytes = bytes;
    for (size_t i = at; i < r->argc; i++) r->ends[i] += n - old;
}

static void make(struct randcmd *r)
{
    buf_reset(&r->bytes, SIZE_MAX);
    r->argc = 0;
    r->numkeys = 0;
    r->command = choose(r);
    put_name(r, r->command->name);
    r->syntax.len = 0;
    syntax_plain(r->command->row->syntax, &r->syntax);
    buf_add_char(&r->syntax, '\0');
    make_sequence(r, r->syntax.p);
    if (one_in(r, 30)) spoil(r);
}

const struct command_entry *randcmd_next(struct randcmd *r, struct request *request)
{
    do make(r);
    while (!command_arity_fits(r->command, r->argc));
    for (size_t i = 0, begin = 0; i < r->argc; begin = r->ends[i++])
        r->argv[i] = span_of(r->bytes.p + begin, r->ends[i] - begin);
    buf_reset(&r->raw, SIZE_MAX);
    resp_encode(&r->raw, r->argv, r->argc);
    *request = (struct request){.argv = r->argv, .argc = r->argc, .raw = buf_span(&r->raw)};
    return r->command;
}

void randcmd_print(const struct randcmd *r, struct buf *to)
{
    for (size_t i = 0; i < r->argc; i++) {
        if (i) buf_add_char(to, ' ');
        bool plain = r->argv[i].n > 0;
        for (size_t k = 0; k < r->argv[i].n; k++) plain &= r->argv[i].p[k] > ' ' && r->argv[i].p[k] < 127;
        if (plain) buf_add_span(to, r->argv[i]);
        else {
            buf_add_char(to, '"');
            for (size_t k = 0; k < r->argv[i].n; k++) {
                const unsigned char c = (unsigned char)r->argv[i].p[k];
                if (c >= ' ' && c < 127) buf_add_char(to, (char)c);
                else buf_printf(to, "\\x%02x", c);
            }
            buf_add_char(to, '"');
        }
    }
}
