/* Which hashes of a database have fields that expire, in the order of when the first of those does: a 4-ary heap (D. B.
 * Johnson, 1975) of times and entries. A hash knows its own place in it (hash_place()), so all but looking at the first
 * costs O(log N). An entry without such fields, or of another type, is none of its business: every function takes it
 * and does nothing. Belongs to keyspace.c. */
#pragma once

#include "common/keyspace.h"

struct field_index {
    struct field_due *heap;
    uint64_t count, room;
};

/* Forget everything; the hashes are about to be freed. */
void field_index_clear(struct field_index *x);
/* The entry has come, or moved in memory, or its fields' times have changed: put it where it belongs, or take it out. */
void field_index_settle(struct field_index *x, struct entry *e);
void field_index_remove(struct field_index *x, const struct entry *e);
bool field_index_has(const struct entry *e);
/* The first, if its time lies before @now_ms, or NULL. */
struct entry *field_index_due(const struct field_index *x, int64_t now_ms);
void field_index_put_off(struct field_index *x, struct entry *e, int64_t until_ms);
void field_index_check(const struct field_index *x);
