/* WATCH: which clients want to know that a key was changed before their EXEC.
 *
 *     name of a key -> its watches, in their databases -> their clients;   client -> its watches
 *
 * A key that had expired when it was watched counts as absent: that it is deleted at last changes nothing. A key that expires
 * later is a change. Main thread. */
#pragma once

#include "common/htable.h"

struct client;
struct server;
struct watch_entry;

struct watches {
    struct htable names;
    uint8_t hash_key[HTABLE_KEY_BYTES];
};

void watches_init(struct watches *w);
void watches_free(struct watches *w);

/* @key in the client's database. Watching it twice is watching it once. */
void watches_add(struct client *c, struct span key);
/* Watch nothing any more; also when it is closed. */
void watches_forget(struct client *c);

/* What it watches was changed, or has expired since. */
bool watches_changed(struct client *c);

/* From the observer of the engine: a key, or all keys of @db (-1: of every one) are being changed; @other: takes the place
 * of @db, or -1. */
void watches_touched(struct server *s, unsigned db, struct span key);
void watches_flushed(struct server *s, int db, int other);

static inline bool watches_any(const struct watches *w) { return w->names.count > 0; }
