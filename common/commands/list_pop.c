/* LPOP and its sisters: elements are taken from an end of a list, or of the first of several that has any. */
#include <assert.h>

#include "common/commands/first_key.h"
#include "common/commands/list_handlers.h"

/* Reply the @n elements of @l that stand from @end on, as an array. */
static void reply_elements(struct call *c, const struct list *l, enum list_end end, uint64_t n)
{
    struct list_iter i;
    struct span s;
    char scratch[NUM_I64_MAX_TEXT];
    reply_array(c->reply, n);
    list_iter_begin(&i, l, end == LIST_HEAD ? 0 : -1, end == LIST_TAIL);
    for (; n > 0 && list_iter_next(&i, &s, scratch); n--) reply_bulk(c->reply, s);
}

/* Reply and remove @n elements at one end. */
static void pop_elements(struct call *c, struct span key, struct entry *e, enum list_end end, uint64_t n)
{
    struct list *l = entry_object(e);
    reply_elements(c, l, end, n);
    list_remove_range(l, end == LIST_HEAD ? 0 : list_size(l) - n, n);
    call_changed(c, EVENT_LIST, list_pop_event(end), key, n);
    (void)call_remove_if_empty(c, key, e);
}

static void pop_one(struct call *c, struct span key, struct entry *e, enum list_end end)
{
    struct list *l = entry_object(e);
    struct span s;
    char scratch[NUM_I64_MAX_TEXT];
    const bool there = list_get(l, end == LIST_HEAD ? 0 : -1, &s, scratch);
    assert(there);
    reply_bulk(c->reply, s);
    (void)list_pop(l, end, NULL);
    call_changed(c, EVENT_LIST, list_pop_event(end), key, 1);
    (void)call_remove_if_empty(c, key, e);
}

static void pop(struct call *c, enum list_end end)
{
    struct entry *e;
    int64_t count = 1;
    const bool counted = c->argc > 2;
    if (c->argc > 3) {
        reply_error(c->reply, "ERR wrong number of arguments for '%s' command", list_pop_event(end));
        return;
    }
    if (counted && !call_int_in(c, c->argv[2], 0, INT64_MAX, &count, "ERR value is out of range, must be positive"))
        return;
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    if (!e) {
        if (counted) reply_null_array(c->reply);
        else reply_null(c->reply);
    } else if (!counted) {
        pop_one(c, c->argv[1], e, end);
    } else if (count == 0) {
        reply_array(c->reply, 0);
    } else {
        const uint64_t size = list_size(entry_object(e));
        pop_elements(c, c->argv[1], e, end, (uint64_t)count < size ? (uint64_t)count : size);
    }
}

void list_lpop(struct call *c) { pop(c, LIST_HEAD); }
void list_rpop(struct call *c) { pop(c, LIST_TAIL); }

/* The effect of having popped from one of several keys. */
static struct span effect_name(enum list_end end) { return end == LIST_HEAD ? SPAN("LPOP") : SPAN("RPOP"); }

/* What LMPOP and BLMPOP take behind the timeout. */
struct many {
    size_t first, keys;
    enum list_end end;
    int64_t count;
};

static bool take_many(struct call *c, size_t at, struct many *m)
{
    int64_t n;
    *m = (struct many){.first = at + 1, .count = 1};
    if (!call_int_in(c, c->argv[at], 1, INT64_MAX, &n, "ERR numkeys should be greater than 0")) return false;
    if ((uint64_t)n >= c->argc - m->first) { /* the end stands behind the keys */
        reply_syntax_error(c->reply);
        return false;
    }
    m->keys = (size_t)n;
    at = m->first + m->keys;
    if (!list_take_end(c, c->argv[at], &m->end)) return false;
    if (c->argc == at + 1) return true;
    if (c->argc == at + 2 || !span_is(c->argv[at + 1], "COUNT")) {
        reply_syntax_error(c->reply);
        return false;
    }
    if (!call_int_in(c, c->argv[at + 2], 1, INT64_MAX, &m->count, "ERR count should be greater than 0")) return false;
    if (c->argc == at + 3) return true;
    reply_syntax_error(c->reply);
    return false;
}

/* False: none of the keys has anything. */
static bool pop_many(struct call *c, const struct many *m)
{
    struct entry *e;
    bool failed;
    const size_t at = first_key(c, TYPE_LIST, m->first, m->keys, &e, &failed);
    if (!at) return failed;
    const struct span key = c->argv[at];
    const uint64_t size = list_size(entry_object(e)), count = (uint64_t)m->count < size ? (uint64_t)m->count : size;
    char text[NUM_I64_MAX_TEXT];
    reply_array(c->reply, 2);
    reply_bulk(c->reply, key);
    pop_elements(c, key, e, m->end, count);
    CALL_EFFECT(c, effect_name(m->end), key, span_of(text, num_format_u64(text, count)));
    return true;
}

void list_lmpop(struct call *c)
{
    struct many m;
    if (take_many(c, 1, &m) && !pop_many(c, &m)) reply_null_array(c->reply);
}

void list_blmpop(struct call *c)
{
    struct many m;
    int64_t timeout_ms;
    if (!call_timeout_s(c, c->argv[1], &timeout_ms) || !take_many(c, 2, &m) || pop_many(c, &m)) return;
    if (!call_wait(c, TYPE_LIST, m.first, m.keys, timeout_ms, NULL)) reply_null_array(c->reply);
}

static void pop_or_wait(struct call *c, enum list_end end)
{
    struct entry *e;
    const size_t at = first_key_or_wait(c, TYPE_LIST, &e);
    if (!at) return;
    reply_array(c->reply, 2);
    reply_bulk(c->reply, c->argv[at]);
    pop_one(c, c->argv[at], e, end);
    CALL_EFFECT(c, effect_name(end), c->argv[at]);
}

void list_blpop(struct call *c) { pop_or_wait(c, LIST_HEAD); }
void list_brpop(struct call *c) { pop_or_wait(c, LIST_TAIL); }
