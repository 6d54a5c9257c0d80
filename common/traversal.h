/* The versioned traversal: the data set as it was at one moment, in small pieces, while commands go on changing it.
 *
 *     traversal_begin()     the moment; nothing is copied
 *     traversal_step()      appends pieces (piece.h) of about a budget of bytes, as often as there is time for it
 *     traversal_free()
 *
 * It walks each database in the order of the hash, granule after granule (granules.h), about a bucket each. The engine
 * announces each change before it happens. If that key was not given yet, its record is made at once, with the old value, to go
 * out with the next step, and its slot is marked; from then on anything may happen to it. So every key of the moment of begin
 * goes out exactly once, with its value of that moment, in no particular order; SELECTDB stands before it where the
 * database changes. The memory is one bit for each bucket and what was made since the last step, and as the whole is made
 * once, early or late, writers cost the traversal little but a look at that mark.
 *
 * The record of a large collection is made part by part (portrait.h), whether the walk comes upon it or a change. One after
 * the other comes to the front of stream 0 and is finished before the walk goes on. So a step, and a change, cost a
 * bounded time whatever the sizes are. Elements are made whole; a long string is held, and copied by the first command that
 * edits it in place.
 *
 * What others let go while it is still needed becomes the traversal's, in constant time, and goes to the engine's garbage
 * in the end: a database that is flushed before it was walked to its end, a large collection that is deleted or
 * overwritten before its portrait is done. SWAPDB only changes the number under which changes are announced; a renamed
 * or moved collection stays where it is in memory, and so does its portrait.
 *
 * One traversal per engine at a time, on the engine's thread. The engine must outlive it. */
#pragma once

#include "common/engine.h"

struct traversal;

/* Begin, and attach to the engine. */
struct traversal *traversal_begin(struct engine *e);

/* What is larger is made part by part, from now on; 512 elements or 64 KB without this. */
struct portrait_bounds;
void traversal_set_bounds(struct traversal *t, const struct portrait_bounds *b);

/* Detach and free; at any time. NULL is a no-op. */
void traversal_free(struct traversal *t);

/* Append pieces to @out, whose stream 0 is the records of all keys (SELECTDB and RESIZEDB included; neither header, aux
 * fields nor EOF), until about @budget_bytes were added, or as many buckets of the tables were passed as would have cost
 * about the same time. All that was kept since the last step goes out, however much it is, and the walk goes on for
 * half of the budget at least. False when everything has been given. */
bool traversal_step(struct traversal *t, struct buf *out, size_t budget_bytes);

/* Append to @out the pieces that changes gave since the last step, and nothing else: where nobody can take more at the moment. */
void traversal_take(struct traversal *t, struct buf *out);

/* Bytes of the memory that the traversal needs for itself: kept pieces, bits. What it took over is not in it. */
size_t traversal_bytes(const struct traversal *t);

/* Keys given so far, and keys that there were in all at the moment of begin: for progress. */
uint64_t traversal_given(const struct traversal *t);
uint64_t traversal_total(const struct traversal *t);

/* For the engine, which calls them before the event, whoever causes it (a command, expiry, eviction, a replayed effect).
 * Calling one of them for something that does not happen after all does no harm. */

/* The key of this hash in database @db may be created, changed in any part (value, expiry) or removed. */
void traversal_before_change(struct traversal *t, unsigned db, uint64_t hash);
/* Database @db is to be emptied; -1: all. The database may be empty already afterwards. */
void traversal_before_flush(struct traversal *t, int db);
/* Databases @a and @b exchange their data. */
void traversal_before_swap(struct traversal *t, unsigned a, unsigned b);
