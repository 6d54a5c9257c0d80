/* Making entries and changing them in place: what databases (keyspace.c) need of the layout, which is entry.c's own. What
 * everybody may ask of an entry stands in keyspace.h. */
#pragma once

#include "common/keyspace.h"

enum { ENTRY_EMBED_MAX = 448 }; /* bytes; a longer string has an allocation of its own */

struct graveyard;

/* What an entry is to hold, decided before its size is known. */
struct entry_plan {
    enum type type;
    unsigned form;
    struct span key, string;
    uint64_t word; /* integer, or pointer */
    int64_t expiry;
    uint32_t keep; /* clock and BIT_EDITED that go over from an older entry */
};

/* The plan of a new entry. Takes the collection; a string that is kept in the entry stays borrowed until it is built. */
struct entry_plan entry_plan_value(struct span key, const struct value *v, int64_t expiry);
/* The plan of an entry as it is, to be built again with something changed: borrows from it. */
struct entry_plan entry_plan_of(const struct entry *e);

struct entry *entry_build(const struct entry_plan *p);

/* Overwrite the value where it stands, if the new one fits there: the usual case of a SET on an existing key. */
bool entry_overwrite(struct entry *e, const struct entry_plan *p);

/* Free what hangs on the entry, or leave it to the graveyard, if there is one and it wants it. */
void entry_release_value(struct entry *e, struct graveyard *g);

bool entry_has_expiry(const struct entry *e);
void entry_store_expiry(struct entry *e, int64_t expiry); /* of one that has such a time */

/* Make a string @n > 0 bytes long, with zeros at the end where it grows, as a string that is edited in place. True: it
 * was done in @e. False: a new entry is to be built by @p, which took over what @e held; @room (ENTRY_EMBED_MAX bytes)
 * holds the string until then. */
bool entry_stretch(struct entry *e, size_t n, struct entry_plan *p, char *room);
char *entry_string_bytes(struct entry *e); /* of a stretched one */

/* Assert what must be true of an entry. For tests. */
void entry_check(const struct entry *e);
