/* A sorted set: members (byte strings) ordered by (score, member). A listpack while small; then a counted B+ tree in
 * the order of the scores beside a hash table by member.
 *
 * Usable without the keyspace. Not thread-safe. A score is never NaN. As in Redis a listpack keeps -0 as 0, and the
 * large form keeps the sign. */
#pragma once

#include "common/engine.h"
#include "common/htable.h"

struct zset;

struct zset *zset_new(const uint8_t *hash_key);
void zset_free(struct zset *z);
struct zset *zset_dup(const struct zset *z);

/* @members are about to be added, the longest of them of @longest bytes: take the form and the size for that at once. */
void zset_expect(struct zset *z, uint64_t members, size_t longest, const struct encoding_limits *limits);

uint64_t zset_size(const struct zset *z);
bool zset_score(const struct zset *z, struct span member, double *score);

/* What zset_add() may do. */
enum zset_rule {
    ZSET_INCREMENT = 1 << 0, /* the number is added to the score that the member has (0 if it is new) */
    ZSET_IF_NEW = 1 << 1,
    ZSET_IF_THERE = 1 << 2,
    ZSET_IF_GREATER = 1 << 3, /* a member that is there moves only upwards */
    ZSET_IF_LESS = 1 << 4,
};
enum zset_added {
    ZSET_ADDED,
    ZSET_MOVED,
    ZSET_SAME,    /* it has that score already */
    ZSET_REFUSED, /* by a rule; *score is as it was given */
    ZSET_NAN,     /* inf - inf; nothing was changed */
};
/* Add a member or change its score under @rules. *score comes in as the score or the increment, and goes out as the
 * score that the member has then. One look-up. */
enum zset_added zset_add(struct zset *z, struct span member, unsigned rules, double *score,
                         const struct encoding_limits *limits);

/* Add, or move to another score; true if the member is new. */
bool zset_set(struct zset *z, struct span member, double score, const struct encoding_limits *limits);
bool zset_remove(struct zset *z, struct span member);
/* 0 is the lowest. */
bool zset_rank(const struct zset *z, struct span member, uint64_t *rank);

/* Bounds of a range. */
struct zset_score_range {
    double min, max;
    bool min_open, max_open; /* the bound itself is outside */
};
struct zset_lex_range {
    struct span min, max; /* p is NULL: unbounded on that side */
    bool min_open, max_open;
};
/* Ranks [*first, *last) of the members in the range; both equal if there are none. O(log N). */
void zset_find_scores(const struct zset *z, const struct zset_score_range *range, uint64_t *first, uint64_t *last);
void zset_find_lex(const struct zset *z, const struct zset_lex_range *range, uint64_t *first, uint64_t *last);

/* Walk from @rank on, upwards or downwards. An iterator dies with the next change. */
struct zset_iter {
    const struct zset *zset;
    const void *node;
    unsigned at;
    const unsigned char *in_listpack;
    bool backwards;
};
void zset_iter_begin(struct zset_iter *i, const struct zset *z, uint64_t rank, bool backwards);
bool zset_iter_next(struct zset_iter *i, struct span *member, double *score, char *scratch);

/* Remove the members with ranks [first, last). */
void zset_remove_ranks(struct zset *z, uint64_t first, uint64_t last);

/* As set_scan(): in no particular order. */
typedef void zset_visit(void *context, struct span member, double score);
uint64_t zset_scan(const struct zset *z, uint64_t from, zset_visit *visit, void *context);

/* Visit the chosen members (htable.h) of the large encoding. */
struct htable_choice;
void zset_visit_chosen(const struct zset *z, const struct htable_choice *c, zset_visit *visit, void *context);

const char *zset_encoding(const struct zset *z); /* "listpack", "skiplist" (the name that Redis's tools know) */
size_t zset_bytes(const struct zset *z, uint64_t samples);
void zset_check(const struct zset *z);

/* The table of the large encoding, else NULL: for who watches it (watch.h). */
struct htable *zset_table(const struct zset *z);

/* For the RDB codec: the listpack (member, score, ...; ascending) as it stands in memory, if that is the encoding. */
struct span zset_listpack(const struct zset *z);
/* Make one of a listpack that lp_valid() approved, of an even count; takes it. False: out of order, a score that is no
 * number, or a member twice. */
MUST_USE bool zset_of_listpack(void *listpack, const uint8_t *hash_key, const struct encoding_limits *limits,
                               struct zset **z);
