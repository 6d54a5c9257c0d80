/* What the files of the list commands share, and their handlers. The rows are in lists.c. Only for list*.c. */
#pragma once

#include "common/call.h"
#include "common/types/list.h"

/* list_pop.c: taking elements from the ends, and waiting for them. */
void list_lpop(struct call *c);
void list_rpop(struct call *c);
void list_lmpop(struct call *c);
void list_blpop(struct call *c);
void list_brpop(struct call *c);
void list_blmpop(struct call *c);

/* list_move.c: from one list to another. */
void list_lmove(struct call *c);
void list_rpoplpush(struct call *c);
void list_blmove(struct call *c);
void list_brpoplpush(struct call *c);

/* Names of events. */
static inline const char *list_push_event(enum list_end end) { return end == LIST_HEAD ? "lpush" : "rpush"; }
static inline const char *list_pop_event(enum list_end end) { return end == LIST_HEAD ? "lpop" : "rpop"; }

/* LEFT or RIGHT; the syntax error is replied if it is neither. */
static inline MUST_USE bool list_take_end(struct call *c, struct span word, enum list_end *end)
{
    *end = span_is(word, "RIGHT") ? LIST_TAIL : LIST_HEAD;
    if (*end == LIST_TAIL || span_is(word, "LEFT")) return true;
    reply_syntax_error(c->reply);
    return false;
}

/* A new list at @key. */
static inline struct list *list_put(struct call *c, struct span key)
{
    const struct value v = {.type = TYPE_LIST, .list = list_new()};
    (void)call_put(c, key, &v, NO_EXPIRY);
    return v.list;
}
