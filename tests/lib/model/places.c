/* Places: every one is looked at, and distances are straight lines through the globe made into arcs. The keys are this
 * family's own; longitudes and latitudes are away from where the globe is cut open. */
#include <math.h>
#include <stdio.h>

#include "tests/lib/model/model.h"

#define RADIUS_M       6372797.560856
#define LATITUDE_LIMIT 85.05112878

struct place {
    double longitude, latitude;
};

/* Halve both axes in turn, 26 times each; a bit says which half. */
static double score_of(struct place p)
{
    double west = -180, east = 180, south = -LATITUDE_LIMIT, north = LATITUDE_LIMIT, score = 0;
    for (int i = 0; i < 26; i++) {
        const double lon = (west + east) / 2, lat = (south + north) / 2;
        const bool right = p.longitude >= lon, up = p.latitude >= lat;
        *(right ? &west : &east) = lon;
        *(up ? &south : &north) = lat;
        score = 4 * score + 2 * right + up;
    }
    return score;
}

static struct place place_of(double score)
{
    double west = -180, east = 180, south = -LATITUDE_LIMIT, north = LATITUDE_LIMIT;
    for (int i = 25; i >= 0; i--) {
        const unsigned two = (uint64_t)score >> 2 * i & 3;
        *(two & 2 ? &west : &east) = (west + east) / 2;
        *(two & 1 ? &south : &north) = (south + north) / 2;
    }
    return (struct place){(west + east) / 2, (south + north) / 2};
}

static double radians(double degrees) { return degrees * acos(-1) / 180; }

static double distance(struct place a, struct place b)
{
    const double al = radians(a.latitude), bl = radians(b.latitude), turn = radians(b.longitude - a.longitude);
    const double x = cos(bl) * cos(turn) - cos(al), y = cos(bl) * sin(turn), z = sin(bl) - sin(al);
    return 2 * RADIUS_M * asin(sqrt(x * x + y * y + z * z) / 2);
}

static double unit(struct span s) { return model_is(s, "km") ? 1000 : model_is(s, "mi") ? 1609.34 : 1; }

static void add(struct model_call *c)
{
    int64_t n = 0;
    struct model_key *k = model_make(c->model, c->argv[1], TYPE_ZSET);
    for (size_t i = 2; i < c->argc; i += 3) {
        const struct place p = {model_double(c->argv[i]), model_double(c->argv[i + 1])};
        n += model_put_score(k, c->argv[i + 2], score_of(p));
    }
    model_reply_int(c, n);
}

static void reply_distance(struct model_call *c, double v)
{
    char text[40];
    model_reply_bulk(c, span_of(text, (size_t)snprintf(text, sizeof text, "%.4f", v)));
}

static void dist(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    const size_t a = k ? model_index(k, c->argv[2]) : 0, b = k ? model_index(k, c->argv[3]) : 0;
    if (!k || a == k->count || b == k->count) model_reply_nil(c);
    else reply_distance(c, distance(place_of(k->items[a].score), place_of(k->items[b].score)) / unit(c->argv[4]));
}

/* Is the place within what the search names? */
static bool within(const struct model_call *c, struct place center, struct place p)
{
    const size_t circle = model_behind(c, "BYRADIUS"), box = model_behind(c, "BYBOX");
    if (circle < c->argc) return distance(center, p) <= model_double(c->argv[circle]) * unit(c->argv[circle + 1]);
    const double width = model_double(c->argv[box]), height = model_double(c->argv[box + 1]);
    const struct place beside = {center.longitude, p.latitude};
    return distance(p, beside) <= width * unit(c->argv[box + 2]) / 2 &&
           RADIUS_M * fabs(radians(p.latitude - center.latitude)) <= height * unit(c->argv[box + 2]) / 2;
}

/* Members within, named as they are, with their distances, the nearest first. False: an error was replied. */
static bool search(struct model_call *c, const struct model_key *k, struct model_key *found)
{
    const size_t member = model_behind(c, "FROMMEMBER"), place = model_behind(c, "FROMLONLAT");
    struct place center = {0};
    *found = (struct model_key){.type = TYPE_ZSET, .expiry = NO_EXPIRY};
    if (!k) return true;
    if (member < c->argc) {
        const size_t at = model_index(k, c->argv[member]);
        if (at == k->count) {
            model_reply_error(c, "ERR");
            return false;
        }
        center = place_of(k->items[at].score);
    } else {
        center = (struct place){model_double(c->argv[place]), model_double(c->argv[place + 1])};
    }
    for (size_t i = 0; i < k->count; i++) {
        const struct place p = place_of(k->items[i].score);
        if (within(c, center, p)) (void)model_put_score(found, model_name(&k->items[i]), distance(center, p));
    }
    return true;
}

/* In order and with a count if the last words say so. */
static void find(struct model_call *c)
{
    struct model_key found;
    const size_t at = model_behind(c, "COUNT");
    const bool backwards = model_is(c->argv[at < c->argc ? c->argc - 3 : c->argc - 1], "DESC");
    if (!search(c, model_find(c->model, c->argv[1]), &found)) return;
    size_t n = found.count;
    if (at < c->argc && (size_t)model_int(c->argv[at]) < n) n = (size_t)model_int(c->argv[at]);
    c->any_order = model_is(c->argv[c->argc - 1], "km");
    c->stride = 1;
    model_reply_scored(c, &found, backwards ? found.count - n : 0, backwards ? found.count : n, false, backwards);
    model_clear_items(&found);
}

static void store(struct model_call *c)
{
    struct model_key found;
    const struct model_key *k = model_find(c->model, c->argv[2]);
    const bool distances = model_is(c->argv[c->argc - 1], "STOREDIST");
    if (!search(c, k, &found)) return;
    struct model_key result = {.type = TYPE_ZSET, .expiry = NO_EXPIRY};
    for (size_t i = 0; i < found.count; i++) {
        const struct span name = model_name(&found.items[i]);
        const double score = k->items[model_index(k, name)].score;
        (void)model_put_score(&result, name, distances ? found.items[i].score : score);
    }
    model_clear_items(&found);
    model_store(c, c->argv[1], &result);
}

static void members(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    model_reply_scored(c, k, 0, k ? k->count : 0, c->argc > 4, false);
}

static void rem(struct model_call *c)
{
    struct model_key *k = model_find(c->model, c->argv[1]);
    const size_t at = k ? model_index(k, c->argv[2]) : 0;
    const bool there = k && at < k->count;
    model_reply_int(c, there);
    if (!there) return;
    model_remove(k, at);
    model_drop_if_empty(c->model, k);
}

const struct model_command model_places[] = {
    {"GEOADD", "places {o a f}", add},
    {"GEOADD", "places {o a f}", add},
    {"ZREM", "places f", rem},
    {"GEODIST", "places f f km", dist},
    {"GEODIST", "places f f mi", dist},
    {"GEOSEARCH", "places FROMLONLAT o a BYRADIUS r km", find},
    {"GEOSEARCH", "places FROMLONLAT o a BYRADIUS r km ASC", find},
    {"GEOSEARCH", "places FROMMEMBER f BYRADIUS r km DESC COUNT 3", find},
    {"GEOSEARCH", "places FROMLONLAT o a BYBOX r r km", find},
    {"GEOSEARCH", "places FROMMEMBER f BYBOX r r km DESC", find},
    {"GEOSEARCHSTORE", "near places FROMLONLAT o a BYRADIUS r km", store},
    {"GEOSEARCHSTORE", "places near FROMLONLAT o a BYBOX r r km", store},
    {"GEOSEARCHSTORE", "distances places FROMMEMBER f BYRADIUS r km STOREDIST", store},
    {"ZRANGE", "near 0 -1 WITHSCORES", members},
    {"ZRANGE", "distances 0 -1", members},
    {NULL, NULL, NULL},
};
