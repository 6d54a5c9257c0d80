/* Keys that somebody waits for: what BLPOP, BZPOPMIN and XREAD BLOCK are built on.
 *
 *     struct awaited *a = engine_wait_for(e, db, key);   once for each client that begins to wait
 *     ... commands ...
 *     while ((a = engine_next_ready(e)))                 between commands: after a command, a transaction, a script
 *         ... look at the key; serve those who wait for it, in the order in which they came ...
 *     engine_wait_over(e, a);                            once for each that waits no longer
 *
 * A key becomes ready when anything was done to it: it came to be or grew (push, RENAME, COPY, MOVE, RESTORE, SORT STORE,
 * ZADD, XADD ...), or it lost elements or vanished; a stream only when it came to be, got entries, lost a group or vanished.
 * What there is now, the owner sees when it looks: a key that came and went within one script is ready, and has nothing to
 * give.
 * FLUSHALL, SWAPDB and a new data set make every key of the databases concerned ready.
 *
 * However often it changes, a key is listed once until it is taken. Keys are given in the order in which they became ready;
 * one that first held nothing to wait for takes its place when it does. Serving a client with a command of its own may make
 * further keys ready: they come behind. So one who empties the list after each command serves everybody in one turn, and
 * after a transaction or a script as a whole.
 *
 * All is O(1) but for the mass cases, which are O(keys that somebody waits for). An engine for whose keys nobody waits
 * pays one comparison a change. */
#pragma once

#include "common/engine.h"

/* A key that somebody waits for: there until nobody does. */
struct awaited;
unsigned awaited_db(const struct awaited *a);
struct span awaited_key(const struct awaited *a);
/* A place for what its owner keeps with it, NULL at first; the owner sees to it that it is NULL when the last wait ends. */
void **awaited_owned(struct awaited *a);

/* One more waits for @key in @db (the key is copied), or for @a; one less. */
struct awaited *engine_wait_for(struct engine *e, unsigned db, struct span key);
void awaited_once_more(struct awaited *a);
void engine_wait_over(struct engine *e, struct awaited *a);

/* Take the key that became ready first; NULL if there is none. */
struct awaited *engine_next_ready(struct engine *e);

/* For the engine: a table of such keys, made with the first; NULL before. */
struct ready_table;
void ready_touched(const struct engine *e, unsigned db, struct span key);
void ready_flushed(struct ready_table *r, int db); /* -1: every database */
void ready_free(struct ready_table *r);            /* NULL is a no-op */
