/* Who loads what a cache lacks: at most one holder for each key at any time.
 *
 *     free --take--> held --end, with its token--> free
 *                     |-----its time is over-----> free
 *                     `-----void: the key was written or deleted, or the data set is another-----> free
 *
 * A token is good for its key while the lease is held, and never again: no two leases of any engine have the same one. So
 * whoever holds a token that is still good knows that nobody wrote the key since the lease was taken.
 *
 * Leases are not data: they are neither logged nor replicated, and a restart or another role makes them void. Of keys a
 * 128-bit hash under a secret is kept. When there are too many leases, that which ends first gives way: its holder's token
 * is not good any more, which costs a load and nothing else. Pure; times are Unix milliseconds. */
#pragma once

#include "common/span.h"

enum { LEASES_MAX = 65536, LEASE_TOKEN_CHARS = 32 };

struct leases;

/* @secret: for the hashes. @incarnation: of all tokens that this table gives; a random number. */
struct leases *leases_new(const uint8_t secret[16], uint64_t incarnation);
void leases_free(struct leases *l); /* NULL is a no-op */

/* Take the lease of @key for @length_ms > 0. True: it is the caller's, and @token is filled in. */
bool leases_take(struct leases *l, unsigned db, struct span key, int64_t now_ms, int64_t length_ms,
                 char token[LEASE_TOKEN_CHARS]);

/* For how long somebody holds the lease of @key still; 0: nobody does. */
int64_t leases_left_ms(struct leases *l, unsigned db, struct span key, int64_t now_ms);

/* End the lease that @token stands for. False: it is not good, and nothing was changed. */
bool leases_end(struct leases *l, unsigned db, struct span key, int64_t now_ms, struct span token);

/* Whoever holds the lease of @key, or of any key, holds it no more. */
void leases_void(struct leases *l, unsigned db, struct span key);
void leases_void_all(struct leases *l);

/* Forget some that are over. */
void leases_tend(struct leases *l, int64_t now_ms);

size_t leases_count(const struct leases *l); /* some may be over */

/* Assert every invariant. For tests. */
void leases_check(const struct leases *l);
