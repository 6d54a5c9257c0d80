/* Places as members of sorted sets: adding them and reading them; searches stand in geo_search.c. */
#include "common/commands/commands.h"

#include <stdio.h>

#include "common/commands/geo_args.h"
#include "common/commands/zset_handlers.h"
#include "common/mem.h"

/* --- Arguments and replies --------------------------------------------------------------------------------------- */

bool geo_take_place(struct call *c, size_t at, struct geo_place *p)
{
    if (!call_double(c, c->argv[at], &p->longitude) || !call_double(c, c->argv[at + 1], &p->latitude)) return false;
    if (geo_valid(*p)) return true;
    reply_error(c->reply, "ERR invalid longitude,latitude pair %f,%f", p->longitude, p->latitude);
    return false;
}

bool geo_take_unit(struct call *c, struct span s, double *metres)
{
    if (span_is(s, "M")) *metres = 1;
    else if (span_is(s, "KM")) *metres = 1000;
    else if (span_is(s, "FT")) *metres = 0.3048;
    else if (span_is(s, "MI")) *metres = 1609.34;
    else {
        reply_error(c->reply, "ERR unsupported unit provided. please use M, KM, FT, MI");
        return false;
    }
    return true;
}

void geo_reply_distance(struct call *c, double v)
{
    char text[512];
    const int n = snprintf(text, sizeof text, "%.4f", v);
    reply_bulk(c->reply, span_of(text, (size_t)n));
}

void geo_reply_place(struct call *c, struct geo_place p)
{
    reply_array(c->reply, 2);
    reply_long_double(c->reply, (long double)p.longitude);
    reply_long_double(c->reply, (long double)p.latitude);
}

/* --- GEOADD ------------------------------------------------------------------------------------------------------ */

struct geo_add {
    unsigned rules;
    bool count_moved;
    size_t first; /* argument with the first longitude */
};

static bool take_add_options(struct call *c, struct geo_add *a)
{
    for (a->first = 2; a->first < c->argc; a->first++) {
        if (span_is(c->argv[a->first], "NX")) a->rules |= ZSET_IF_NEW;
        else if (span_is(c->argv[a->first], "XX")) a->rules |= ZSET_IF_THERE;
        else if (span_is(c->argv[a->first], "CH")) a->count_moved = true;
        else break;
    }
    const bool both = (a->rules & ZSET_IF_NEW) && (a->rules & ZSET_IF_THERE);
    if (!both && a->first < c->argc && (c->argc - a->first) % 3 == 0) return true;
    reply_syntax_error(c->reply);
    return false;
}

/* Add what stands in @pairs, a score and a member in turn, and log it as ZADD: the log has no floating point to redo. */
static void add_members(struct call *c, const struct geo_add *a, const struct span *pairs, size_t n)
{
    struct entry *e;
    const struct span key = c->argv[1];
    uint64_t added = 0, moved = 0;
    if (!call_find(c, key, TYPE_ZSET, FOR_WRITE, &e)) return;
    if (!e && (a->rules & ZSET_IF_THERE)) {
        reply_int(c->reply, 0);
        return;
    }
    if (!e) e = call_put(c, key, &(struct value){.type = TYPE_ZSET, .zset = zset_new(call_hash_key(c))}, NO_EXPIRY);
    for (size_t i = 0; i < n; i += 2) {
        double score = 0;
        (void)num_parse_double(pairs[i], &score);
        const enum zset_added what = zset_add(entry_object(e), pairs[i + 1], a->rules, &score, call_limits(c));
        added += what == ZSET_ADDED;
        moved += what == ZSET_MOVED;
    }
    if (added + moved) call_changed(c, EVENT_ZSET, "zadd", key, added + moved);
    reply_int(c->reply, (int64_t)(a->count_moved ? added + moved : added));
}

static void geoadd(struct call *c)
{
    struct geo_add a = {0};
    if (!take_add_options(c, &a)) return;
    const size_t n = (c->argc - a.first) / 3, argc = a.first + 2 * n;
    struct span *argv = mem_alloc(argc * sizeof *argv);
    char(*texts)[NUM_I64_MAX_TEXT] = mem_alloc(n * sizeof *texts);
    argv[0] = SPAN("ZADD");
    for (size_t i = 1; i < a.first; i++) argv[i] = c->argv[i];
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        struct geo_place p;
        const size_t at = a.first + 3 * i;
        ok = geo_take_place(c, at, &p);
        if (!ok) break;
        argv[a.first + 2 * i] = span_of(texts[i], num_format_u64(texts[i], geo_encode(p)));
        argv[a.first + 2 * i + 1] = c->argv[at + 2];
    }
    if (ok) add_members(c, &a, argv + a.first, 2 * n);
    if (c->changes) call_effect(c, argv, argc);
    mem_free(texts);
    mem_free(argv);
}

/* --- Reading ----------------------------------------------------------------------------------------------------- */

static void geodist(struct call *c)
{
    struct zset *z;
    double unit = 1, from, to;
    if (c->argc > 5) {
        reply_syntax_error(c->reply);
        return;
    }
    if (c->argc == 5 && !geo_take_unit(c, c->argv[4], &unit)) return;
    if (!zset_find(c, c->argv[1], FOR_READ, &z)) return;
    if (!z || !zset_score(z, c->argv[2], &from) || !zset_score(z, c->argv[3], &to)) {
        reply_null(c->reply);
        return;
    }
    geo_reply_distance(c, geo_distance(geo_decode(from), geo_decode(to)) / unit);
}

static void geohash(struct call *c)
{
    struct zset *z;
    double score;
    if (!zset_find(c, c->argv[1], FOR_READ, &z)) return;
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        char text[GEO_TEXT];
        if (!z || !zset_score(z, c->argv[i], &score)) {
            reply_null(c->reply);
            continue;
        }
        geo_text(geo_decode(score), text);
        reply_bulk(c->reply, span_of(text, sizeof text));
    }
}

static void geopos(struct call *c)
{
    struct zset *z;
    double score;
    if (!zset_find(c, c->argv[1], FOR_READ, &z)) return;
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        if (z && zset_score(z, c->argv[i], &score)) geo_reply_place(c, geo_decode(score));
        else reply_null_array(c->reply);
    }
}

/* --- Rows -------------------------------------------------------------------------------------------------------- */

#define UNIT   "unit={M|KM|FT|MI}"
#define COST   "O(N+log(M)) where N is the number of members around the shape and M that of all members"
#define SHOWN  "[WITHCOORD] [WITHDIST] [WITHHASH]"
#define SOME   "count=[{COUNT count} [ANY]]"
#define SOME_6 "count=[{COUNT count} [ANY]@6.2.0]"
#define ORDER  "order=[ASC|DESC]"
#define STORED "[STORE key] [STOREDIST key]"
#define FROM   "from={FROMMEMBER member|FROMLONLAT longitude latitude}"
#define BY     "by={circle={{BYRADIUS radius} " UNIT "}|box={{BYBOX width} height " UNIT "}}"

#define SOURCE KEYS(KEY_RO | KEY_ACCESS, 1)
#define SOURCE_AND_STORES(from_)                                              \
    KEYS_THREE(SOURCE, KEYS_AFTER(KEY_OW | KEY_UPDATE, "STORE", from_, 0, 0), \
               KEYS_AFTER(KEY_OW | KEY_UPDATE, "STOREDIST", from_, 0, 0))

const struct command geo_commands[] = {
    COMMAND("GEOADD", "key condition=[NX|XX]@6.2.0 [change=CH]@6.2.0 {longitude latitude member}+",
            "Add places to a sorted set, or move them.", "3.2.0", "O(log N) for each place", CMD_WRITE | CMD_DENYOOM,
            ACL_GEO, KEYS(KEY_RW | KEY_UPDATE, 1), geoadd),
    COMMAND("GEODIST", "key member1 member2 unit=[M|KM|FT|MI]", "The distance between two places.", "3.2.0", "O(1)",
            CMD_READONLY, ACL_GEO, SOURCE, geodist),
    COMMAND("GEOHASH", "key member*", "The geohashes of places as texts of eleven letters.", "3.2.0",
            "O(1) for each member", CMD_READONLY, ACL_GEO, SOURCE, geohash),
    COMMAND("GEOPOS", "key member*", "Longitude and latitude of places.", "3.2.0", "O(1) for each member",
            CMD_READONLY, ACL_GEO, SOURCE, geopos),
    COMMAND("GEORADIUS", "key longitude latitude radius " UNIT " " SHOWN " " SOME_6 " " ORDER " " STORED,
            "Find the places within a distance of a point; GEOSEARCH does it too.", "3.2.0", COST,
            CMD_WRITE | CMD_DENYOOM, ACL_GEO, SOURCE_AND_STORES(6), geo_search_radius, .deprecated = "6.2.0",
            .replaced_by = "`GEOSEARCH` or `GEOSEARCHSTORE`, given `BYRADIUS`",
            .history = "7.0.0 Units may be upper case."),
    COMMAND("GEORADIUSBYMEMBER", "key member radius " UNIT " " SHOWN " " SOME " " ORDER " " STORED,
            "Find the places within a distance of another; GEOSEARCH does it too.", "3.2.0", COST,
            CMD_WRITE | CMD_DENYOOM, ACL_GEO, SOURCE_AND_STORES(5), geo_search_radius_by_member,
            .deprecated = "6.2.0",
            .replaced_by = "`GEOSEARCH` or `GEOSEARCHSTORE`, given `BYRADIUS` and `FROMMEMBER`",
            .history = "7.0.0 Units may be upper case."),
    COMMAND("GEORADIUSBYMEMBER_RO", "key member radius " UNIT " " SHOWN " " SOME " " ORDER,
            "Find the places within a distance of another, without storing them.", "3.2.10", COST, CMD_READONLY,
            ACL_GEO, SOURCE, geo_search_radius_by_member_ro, .deprecated = "6.2.0",
            .replaced_by = "`GEOSEARCH`, given `BYRADIUS` and `FROMMEMBER`"),
    COMMAND("GEORADIUS_RO", "key longitude latitude radius " UNIT " " SHOWN " " SOME_6 " " ORDER,
            "Find the places within a distance of a point, without storing them.", "3.2.10", COST, CMD_READONLY,
            ACL_GEO, SOURCE, geo_search_radius_ro, .deprecated = "6.2.0",
            .replaced_by = "`GEOSEARCH`, given `BYRADIUS`"),
    COMMAND("GEOSEARCH", "key " FROM " " BY " " ORDER " " SOME " " SHOWN, "Find the places in a circle or a box.",
            "6.2.0", COST, CMD_READONLY, ACL_GEO, SOURCE, geo_search, .history = "7.0.0 Units may be upper case."),
    COMMAND("GEOSEARCHSTORE", "destination source " FROM " " BY " " ORDER " " SOME " [STOREDIST]",
            "Find the places in a circle or a box, and store them.", "6.2.0", COST, CMD_WRITE | CMD_DENYOOM, ACL_GEO,
            KEYS_TWO(KEYS(KEY_OW | KEY_UPDATE, 1), KEYS(KEY_RO | KEY_ACCESS, 2)), geo_search_store,
            .history = "7.0.0 Units may be upper case."),
    COMMANDS_END,
};
