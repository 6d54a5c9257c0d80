/* Taking apart the texts of settings. */
#pragma once

#include "common/span.h"

/* Take the next word, up to @separator, off the front of @rest; runs of separators count as one. False at the end. */
bool word_next(struct span *rest, char separator, struct span *word);

/* An amount of memory: digits and, in any case, nothing, b, k, kb, m, mb, g or gb (k is 1000, kb 1024). */
bool word_bytes(struct span s, int64_t *bytes);
