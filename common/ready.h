/* Keys that somebody waits for: what BLPOP, BZPOPMIN and XREAD BLOCK are built on.
 *
 *     engine_wait_for(e, db, key);                       once for each client that begins to wait
 *     ... commands ...
 *     while (engine_next_ready(e, &db, &key))            between commands: after a command, a transaction, a script
 *         ... look at the key; serve those who wait for it, in the order in which they came ...
 *     engine_wait_over(e, db, key);                      once for each that waits no longer
 *
 * A key becomes ready when anything was done to it: it came to be or grew (push, RENAME, COPY, MOVE, RESTORE, SORT STORE,
 * ZADD, XADD ...), or it lost elements or vanished, which those who wait for a group of a stream must know. What there
 * is now, the owner sees when it looks: a key that came and went within one script is ready, and has nothing to give.
 * FLUSHALL, SWAPDB and a new data set make every key of the databases concerned ready.
 *
 * However often it changes, a key is listed once until it is taken; keys are given in the order in which they became
 * ready. Serving a client with a command of its own may make further keys ready: they come behind. So one who empties the
 * list after each command serves everybody in one turn, and after a transaction or a script as a whole.
 *
 * All is O(1) but for the mass cases, which are O(keys that somebody waits for). An engine for whose keys nobody waits
 * pays one comparison a change. */
#pragma once

#include "common/engine.h"

/* One more, or one less, waits for @key in @db. The key is copied. */
void engine_wait_for(struct engine *e, unsigned db, struct span key);
void engine_wait_over(struct engine *e, unsigned db, struct span key); /* somebody waits for it */

/* Take the key that became ready first; false if there is none. @key is borrowed until nobody waits for it any more. */
bool engine_next_ready(struct engine *e, unsigned *db, struct span *key);

/* For the engine: a table of such keys, made with the first; NULL before. */
struct ready_table;
void ready_touched(struct ready_table *r, unsigned db, struct span key);
void ready_flushed(struct ready_table *r, int db); /* -1: every database */
void ready_free(struct ready_table *r);            /* NULL is a no-op */
