/* Settings of redis.conf that mean nothing here: an existing file is loaded with them, and what was said is noted, with the
 * reason why it has no effect. Where ignoring a value would break what its user counts on, it is refused instead. */
#pragma once

#include "common/buf.h"
#include "common/err.h"

/* Is there such a setting? @why gets the reason. */
MUST_USE bool config_moot_find(struct span name, const char **why);

/* Such a line was read; @words[0] is the name. If its value is not the usual one, a sentence about it is appended to @notes.
 * Errors: ERR_INVALID  its user would count on it, and cannot. */
MUST_USE enum err config_moot_take(const struct span *words, size_t n, struct buf *notes, struct errmsg *m);
