/* The commands that make a key what it is: a value told in the protocol's own words, for people and for other servers.
 *
 * A large collection is told in several commands of some elements each, so that neither side needs it twice in memory.
 * What no command can tell is left out: when a consumer of a stream was last seen, pending entries that were deleted, the
 * sign of a zero score while a sorted set is small. */
#pragma once

#include "common/keyspace.h"

/* One command; the spans are valid until it returns. An error ends the recipe. */
typedef enum err recipe_step(void *context, const struct span *argv, size_t argc, struct errmsg *m);

/* Errors: those of @step. */
MUST_USE enum err recipe_of(const struct entry *e, recipe_step *step, void *context, struct errmsg *m);
