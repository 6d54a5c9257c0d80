/* Of several keys the first that has something: LMPOP, BLPOP and their kin. */
#pragma once

#include "common/call.h"

/* The first of the @n keys from argv[@first] on that holds a collection of @type, found FOR_WRITE; its index, or 0: there is
 * none; then *failed says whether that was because of another type, and the error was replied. */
size_t first_key(struct call *c, enum type type, size_t first, size_t n, struct entry **e, bool *failed);

/* The same for a command whose arguments are keys and, at the end, a timeout. 0: the reply was written, or the session
 * waits. */
size_t first_key_or_wait(struct call *c, enum type type, struct entry **e);
