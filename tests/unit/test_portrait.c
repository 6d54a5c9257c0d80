/* Large collections in a snapshot: given part by part, as they were at the beginning. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/graveyard.h"
#include "common/portrait.h"
#include "common/traversal.h"
#include "tests/unit/random_commands.h"
#include "tests/unit/snapshot.h"

enum { MEMBERS = 4000 };

/* A snapshot under way. */
struct shot {
    struct fixture f;
    struct rand r;
    uint8_t digest[ENGINE_DIGEST_BYTES];
    struct traversal *t;
    struct buf pieces;
    char who[40];
};

static void begin(struct shot *s)
{
    engine_digest_full(s->f.engine, s->digest);
    s->t = traversal_begin(s->f.engine);
}

/* Give the rest, load everything and compare. */
static void end(struct shot *s)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    uint8_t got[ENGINE_DIGEST_BYTES];
    while (traversal_step(s->t, &s->pieces, 1000)) continue;
    cr_expect_eq(traversal_given(s->t), traversal_total(s->t));
    traversal_free(s->t);
    engine_check(s->f.engine);
    struct engine *copy = engine_new(&options);
    snapshot_load(&s->pieces, copy, s->who);
    engine_digest_full(copy, got);
    cr_expect_arr_eq(got, s->digest, sizeof got, "%s", s->who);
    engine_check(copy);
    engine_free(copy);
    buf_free(&s->pieces);
    fixture_free(&s->f);
}

static const char types[] = "shzxl"; /* sets, hashes, sorted sets, streams, lists: keys have these names */

static void add(struct shot *s, char type, const char *key, unsigned member, unsigned value)
{
    switch (type) {
    case 's': (void)fixture_do(&s->f, "SADD %s member%u", key, member); break;
    case 'h': (void)fixture_do(&s->f, "HSET %s member%u value%u", key, member, value); break;
    case 'l': (void)fixture_do(&s->f, "RPUSH %s element%u", key, member); break;
    case 'x': (void)fixture_do(&s->f, "XADD %s * member%u %u", key, member, value); break;
    default: (void)fixture_do(&s->f, "ZADD %s %u member%u", key, value, member);
    }
}

static void fill(struct shot *s, char type, const char *key)
{
    for (unsigned i = 0; i < MEMBERS; i++) add(s, type, key, i, i % 1000);
    if (type != 'x') return;
    for (unsigned i = 0; i < 30; i++) add(s, type, key, i, i); /* the last node has room */
    for (unsigned group = 0; group < 3; group++) {
        (void)fixture_do(&s->f, "XGROUP CREATE x group%u 0", group);
        for (unsigned i = 0; i < 40; i++)
            (void)fixture_do(&s->f, "XREADGROUP GROUP group%u c%u COUNT %u STREAMS x >", group, i % 7,
                             group == 2 ? 2 : 50);
    }
}

/* An ID that a stream's entry has, or had, or may have. */
static const char *some_id(struct shot *s, char *to, size_t room)
{
    const int64_t ms = s->f.now_ms - 2 + (int64_t)rand_below(&s->r, 4);
    (void)snprintf(to, room, "%lld-%u", (long long)ms, (unsigned)rand_below(&s->r, MEMBERS));
    return to;
}

static void change_stream(struct shot *s)
{
    struct fixture *f = &s->f;
    char one[40], two[40];
    const char *id = some_id(s, one, sizeof one), *id2 = some_id(s, two, sizeof two);
    const unsigned g = (unsigned)rand_below(&s->r, 4), c = (unsigned)rand_below(&s->r, 9),
                   n = (unsigned)rand_below(&s->r, 20);
    switch (rand_below(&s->r, 24)) {
    case 0: (void)fixture_do(f, "XDEL x %s %s", id, id2); break;
    case 1: (void)fixture_do(f, "XTRIM x MAXLEN %u", MEMBERS - n); break;
    case 2: (void)fixture_do(f, "XTRIM x MINID ~ %s", id); break;
    case 3:
    case 4: (void)fixture_do(f, "XREADGROUP GROUP group%u c%u COUNT %u STREAMS x >", g, c, n); break;
    case 5: (void)fixture_do(f, "XREADGROUP GROUP group%u c%u COUNT %u STREAMS x %s", g, c, n, id); break;
    case 6:
    case 7: (void)fixture_do(f, "XACK x group%u %s %s", g, id, id2); break;
    case 8: (void)fixture_do(f, "XCLAIM x group%u c%u 0 %s %s", g, c, id, id2); break;
    case 9: (void)fixture_do(f, "XAUTOCLAIM x group%u c%u 0 %s COUNT %u", g, c, id, n + 1); break;
    case 10: (void)fixture_do(f, "XGROUP CREATE x group%u %s", g, id); break;
    case 11: (void)fixture_do(f, "XGROUP SETID x group%u %s", g, id); break;
    case 12:
        if (n == 0) (void)fixture_do(f, "XGROUP DESTROY x group%u", g);
        break;
    case 13:
        if (n < 3) (void)fixture_do(f, "XGROUP DELCONSUMER x group%u c%u", g, c);
        break;
    case 14: (void)fixture_do(f, "XSETID x 9999999999999-1"); break;
    case 15: (void)fixture_do(f, "XGROUP CREATECONSUMER x group%u c%u", g, c); break;
    case 16:
        if (n == 0) (void)fixture_do(f, "XTRIM x MAXLEN 0");
        break;
    case 17: s->f.now_ms++; break;
    default: add(s, 'x', "x", n, c);
    }
}

static void change_list(struct shot *s)
{
    struct fixture *f = &s->f;
    char text[9100];
    const unsigned i = (unsigned)rand_below(&s->r, MEMBERS), n = (unsigned)rand_below(&s->r, 300);
    (void)snprintf(text, sizeof text, "%0*u", rand_below(&s->r, 8) ? 11 : (int)rand_below(&s->r, 9000), i);
    switch (rand_below(&s->r, 16)) {
    case 0: (void)fixture_do(f, "LPOP l %u", n); break;
    case 1: (void)fixture_do(f, "RPOP l %u", n); break;
    case 2: (void)fixture_do(f, "LSET l %u %s", i, text); break;
    case 3: (void)fixture_do(f, "LSET l -%u %s", i, text); break;
    case 4: (void)fixture_do(f, "LINSERT l BEFORE element%u %s", i, text); break;
    case 5: (void)fixture_do(f, "LINSERT l AFTER element%u %s", i, text); break;
    case 6: (void)fixture_do(f, "LREM l 1 element%u", i); break;
    case 7: (void)fixture_do(f, "LREM l -2 element%u", i); break;
    case 8: (void)fixture_do(f, "LTRIM l %u -%u", n / 4, n / 4 + 1); break;
    case 9: (void)fixture_do(f, "RPOPLPUSH l l"); break;
    case 10: (void)fixture_do(f, "LMOVE l l LEFT RIGHT"); break;
    case 11:
    case 12:
        for (unsigned k = 0; k < n; k++) (void)fixture_do(f, "LPUSH l %s", text);
        break;
    default:
        for (unsigned k = 0; k < n / 2; k++) add(s, 'l', "l", i + k, 0);
    }
}

static void start(struct shot *s, uint64_t seed)
{
    *s = (struct shot){.r = {seed}};
    (void)snprintf(s->who, sizeof s->who, "seed %lu", (unsigned long)seed);
    fixture_init(&s->f);
    if (seed % 2) engine_limits(s->f.engine)->list_max_listpack_size = 8;
    for (const char *t = types; *t; t++) fill(s, *t, (char[]){*t, 0});
    (void)fixture_do(&s->f, "PEXPIREAT h 99999999999999");
    (void)fixture_do(&s->f, "SET small 1");
    (void)fixture_do(&s->f, "SETRANGE b 300000 text");
    (void)fixture_do(&s->f, "SETRANGE c 100000 text");
    for (unsigned i = 0; i < MEMBERS && seed % 2; i += 3)
        (void)fixture_do(&s->f, "HPEXPIRE h %u FIELDS 1 member%u", 1 + i, i);
    /* Nodes with room in them, of all forms, among full ones. */
    for (unsigned i = 0; i < seed * 40 % 300; i++) change_list(s);
    for (unsigned i = 0; i < 3; i++) add(s, 'l', "l", i, 0);
}

static void change_string(struct shot *s)
{
    struct fixture *f = &s->f;
    const char key[] = {rand_below(&s->r, 2) ? 'b' : 'c', 0};
    const unsigned at = (unsigned)rand_below(&s->r, 300000);
    switch (rand_below(&s->r, 8)) {
    case 0: (void)fixture_do(f, "APPEND %s more", key); break;
    case 1: (void)fixture_do(f, "SETBIT %s %u 1", key, at); break;
    case 2: (void)fixture_do(f, "BITFIELD %s INCRBY u8 #%u 1", key, at); break;
    case 3: (void)fixture_do(f, "RENAME b c"); break;
    case 4: (void)fixture_do(f, "SETRANGE b %u text", 4 * at); break;
    case 5: (void)fixture_do(f, "PERSIST %s", key); break;
    default: (void)fixture_do(f, "SETRANGE %s %u %u", key, at, at);
    }
}

/* One change of a large collection: of one member, of many, or of its name. */
static void change(struct shot *s)
{
    struct fixture *f = &s->f;
    const char type = types[rand_below(&s->r, 5)], key[] = {type, 0};
    const unsigned m = (unsigned)rand_below(&s->r, 2 * MEMBERS), n = (unsigned)rand_below(&s->r, 30);
    if (rand_below(&s->r, 16) == 0) change_string(s);
    if (type == 'x' || type == 'l') {
        if (type == 'x') change_stream(s);
        else change_list(s);
        return;
    }
    switch (rand_below(&s->r, 24)) {
    case 0:
        (void)fixture_do(f, "%s %s member%u", type == 's' ? "SREM" : type == 'h' ? "HDEL" : "ZREM", key, m);
        break;
    case 1: (void)fixture_do(f, "SPOP s %u", n); break;
    case 2: (void)fixture_do(f, "ZREMRANGEBYRANK z %u %u", m / 4, m / 4 + n); break;
    case 3: (void)fixture_do(f, "ZPOPMAX z %u", n); break;
    case 4: (void)fixture_do(f, "ZINCRBY z 0.5 member%u", m); break;
    case 5: (void)fixture_do(f, "HINCRBY h count%u 1", n); break;
    case 6: (void)fixture_do(f, "SMOVE s s2 member%u", m); break;
    case 7: (void)fixture_do(f, "PEXPIREAT %s %u", key, 2000000000 + m); break;
    case 8: (void)fixture_do(f, "SET small %u", m); break;
    case 9: (void)fixture_do(f, "HPEXPIRE h %u FIELDS 2 member%u member%u", 50 * n, m, m / 2); break;
    case 10: (void)fixture_do(f, "HPERSIST h FIELDS 1 member%u", m); break;
    case 11:
        f->now_ms += n;
        (void)engine_cycle(f->engine, f->now_ms, 50, &f->effects);
        break;
    default: add(s, type, key, m, m); break;
    }
}

/* What happens to a whole collection; now and then, or there is none left. */
static void upset(struct shot *s)
{
    struct fixture *f = &s->f;
    static const char keys[] = "shzxlbc";
    const char key[] = {keys[rand_below(&s->r, 7)], 0}, other[] = {keys[rand_below(&s->r, 7)], 0};
    switch (rand_below(&s->r, 12)) {
    case 0: (void)fixture_do(f, "DEL %s", key); break;
    case 1: (void)fixture_do(f, "UNLINK %s", key); break;
    case 2: (void)fixture_do(f, "SET %s x", key); break;
    case 3: (void)fixture_do(f, "RENAME %s %s", key, other); break;
    case 4: (void)fixture_do(f, "MOVE %s 1", key); break;
    case 5: (void)fixture_do(f, "COPY %s %s REPLACE", key, other); break;
    case 6: (void)fixture_do(f, "SUNIONSTORE s s s2"); break;
    case 7: (void)fixture_do(f, "SWAPDB 0 1"); break;
    case 8: (void)fixture_do(f, "FLUSHDB %s", rand_below(&s->r, 2) ? "ASYNC" : "SYNC"); break;
    case 9: (void)fixture_do(f, "FLUSHALL %s", rand_below(&s->r, 2) ? "ASYNC" : "SYNC"); break;
    case 10: (void)fixture_do(f, "PEXPIREAT %s 1", key); break;
    default: f->session.db = (unsigned)rand_below(&s->r, 2);
    }
}

static void free_garbage(struct shot *s)
{
    uint64_t objects;
    garbage_free(engine_take_garbage(s->f.engine, &objects));
}

Test(portrait, a_large_collection_is_given_as_it_was_whatever_happens_to_it_meanwhile)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct shot s;
        start(&s, seed);
        begin(&s);
        const uint64_t budget = 1 + rand_below(&s.r, 5000), calm = 1 + rand_below(&s.r, 60);
        const uint64_t upsets = rand_below(&s.r, 3) ? 1 + rand_below(&s.r, 400) : UINT64_MAX;
        do
            for (uint64_t n = rand_below(&s.r, calm); n > 0; n--) {
                if (rand_below(&s.r, upsets) == 0) upset(&s);
                else change(&s);
                if (rand_below(&s.r, 50) == 0) free_garbage(&s);
            }
        while (traversal_step(s.t, &s.pieces, budget));
        end(&s);
    }
}

Test(portrait, a_table_that_grows_and_shrinks_many_times_over_loses_nothing)
{
    struct shot s;
    start(&s, 1);
    begin(&s);
    for (unsigned i = MEMBERS; i < 12 * MEMBERS; i++) {
        for (const char *t = types; *t; t++) add(&s, *t, (char[]){*t, 0}, i, i);
        if (i % 100 == 0) (void)traversal_step(s.t, &s.pieces, 1);
    }
    for (unsigned i = 0; i < 12 * MEMBERS; i++) {
        (void)fixture_do(&s.f, "SREM s member%u", i);
        (void)fixture_do(&s.f, "HDEL h member%u", i);
        (void)fixture_do(&s.f, "ZREM z member%u", i);
        if (i % 100 == 0) (void)traversal_step(s.t, &s.pieces, 1);
    }
    end(&s);
}

Test(portrait, a_change_costs_one_element_and_a_step_its_budget)
{
    struct shot s;
    enum { ELEMENT_BYTES = 24, BUCKET_ELEMENTS = 40 };
    start(&s, 1);
    begin(&s);
    add(&s, 'h', "h", 0, 7); /* that makes the portrait */
    (void)traversal_step(s.t, &s.pieces, 1);
    while (traversal_given(s.t) == 0) {
        const size_t before = s.pieces.len, kept = traversal_bytes(s.t);
        add(&s, 'h', "h", (unsigned)rand_below(&s.r, MEMBERS), 7);
        cr_expect_leq(traversal_bytes(s.t), kept + 3 * ELEMENT_BYTES);
        (void)traversal_step(s.t, &s.pieces, 100);
        cr_expect_leq(s.pieces.len, before + 2 * BUCKET_ELEMENTS * ELEMENT_BYTES);
    }
    end(&s);
}

Test(portrait, what_is_deleted_under_it_is_freed_in_the_background_when_it_is_done)
{
    struct shot s;
    uint64_t objects;
    start(&s, 1);
    begin(&s);
    (void)fixture_do(&s.f, "DEL h");
    (void)fixture_do(&s.f, "UNLINK z");
    (void)fixture_do(&s.f, "SET s x");
    (void)fixture_do(&s.f, "RENAME small x");
    (void)fixture_do(&s.f, "EXPIRE l -1");
    cr_expect_null(engine_take_garbage(s.f.engine, &objects), "all are still needed");
    while (traversal_step(s.t, &s.pieces, 1000)) continue;
    struct garbage *garbage = engine_take_garbage(s.f.engine, &objects);
    cr_expect_eq(objects, 5);
    garbage_free(garbage);
    end(&s);
}

Test(portrait, one_in_a_database_that_is_needed_no_more_outlives_the_flush_of_that)
{
    struct shot s;
    uint64_t objects;
    start(&s, 1);
    begin(&s);
    (void)fixture_do(&s.f, "MOVE h 1");
    (void)fixture_do(&s.f, "FLUSHALL ASYNC");
    cr_expect_null(engine_take_garbage(s.f.engine, &objects));
    while (traversal_step(s.t, &s.pieces, 1000)) continue;
    free_garbage(&s);
    end(&s);
}

Test(portrait, it_may_be_given_up_at_any_time)
{
    for (unsigned steps = 0; steps < 40; steps++) {
        struct shot s;
        start(&s, steps);
        struct traversal *t = traversal_begin(s.f.engine);
        for (unsigned i = 0; i < steps; i++) {
            change(&s);
            if (i == 7) (void)fixture_do(&s.f, "DEL h");
            (void)traversal_step(t, &s.pieces, 2000);
        }
        traversal_free(t);
        s.pieces.len = 0;
        begin(&s);
        end(&s);
    }
}

Test(portrait, an_insertion_that_goes_into_a_neighbour_of_its_node_keeps_that)
{
    for (unsigned behind = 0; behind < 2; behind++) {
        struct shot s = {.r = {1}};
        fixture_init(&s.f);
        engine_limits(s.f.engine)->list_max_listpack_size = 8;
        for (int i = 0; i < 80; i++) (void)fixture_do(&s.f, "RPUSH l %d", i);
        (void)fixture_do(&s.f, "LREM l 1 %d", behind ? 44 : 36);
        engine_digest_full(s.f.engine, s.digest);
        s.t = traversal_begin(s.f.engine);
        traversal_set_bounds(s.t, &(struct portrait_bounds){.elements = 1});
        (void)fixture_do(&s.f, behind ? "LINSERT l AFTER 39 x" : "LINSERT l BEFORE 40 x");
        end(&s);
    }
}
