#include "common/command_docs.h"

#include <assert.h>

struct word_bit {
    uint32_t bit;
    const char *word;
};

static struct words words_of(uint32_t bits, const struct word_bit *table, size_t n)
{
    struct words words = {.count = 0};
    assert(n <= COMMAND_MAX_WORDS);
    for (size_t i = 0; i < n; i++)
        if (bits & table[i].bit) words.word[words.count++] = table[i].word;
    return words;
}

struct words command_flag_words(const struct command_entry *e)
{
    static const struct word_bit table[] = {
        {CMD_WRITE, "write"},
        {CMD_READONLY, "readonly"},
        {CMD_DENYOOM, "denyoom"},
        {CMD_ADMIN, "admin"},
        {CMD_PUBSUB, "pubsub"},
        {CMD_NOSCRIPT, "noscript"},
        {CMD_BLOCKING, "blocking"},
        {CMD_LOADING, "loading"},
        {CMD_STALE, "stale"},
        {CMD_SKIP_MONITOR, "skip_monitor"},
        {CMD_SKIP_SLOWLOG, "skip_slowlog"},
        {CMD_ASKING, "asking"},
        {CMD_FAST, "fast"},
        {CMD_NO_AUTH, "no_auth"},
        {CMD_MAY_REPLICATE, "may_replicate"},
        {CMD_NO_MANDATORY_KEYS, "no_mandatory_keys"},
        {CMD_NO_ASYNC_LOADING, "no_async_loading"},
        {CMD_NO_MULTI, "no_multi"},
        {CMD_MOVABLE_KEYS, "movablekeys"},
        {CMD_ALLOW_BUSY, "allow_busy"},
    };
    return words_of(e->flags, table, sizeof table / sizeof *table);
}

/* Categories that follow from flags; they have bits of their own, behind those of rows. */
enum { ACL_READ = 1 << 24, ACL_WRITE = 1 << 25, ACL_FAST = 1 << 26, ACL_SLOW = 1 << 27 };

static uint32_t categories_of(const struct command_entry *e)
{
    uint32_t bits = e->row->categories;
    if (e->flags & CMD_WRITE) bits |= ACL_WRITE;
    if (e->flags & CMD_READONLY && !(bits & ACL_SCRIPTING)) bits |= ACL_READ;
    if (e->flags & CMD_ADMIN) bits |= ACL_ADMIN | ACL_DANGEROUS;
    if (e->flags & CMD_PUBSUB) bits |= ACL_PUBSUB;
    if (e->flags & CMD_BLOCKING) bits |= ACL_BLOCKING;
    return bits | (e->flags & CMD_FAST ? ACL_FAST : ACL_SLOW);
}

static const struct word_bit category_table[] = {
    {ACL_KEYSPACE, "@keyspace"},
    {ACL_READ, "@read"},
    {ACL_WRITE, "@write"},
    {ACL_SET, "@set"},
    {ACL_SORTEDSET, "@sortedset"},
    {ACL_LIST, "@list"},
    {ACL_HASH, "@hash"},
    {ACL_STRING, "@string"},
    {ACL_BITMAP, "@bitmap"},
    {ACL_HYPERLOGLOG, "@hyperloglog"},
    {ACL_GEO, "@geo"},
    {ACL_STREAM, "@stream"},
    {ACL_PUBSUB, "@pubsub"},
    {ACL_ADMIN, "@admin"},
    {ACL_FAST, "@fast"},
    {ACL_SLOW, "@slow"},
    {ACL_BLOCKING, "@blocking"},
    {ACL_DANGEROUS, "@dangerous"},
    {ACL_CONNECTION, "@connection"},
    {ACL_TRANSACTION, "@transaction"},
    {ACL_SCRIPTING, "@scripting"},
};

struct words command_category_words(const struct command_entry *e)
{
    return words_of(categories_of(e), category_table, sizeof category_table / sizeof *category_table);
}

struct words command_categories(void)
{
    return words_of(UINT32_MAX, category_table, sizeof category_table / sizeof *category_table);
}

struct words key_flag_words(uint16_t flags)
{
    static const struct word_bit table[] = {
        {KEY_RO, "RO"},
        {KEY_RW, "RW"},
        {KEY_OW, "OW"},
        {KEY_RM, "RM"},
        {KEY_ACCESS, "access"},
        {KEY_UPDATE, "update"},
        {KEY_INSERT, "insert"},
        {KEY_DELETE, "delete"},
        {KEY_NOT_KEY, "not_key"},
        {KEY_INCOMPLETE, "incomplete"},
        {KEY_VARIABLE_FLAGS, "variable_flags"},
    };
    return words_of(flags, table, sizeof table / sizeof *table);
}

const char *command_group(const struct command_entry *e)
{
    static const struct word_bit table[] = {
        {GROUP_GENERIC, "generic"},
        {GROUP_SERVER, "server"},
        {GROUP_CONNECTION, "connection"},
        {GROUP_STREAM, "stream"},
        {GROUP_PUBSUB, "pubsub"},
        {GROUP_SCRIPTING, "scripting"},
        {ACL_CONNECTION, "connection"},
        {ACL_PUBSUB, "pubsub"},
        {ACL_TRANSACTION, "transactions"},
        {ACL_SCRIPTING, "scripting"},
        {ACL_BITMAP, "bitmap"},
        {ACL_HYPERLOGLOG, "hyperloglog"},
        {ACL_GEO, "geo"},
        {ACL_STREAM, "stream"},
        {ACL_SORTEDSET, "sorted-set"},
        {ACL_SET, "set"},
        {ACL_LIST, "list"},
        {ACL_HASH, "hash"},
        {ACL_STRING, "string"},
        {ACL_KEYSPACE, "generic"},
    };
    const struct words words = words_of(categories_of(e), table, sizeof table / sizeof *table);
    return words.count ? words.word[0] : "server";
}

size_t command_key_specs(const struct command_entry *e)
{
    size_t n = 0;
    while (n < COMMAND_MAX_KEY_SPECS && e->row->keys[n].flags) n++;
    return n;
}

static bool is_plain_range(const struct key_spec *k) { return k->begin > 0 && !k->keyword && !k->counted; }

struct key_range command_key_range(const struct command_entry *e)
{
    const size_t n = command_key_specs(e);
    struct key_range range = {0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        const struct key_spec *k = &e->row->keys[i];
        const int last = k->last >= 0 ? k->begin + k->last : k->last;
        if (!is_plain_range(k)) continue;
        if (range.first == 0) range = (struct key_range){k->begin, last, k->step};
        else if (k->step == 1 && range.step == 1 && range.last == k->begin - 1) range.last = last;
    }
    return range;
}

/* Names of values that are no plain strings; where one is of another type, the syntax string says so. */
static const char *value_type(struct span name)
{
    static const struct {
        const char *name, *type;
    } table[] = {
        {"key", "key"},
        {"newkey", "key"},
        {"source", "key"},
        {"destination", "key"},
        {"destkey", "key"},
        {"sourcekey", "key"},
        {"key1", "key"},
        {"key2", "key"},
        {"pattern", "pattern"},
        {"unix-time-seconds", "unix-time"},
        {"unix-time-milliseconds", "unix-time"},
        {"seconds", "integer"},
        {"milliseconds", "integer"},
        {"decrement", "integer"},
        {"count", "integer"},
        {"numkeys", "integer"},
        {"numfields", "integer"},
        {"offset", "integer"},
        {"index", "integer"},
        {"cursor", "integer"},
        {"db", "integer"},
        {"destination-db", "integer"},
        {"client-id", "integer"},
        {"numreplicas", "integer"},
        {"bit", "integer"},
        {"len", "integer"},
        {"limit", "integer"},
        {"ttl", "integer"},
        {"frequency", "integer"},
        {"score", "double"},
        {"longitude", "double"},
        {"latitude", "double"},
        {"radius", "double"},
        {"width", "double"},
        {"height", "double"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (span_eq(name, span_str(table[i].name))) return table[i].type;
    return "string";
}

struct span argument_type(const struct syntax *argument)
{
    if (argument->type.p) return argument->type;
    switch (argument->kind) {
    case SYNTAX_VALUE: return span_str(value_type(argument->text));
    case SYNTAX_LITERAL: return SPAN("pure-token");
    case SYNTAX_ONEOF: return SPAN("oneof");
    case SYNTAX_BLOCK: break;
    }
    return SPAN("block");
}

static void add_lower(struct buf *to, struct span s)
{
    for (size_t i = 0; i < s.n; i++) buf_add_char(to, ascii_lower(s.p[i]));
}

void argument_name(const struct syntax *argument, struct buf *to)
{
    if (argument->name.p) {
        buf_add_span(to, argument->name);
    } else if (argument->text.p) {
        add_lower(to, argument->text);
    } else if (argument->token.p && argument->kind == SYNTAX_ONEOF) {
        add_lower(to, argument->token);
    } else {
        for (const struct syntax *n = argument->first; n; n = n->next) {
            if (n != argument->first) buf_add_char(to, argument->kind == SYNTAX_ONEOF ? '|' : '_');
            argument_name(n, to);
        }
    }
}

/* ---- History ---- */

/* "3.2.10" as a number that grows with the version; 0 for none. */
static unsigned version_number(struct span version)
{
    unsigned sum = 0, part = 0;
    for (size_t i = 0; i < version.n; i++) {
        if (version.p[i] == '.') {
            sum = sum * 1000 + part;
            part = 0;
        } else {
            part = part * 10 + (unsigned)(version.p[i] - '0');
        }
    }
    return version.p ? sum * 1000 + part : 0;
}

/* Make *@next the lower one of itself and @version, if that is above @above. */
static void lower(struct span *next, struct span version, unsigned above)
{
    const unsigned n = version_number(version);
    if (n > above && (!next->p || n < version_number(*next))) *next = version;
}

static void lowest_of_arguments(const struct syntax *list, unsigned above, struct span *next)
{
    for (const struct syntax *a = list; a; a = a->next) {
        lower(next, a->since, above);
        lowest_of_arguments(a->first, above, next);
    }
}

/* Name the arguments that came with @version: by their literals, or by the name of a value. */
static void add_arguments_of(const struct syntax *list, struct span version, struct buf *to)
{
    for (const struct syntax *a = list; a; a = a->next) {
        const bool named = a->kind == SYNTAX_VALUE || a->kind == SYNTAX_LITERAL || a->token.p;
        const bool here = span_eq(a->since, version);
        if (here && named) {
            buf_printf(to, "%s`", to->len ? ", " : "Accepts ");
            buf_add_span(to, a->token.p ? a->token : a->text);
            buf_add_char(to, '`');
        }
        for (const struct syntax *o = a->first; here && !named && o; o = o->next) {
            struct syntax one = *o;
            one.next = NULL;
            one.since = version;
            add_arguments_of(&one, version, to);
        }
        if (!here) add_arguments_of(a->first, version, to);
    }
}

/* The version at the head of a line of a row's history. */
static struct span line_version(const char *line) { return span_of(line, strcspn(line, " ")); }

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

bool command_history_next(const struct command_entry *e, const struct syntax *arguments, struct span *version,
                          struct buf *text)
{
    const char *history = e->row->history ? e->row->history : "";
    const unsigned above = version_number(*version);
    struct span next = {NULL, 0};
    for (const char *line = history; *line; line = next_line(line)) lower(&next, line_version(line), above);
    lowest_of_arguments(arguments, above, &next);
    if (!next.p) return false;
    *version = next;
    text->len = 0;
    add_arguments_of(arguments, next, text);
    if (text->len) buf_add_char(text, '.');
    for (const char *line = history; *line; line = next_line(line)) {
        if (!span_eq(line_version(line), next)) continue;
        if (text->len) buf_add_char(text, ' ');
        buf_add(text, line + next.n + 1, strcspn(line, "\n") - next.n - 1);
    }
    return true;
}
