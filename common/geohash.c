#include "common/geohash.h"

#include <math.h>

#define EARTH_RADIUS_M 6372797.560856
#define MERCATOR_MAX_M 20037726.37

/* A square of the grid that has 2^steps columns and rows. No steps: none. */
struct square {
    uint32_t x, y; /* longitude, latitude */
    unsigned steps;
};

struct bounds {
    double west, south, east, north;
};

static double radians(double degrees) { return degrees * (M_PI / 180.0); }
static double degrees(double radians_) { return radians_ / (M_PI / 180.0); }

bool geo_valid(struct geo_place p)
{
    return p.longitude >= -GEO_LONGITUDE_MAX && p.longitude <= GEO_LONGITUDE_MAX && p.latitude >= -GEO_LATITUDE_MAX &&
           p.latitude <= GEO_LATITUDE_MAX;
}

/* --- Numbers ----------------------------------------------------------------------------------------------------- */

/* Spread 32 bits over the even ones of 64 (Anderson, Bit Twiddling Hacks: interleave by binary magic numbers). */
static uint64_t spread(uint32_t v)
{
    uint64_t x = v;
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x = (x | x << 2) & UINT64_C(0x3333333333333333);
    return (x | x << 1) & UINT64_C(0x5555555555555555);
}

static uint32_t gather(uint64_t x)
{
    x &= UINT64_C(0x5555555555555555);
    x = (x | x >> 1) & UINT64_C(0x3333333333333333);
    x = (x | x >> 2) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x = (x | x >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(x | x >> 16);
}

static uint64_t bits_of(struct square s) { return spread(s.y) | spread(s.x) << 1; }

/* The square of the grid that has @p; a place on the upper limit lies one behind the last. */
static struct square square_at(struct geo_place p, double latitude_max, unsigned steps)
{
    const double cells = (double)(UINT64_C(1) << steps);
    double y = (p.latitude + latitude_max) / (latitude_max + latitude_max);
    double x = (p.longitude + GEO_LONGITUDE_MAX) / (GEO_LONGITUDE_MAX + GEO_LONGITUDE_MAX);
    return (struct square){(uint32_t)(x * cells), (uint32_t)(y * cells), steps};
}

static struct bounds bounds_of(struct square s)
{
    const double cells = (double)(UINT64_C(1) << s.steps);
    const double width = GEO_LONGITUDE_MAX + GEO_LONGITUDE_MAX, height = GEO_LATITUDE_MAX + GEO_LATITUDE_MAX;
    return (struct bounds){
        .west = -GEO_LONGITUDE_MAX + s.x / cells * width,
        .south = -GEO_LATITUDE_MAX + s.y / cells * height,
        .east = -GEO_LONGITUDE_MAX + (uint32_t)(s.x + 1) / cells * width,
        .north = -GEO_LATITUDE_MAX + (uint32_t)(s.y + 1) / cells * height,
    };
}

static double clamp(double v, double most) { return v > most ? most : v < -most ? -most : v; }

/* A score as whole bits. Sorted sets may hold any score: beyond 2^63 both ways the result is fixed, if without meaning. */
static uint64_t bits_of_score(double score)
{
    const double half = 9223372036854775808.0; /* 2^63 */
    if (score >= half) return score < 2 * half ? (uint64_t)score : 0;
    return score >= -half ? (uint64_t)(int64_t)score : UINT64_C(1) << 63;
}

uint64_t geo_encode(struct geo_place p) { return bits_of(square_at(p, GEO_LATITUDE_MAX, GEO_STEPS)); }

struct geo_place geo_decode(double score)
{
    const uint64_t bits = bits_of_score(score);
    const struct bounds b = bounds_of((struct square){gather(bits >> 1), gather(bits), GEO_STEPS});
    return (struct geo_place){clamp((b.west + b.east) / 2, GEO_LONGITUDE_MAX),
                              clamp((b.south + b.north) / 2, GEO_LATITUDE_MAX)};
}

void geo_text(struct geo_place p, char *to)
{
    static const char letters[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    const uint64_t bits = bits_of(square_at(p, 90, GEO_STEPS));
    /* The last letter has two of its five bits, for which Redis writes 0. */
    for (unsigned i = 0; i < GEO_TEXT; i++) to[i] = i + 1 < GEO_TEXT ? letters[bits >> (52 - (i + 1) * 5) & 31] : '0';
}

/* --- Distances --------------------------------------------------------------------------------------------------- */

static double latitude_distance(double a, double b) { return EARTH_RADIUS_M * fabs(radians(b) - radians(a)); }

/* The haversine formula. */
double geo_distance(struct geo_place a, struct geo_place b)
{
    const double v = sin((radians(b.longitude) - radians(a.longitude)) / 2);
    if (v == 0.0) return latitude_distance(a.latitude, b.latitude);
    const double from = radians(a.latitude), to = radians(b.latitude);
    const double u = sin((to - from) / 2);
    return 2.0 * EARTH_RADIUS_M * asin(sqrt(u * u + cos(from) * cos(to) * v * v));
}

bool geo_within(const struct geo_shape *s, struct geo_place p, double *distance)
{
    if (s->is_box) {
        if (latitude_distance(p.latitude, s->center.latitude) > s->height * s->unit / 2) return false;
        const struct geo_place beside = {s->center.longitude, p.latitude};
        if (geo_distance(p, beside) > s->width * s->unit / 2) return false;
    }
    *distance = geo_distance(s->center, p);
    return s->is_box || !(*distance > s->radius * s->unit);
}

/* --- Covering a shape -------------------------------------------------------------------------------------------- */

static struct bounds bounding_box(const struct geo_shape *s)
{
    const double height = s->unit * (s->is_box ? s->height / 2 : s->radius);
    const double width = s->unit * (s->is_box ? s->width / 2 : s->radius);
    const double up = degrees(height / EARTH_RADIUS_M);
    /* A degree of longitude is shortest where the box is nearest to a pole. */
    const double nearest = s->center.latitude < 0 ? s->center.latitude - up : s->center.latitude + up;
    const double side = degrees(width / EARTH_RADIUS_M / cos(radians(nearest)));
    return (struct bounds){s->center.longitude - side, s->center.latitude - up, s->center.longitude + side,
                           s->center.latitude + up};
}

/* Steps at which the square that has the center and those around it surely cover a radius. */
static unsigned steps_for(double radius_m, double latitude)
{
    if (radius_m == 0) return GEO_STEPS;
    int steps = -1;
    for (; radius_m < MERCATOR_MAX_M; radius_m *= 2) steps++;
    /* Squares become narrow towards the poles. */
    if (latitude > 66 || latitude < -66) steps--;
    if (latitude > 80 || latitude < -80) steps--;
    return steps < 1 ? 1 : steps > GEO_STEPS ? GEO_STEPS : (unsigned)steps;
}

/* The neighbour @dx columns to the east and @dy rows to the north, around the globe. */
static struct square beside(struct square s, int dx, int dy)
{
    const uint32_t mask = (UINT32_C(1) << s.steps) - 1;
    if (dx) s.x = (s.x + (uint32_t)dx) & mask;
    if (dy) s.y = (s.y + (uint32_t)dy) & mask;
    return s;
}

/* Do the neighbours reach as far as the box in each direction? Not where they lie around the globe. */
static bool reaches(struct square center, const struct bounds *box)
{
    return bounds_of(beside(center, 0, 1)).north >= box->north &&
           bounds_of(beside(center, 0, -1)).south <= box->south &&
           bounds_of(beside(center, 1, 0)).east >= box->east && bounds_of(beside(center, -1, 0)).west <= box->west;
}

/* Where the neighbours lie, in the order in which they are looked through. */
static const struct {
    signed char dx, dy;
} around[GEO_RANGES_MAX] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};

/* The squares to look through; one without steps is left out. */
static void choose_squares(const struct geo_shape *s, struct square squares[GEO_RANGES_MAX])
{
    const double diagonal_m = sqrt((s->width / 2) * (s->width / 2) + (s->height / 2) * (s->height / 2));
    const double radius_m = (s->is_box ? diagonal_m : s->radius) * s->unit;
    unsigned steps = steps_for(radius_m, s->center.latitude);
    struct square center = square_at(s->center, GEO_LATITUDE_MAX, steps);
    const struct bounds box = bounding_box(s);
    if (steps > 1 && !reaches(center, &box)) center = square_at(s->center, GEO_LATITUDE_MAX, --steps);
    const struct bounds own = bounds_of(center);
    for (unsigned i = 0; i < GEO_RANGES_MAX; i++) {
        const int dx = around[i].dx, dy = around[i].dy;
        /* On a coarser grid neighbours are each other's neighbours too. */
        const bool needless = steps >= 2 && ((dy < 0 && own.south < box.south) || (dy > 0 && own.north > box.north) ||
                                             (dx < 0 && own.west < box.west) || (dx > 0 && own.east > box.east));
        squares[i] = needless ? (struct square){0, 0, 0} : beside(center, dx, dy);
    }
}

unsigned geo_cover(const struct geo_shape *s, struct geo_range ranges[GEO_RANGES_MAX])
{
    struct square squares[GEO_RANGES_MAX];
    unsigned n = 0, last = 0;
    choose_squares(s, squares);
    for (unsigned i = 0; i < GEO_RANGES_MAX; i++) {
        if (squares[i].steps == 0) continue;
        /* With few squares the same one lies on both sides. */
        if (last && bits_of(squares[i]) == bits_of(squares[last])) continue;
        const uint64_t bits = bits_of(squares[i]);
        const unsigned shift = 2 * (GEO_STEPS - squares[i].steps);
        ranges[n++] = (struct geo_range){bits << shift, (bits + 1) << shift};
        last = i;
    }
    return n;
}
