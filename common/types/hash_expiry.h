/* Fields of a hash that expire.
 *
 * The hash reads no clock and removes nothing by itself: a field whose time lies before the @now_ms of a function is
 * dead, and it is that function which passes it over. With FIELDS_ALL none is dead. What hash.h declares sees dead fields
 * like others. Usable without the keyspace. Not thread-safe. */
#pragma once

#include "common/num.h"
#include "common/types/hash.h"

#define FIELD_STAYS      INT64_C(-1)              /* no expiry time */
#define FIELDS_ALL       INT64_MIN                /* a time before which nothing ends */
#define FIELD_EXPIRY_MAX ((INT64_C(1) << 46) - 1) /* Unix time in ms; Redis's limit, which leads to the year 4199 */

uint64_t hash_timed_fields(const struct hash *h); /* how many have an expiry time */
/* A time before which no field dies; INT64_MAX if none ever does. It may be too early, never too late. O(1). */
int64_t hash_next_expiry(const struct hash *h);
/* The earliest expiry time, INT64_MAX if there is none. O(N). */
int64_t hash_first_expiry(const struct hash *h);
static inline bool hash_may_have_dead(const struct hash *h, int64_t now_ms) { return hash_next_expiry(h) < now_ms; }

/* As hash_set(), with an expiry time (Unix time in ms, or FIELD_STAYS) that takes the place of the old one. */
bool hash_set_timed(struct hash *h, struct span field, struct span value, int64_t expiry,
                    const struct encoding_limits *limits);
/* The expiry time of a field, or FIELD_STAYS; false if there is no such field. */
bool hash_expiry(const struct hash *h, struct span field, int64_t *expiry);
/* Change only the expiry time of a field that exists. */
void hash_set_expiry(struct hash *h, struct span field, int64_t expiry);

bool hash_get_live(const struct hash *h, struct span field, int64_t now_ms, struct span *value, char *scratch);
bool hash_is_dead(const struct hash *h, struct span field, int64_t now_ms); /* it is there, and dead */
uint64_t hash_live(const struct hash *h, int64_t now_ms);                   /* O(N) if there may be dead ones */

/* As hash_scan() and hash_each(), without the dead. */
uint64_t hash_scan_live(const struct hash *h, uint64_t from, int64_t now_ms, hash_visit *visit, void *context);
void hash_each_live(const struct hash *h, int64_t now_ms, hash_visit *visit, void *context);
/* All fields, with their expiry times or FIELD_STAYS. */
typedef void hash_timed_visit(void *context, struct span field, struct span value, int64_t expiry);
uint64_t hash_scan_timed(const struct hash *h, uint64_t from, hash_timed_visit *visit, void *context);
/* As hash_visit_chosen(). */
void hash_visit_chosen_timed(const struct hash *h, const struct htable_choice *c, hash_timed_visit *visit,
                             void *context);
void hash_each_timed(const struct hash *h, hash_timed_visit *visit, void *context);
/* As hash_random() among the living, of which there is one at least. */
void hash_random_live(const struct hash *h, int64_t now_ms, uint64_t (*random)(void *context), void *context,
                      struct buf *field, struct buf *value);

/* Dead fields that were taken out, their names valid until hash_reaped_free(). */
enum { HASH_REAP_MAX = 64 };
struct hash_reaped {
    struct span names[HASH_REAP_MAX];
    size_t count;
    uint64_t looked_at; /* fields with a time that were examined, living ones included */
    uint64_t passed;    /* buckets of the table */
    void *items[HASH_REAP_MAX];
    char texts[HASH_REAP_MAX + 1][NUM_I64_MAX_TEXT];
    void *old;
};
/* Go on with the search for dead fields, in a table by at most @looks fields and @buckets buckets (and never much more
 * than HASH_REAP_MAX fields), in a listpack through all of it, and take out what is dead. hash_next_expiry() is exact
 * whenever the search has passed the whole hash. */
void hash_reap(struct hash *h, int64_t now_ms, uint64_t looks, uint64_t buckets, struct hash_reaped *r);
void hash_reaped_free(struct hash_reaped *r);

/* A number that belongs to whoever keeps the hash in an index; NULL if no field ever had a time. It is HASH_NOWHERE
 * in a hash that was just made or copied. */
#define HASH_NOWHERE UINT64_MAX
uint64_t *hash_place(struct hash *h);
