/* Looking up hashes whose fields may be dead: what every command on hashes begins with.
 *
 *     struct entry *e;
 *     if (!hash_fields_write(c, ARGUMENTS(2, c->argc - 2, 1), &e)) return;    // WRONGTYPE was replied
 *     ... change entry_object(e) ...
 *     hash_fields_changed(c, "hset", e, changes);
 *
 * A primary deletes dead fields on the way: all of a small hash, and in a large one, of which it could take long, some and
 * those that the command is about to write. Those that stay are to be passed over, by the functions of
 * types/hash_expiry.h with call_fields_now(). The hash is the one at argv[1]. */
#pragma once

#include "common/commands/expiry.h"
#include "common/types/hash_expiry.h"

/* Fields among the arguments: @count of them from @first on, one in @step. */
struct field_args {
    size_t first, count, step;
};
#define ARGUMENTS(first_, count_, step_) ((struct field_args){(first_), (count_), (step_)})

/* *e is NULL if there is no such key. False: it is no hash, which was replied. */
MUST_USE bool hash_fields_read(struct call *c, struct entry **e);
/* The same for a write of these fields: none of them is dead afterwards. */
MUST_USE bool hash_fields_write(struct call *c, struct field_args fields, struct entry **e);

/* Delete those of the fields that are dead, where hash_fields_write() did not know them yet. */
void hash_fields_drop_dead(struct call *c, struct field_args fields, struct entry **e);

/* The hash at @e, or a new one at argv[1] if that is NULL; *e is set. */
struct hash *hash_fields_make(struct call *c, struct entry **e);

/* A value that is not dead, and whether there is one. @e may be NULL. */
bool hash_fields_get(const struct call *c, const struct entry *e, struct span field, struct span *value,
                     char *scratch);

/* Read "FIELDS number field ..." from argv[at] to the end, with @per arguments for each field. False: an error was
 * replied; @bad_number is the one for a number that is none or below 1. */
MUST_USE bool hash_fields_take(struct call *c, size_t at, size_t per, const char *bad_number, struct field_args *f);
/* Read an expiry time: now or later, and not beyond FIELD_EXPIRY_MAX. */
MUST_USE bool hash_fields_time(struct call *c, struct span s, struct time_unit unit, int64_t *expiry);

/* The fields that a command changed, as the end of an effect that names them. */
struct field_list {
    struct span *argv; /* room for HEAD spans, then the fields */
    size_t count;
};
enum { FIELD_LIST_HEAD = 5 };
void hash_fields_list_begin(struct field_list *l, size_t room);
void hash_fields_list_add(struct field_list *l, struct span field);
/* List "HDEL key field ...", or "HPEXPIREAT key expiry FIELDS number field ...", or "HPERSIST key FIELDS number field ..."
 * (FIELD_STAYS), unless there are none. */
void hash_fields_log_removal(struct call *c, struct field_list *l);
void hash_fields_log_expiry(struct call *c, struct field_list *l, int64_t expiry);
/* The list has fields and values in turn: "HSET key field value ...". */
void hash_fields_log_values(struct call *c, struct field_list *l);
void hash_fields_list_end(struct field_list *l);

/* Report changes as call_changed() does, and remove the key if that was all of the hash. */
void hash_fields_changed(struct call *c, const char *event, struct entry *e, uint64_t changes);
