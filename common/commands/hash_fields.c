#include "common/commands/hash_fields.h"

#include "common/mem.h"

_Static_assert(FIELD_STAYS == NO_EXPIRY, "fields and keys say alike that they do not expire");

static bool may_have_dead(const struct call *c, const struct entry *e)
{
    return e && hash_may_have_dead(entry_object(e), call_fields_now(c));
}

bool hash_fields_read(struct call *c, struct entry **e)
{
    if (!call_find(c, c->argv[1], TYPE_HASH, FOR_READ, e)) return false;
    if (may_have_dead(c, *e)) *e = call_reap_fields(c, *e);
    return true;
}

bool hash_fields_write(struct call *c, struct field_args fields, struct entry **e)
{
    if (!call_find(c, c->argv[1], TYPE_HASH, FOR_WRITE, e)) return false;
    if (may_have_dead(c, *e)) *e = call_reap_fields(c, *e);
    hash_fields_drop_dead(c, fields, e);
    return true;
}

void hash_fields_drop_dead(struct call *c, struct field_args fields, struct entry **e)
{
    for (size_t i = 0; i < fields.count && may_have_dead(c, *e); i++) {
        const struct span field = c->argv[fields.first + i * fields.step];
        if (hash_is_dead(entry_object(*e), field, call_fields_now(c))) *e = call_expire_field(c, *e, field);
    }
}

bool hash_fields_take(struct call *c, size_t at, size_t per, const char *bad_number, struct field_args *f)
{
    int64_t n;
    if (!span_is(c->argv[at], "FIELDS")) {
        reply_error(c->reply, "ERR Mandatory argument FIELDS is missing or not at the right position");
        return false;
    }
    if (at + 1 >= c->argc || !num_parse_i64(c->argv[at + 1], &n) || n < 1) {
        reply_error(c->reply, "%s", bad_number);
        return false;
    }
    const size_t rest = c->argc - at - 2;
    if (rest % per || (uint64_t)n != rest / per) {
        reply_error(c->reply, "ERR The `numfields` parameter must match the number of arguments");
        return false;
    }
    *f = ARGUMENTS(at + 2, (size_t)n, per);
    return true;
}

bool hash_fields_time(struct call *c, struct span s, struct time_unit unit, int64_t *expiry)
{
    int64_t v;
    if (!call_int(c, s, &v)) return false;
    if (v < 0) {
        reply_error(c->reply, "ERR invalid expire time, must be >= 0");
        return false;
    }
    const int64_t base = unit.absolute ? 0 : c->now_ms;
    if (v > FIELD_EXPIRY_MAX / unit.ms || v * unit.ms > FIELD_EXPIRY_MAX - base) {
        reply_error(c->reply, "ERR invalid expire time in '%s' command", c->command->name);
        return false;
    }
    *expiry = v * unit.ms + base;
    return true;
}

void hash_fields_list_begin(struct field_list *l, size_t room)
{
    *l = (struct field_list){mem_zalloc(FIELD_LIST_HEAD + room, sizeof *l->argv), 0};
}

void hash_fields_list_add(struct field_list *l, struct span field) { l->argv[FIELD_LIST_HEAD + l->count++] = field; }

/* List the fields behind the first @n arguments in @head. */
static void log_list(struct call *c, struct field_list *l, const struct span *head, size_t n)
{
    struct span *argv = l->argv + FIELD_LIST_HEAD - n;
    memcpy(argv, head, n * sizeof *head);
    call_effect(c, argv, n + l->count);
}

void hash_fields_log_removal(struct call *c, struct field_list *l)
{
    const struct span head[] = {SPAN("HDEL"), c->argv[1]};
    if (l->count) log_list(c, l, head, 2);
}

void hash_fields_log_values(struct call *c, struct field_list *l)
{
    const struct span head[] = {SPAN("HSET"), c->argv[1]};
    log_list(c, l, head, 2);
}

void hash_fields_log_expiry(struct call *c, struct field_list *l, int64_t expiry)
{
    char time[NUM_I64_MAX_TEXT], number[NUM_I64_MAX_TEXT];
    const struct span n = span_of(number, num_format_u64(number, l->count));
    if (l->count == 0) return;
    if (expiry == FIELD_STAYS) {
        const struct span head[] = {SPAN("HPERSIST"), c->argv[1], SPAN("FIELDS"), n};
        log_list(c, l, head, 4);
    } else {
        const struct span head[] = {SPAN("HPEXPIREAT"), c->argv[1], span_of(time, num_format_i64(time, expiry)),
                                    SPAN("FIELDS"), n};
        log_list(c, l, head, FIELD_LIST_HEAD);
    }
}

void hash_fields_list_end(struct field_list *l) { mem_free(l->argv); }

struct hash *hash_fields_make(struct call *c, struct entry **e)
{
    if (!*e) {
        const struct value v = {.type = TYPE_HASH, .hash = hash_new(call_hash_key(c))};
        *e = call_put(c, c->argv[1], &v, NO_EXPIRY);
    }
    return entry_object(*e);
}

bool hash_fields_get(const struct call *c, const struct entry *e, struct span field, struct span *value,
                     char *scratch)
{
    return e && hash_get_live(entry_object(e), field, call_fields_now(c), value, scratch);
}

void hash_fields_changed(struct call *c, const char *event, struct entry *e, uint64_t changes)
{
    call_settle_fields(c, e);
    call_changed(c, EVENT_HASH, event, c->argv[1], changes);
    (void)call_remove_if_empty(c, c->argv[1], e);
}
