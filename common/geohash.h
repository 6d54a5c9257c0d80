/* Places on the globe as 52-bit numbers that sort by neighbourhood, and distances between them.
 *
 * A geohash halves longitude and latitude in turn; 26 times each is a square of about 0.6 m. Such a number is exact as
 * the score of a sorted set. All that lies in one square of a coarser grid is one range of scores, and a search around
 * a place looks through the square that has it and the eight around (Ardb's and Redis's scheme; latitudes end where the
 * Web Mercator projection does). The order of the floating-point operations is Redis's: results agree to the last bit. */
#pragma once

#include "common/span.h"

enum { GEO_STEPS = 26 }; /* halvings of each axis in a score */

#define GEO_LONGITUDE_MAX 180.0
#define GEO_LATITUDE_MAX  85.05112878

struct geo_place {
    double longitude, latitude; /* degrees */
};

/* Is the place within the limits above? */
bool geo_valid(struct geo_place p);

/* The score of a valid place, and the middle of the square that a score stands for. Any number is a score. */
uint64_t geo_encode(struct geo_place p);
struct geo_place geo_decode(double score);

/* Write the usual geohash text of GEO_TEXT letters, for which latitudes end at 90 degrees. */
enum { GEO_TEXT = 11 };
void geo_text(struct geo_place p, char *to);

/* Metres, on a sphere. */
double geo_distance(struct geo_place a, struct geo_place b);

/* What a search covers. */
struct geo_shape {
    struct geo_place center;
    bool is_box;
    double unit;          /* metres; the others count in it */
    double radius;        /* of a circle */
    double width, height; /* of a box */
};

/* Is @p inside? Then *distance is how far it is from the center, in metres. */
bool geo_within(const struct geo_shape *s, struct geo_place p, double *distance);

/* Ranges of scores, [min, max) each, that cover the shape: the squares to look through, in order. Returns how many. */
enum { GEO_RANGES_MAX = 9 };
struct geo_range {
    uint64_t min, max;
};
unsigned geo_cover(const struct geo_shape *s, struct geo_range ranges[GEO_RANGES_MAX]);
