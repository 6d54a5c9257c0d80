/* What was taken out of the data and is yet to be freed.
 *
 * Freeing a large collection takes time in proportion, and nobody needs to wait for it: it is handed out of the keyspace
 * in constant time, and freed by a thread that has nothing else to do. A collection is worth the trouble from
 * GRAVEYARD_LARGE elements on, a string from GRAVEYARD_LONG bytes on: the kernel takes back its pages one by one, 20 ms for
 * 512 MB (Redis always waits for that). Without threads of its own, the engine only collects; whoever drives it takes the garbage
 * (engine_take_garbage()) and calls garbage_free() when and where it likes. */
#pragma once

#include "common/keyspace.h"

enum { GRAVEYARD_LARGE = 64 };     /* elements; Redis's figure */
enum { GRAVEYARD_LONG = 1 << 20 }; /* bytes */

/* A list; nobody else knows of what is in it, so it may be freed on any thread. */
struct garbage;
void garbage_free(struct garbage *g); /* NULL is a no-op */

struct graveyard {
    struct garbage *first;
    uint64_t objects; /* keys whose values lie in the list */
    bool open;        /* large values that are removed now come here */
};

/* Is a value that is removed now to come here? */
bool graveyard_wants(const struct graveyard *g, enum type type, const void *object);

bool graveyard_wants_string(const struct graveyard *g, size_t bytes);

/* Take a collection, an allocation that holds a string (TYPE_STRING), or a whole database that nobody refers to any more. */
void graveyard_add_object(struct graveyard *g, enum type type, void *object);
void graveyard_add_db(struct graveyard *g, struct db *d);

/* Give everything to the caller. NULL if there is nothing. */
struct garbage *graveyard_take(struct graveyard *g, uint64_t *objects);
