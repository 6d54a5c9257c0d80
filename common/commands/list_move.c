/* LMOVE and its sisters: an element goes from one list to another, or to the other end of the same. */
#include <assert.h>

#include "common/commands/list_handlers.h"

/* Look the key up again, because entries move, and remove it if its list is empty now. */
static void remove_if_empty(struct call *c, struct span key)
{
    struct entry *e = call_find_any(c, key, FOR_WRITE);
    (void)call_remove_if_empty(c, key, e);
}

/* From the list @from at argv[1] to that at argv[2]. False: that is none, and the error was replied. */
static bool move_element(struct call *c, struct list *from, enum list_end from_end, enum list_end to_end)
{
    const struct span from_key = c->argv[1], to_key = c->argv[2];
    struct entry *e;
    if (!call_find(c, to_key, TYPE_LIST, FOR_WRITE, &e)) return false;
    struct list *to = e ? entry_object(e) : list_put(c, to_key);
    struct buf element = {0};
    const bool popped = list_pop(from, from_end, &element);
    assert(popped);
    list_push(to, to_end, buf_span(&element), call_limits(c));
    reply_bulk(c->reply, buf_span(&element));
    buf_free(&element);
    call_changed(c, EVENT_LIST, list_push_event(to_end), to_key, 1);
    call_changed(c, EVENT_LIST, list_pop_event(from_end), from_key, 0);
    if (list_size(from) == 0) remove_if_empty(c, from_key);
    return true;
}

static void move(struct call *c, enum list_end from_end, enum list_end to_end)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    if (e) (void)move_element(c, entry_object(e), from_end, to_end);
    else reply_null(c->reply);
}

void list_lmove(struct call *c)
{
    enum list_end from, to;
    if (list_take_end(c, c->argv[3], &from) && list_take_end(c, c->argv[4], &to)) move(c, from, to);
}

void list_rpoplpush(struct call *c) { move(c, LIST_TAIL, LIST_HEAD); }

/* The effect is the command that does not wait. */
static void move_or_wait(struct call *c, enum list_end from_end, enum list_end to_end, int64_t timeout_ms)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    if (!e) {
        if (!call_wait(c, TYPE_LIST, 1, 1, timeout_ms, NULL)) reply_null(c->reply);
        return;
    }
    if (!move_element(c, entry_object(e), from_end, to_end)) return;
    if (c->argc == 4) CALL_EFFECT(c, SPAN("RPOPLPUSH"), c->argv[1], c->argv[2]);
    else CALL_EFFECT(c, SPAN("LMOVE"), c->argv[1], c->argv[2], c->argv[3], c->argv[4]);
}

void list_blmove(struct call *c)
{
    enum list_end from, to;
    int64_t timeout_ms;
    if (list_take_end(c, c->argv[3], &from) && list_take_end(c, c->argv[4], &to) &&
        call_timeout_s(c, c->argv[5], &timeout_ms))
        move_or_wait(c, from, to, timeout_ms);
}

void list_brpoplpush(struct call *c)
{
    int64_t timeout_ms;
    if (call_timeout_s(c, c->argv[3], &timeout_ms)) move_or_wait(c, LIST_TAIL, LIST_HEAD, timeout_ms);
}
