/* Expected numbers are those of redis-server 7.0. */
#include <criterion/criterion.h>
#include <math.h>

#include "common/geohash.h"
#include "tests/unit/rand.h"

static const struct geo_place palermo = {13.361389, 38.115556}, catania = {15.087269, 37.502669};

static struct geo_place anywhere(struct rand *r)
{
    return (struct geo_place){(double)rand_below(r, 360000001) / 1e6 - 180,
                              (double)rand_below(r, 170000001) / 1e6 - 85};
}

Test(geohash, turns_a_place_into_a_number_and_back)
{
    cr_expect_eq(geo_encode(palermo), UINT64_C(3479099956230698));
    cr_expect_eq(geo_encode(catania), UINT64_C(3479447370796909));
    const struct geo_place p = geo_decode(3479099956230698.0);
    cr_expect_eq(p.longitude, 13.361389338970184);
    cr_expect_eq(p.latitude, 38.1155563954963);
    struct rand r = {1};
    for (unsigned i = 0; i < 10000; i++) {
        const struct geo_place a = anywhere(&r), b = geo_decode((double)geo_encode(a));
        cr_assert_lt(geo_distance(a, b), 0.6);
        cr_assert_eq(geo_encode(b), geo_encode(a));
    }
}

Test(geohash, has_a_place_for_any_number)
{
    static const double scores[] = {0,     -1,     4503599627370496.0, 9223372036854775808.0,
                                    1e300, -1e300, INFINITY,           -INFINITY};
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) cr_expect(geo_valid(geo_decode(scores[i])));
}

Test(geohash, knows_the_limits_of_the_map)
{
    cr_expect(geo_valid((struct geo_place){180, 85.05112878}));
    cr_expect(!geo_valid((struct geo_place){180.1, 0}));
    cr_expect(!geo_valid((struct geo_place){0, -85.06}));
    cr_expect(!geo_valid((struct geo_place){NAN, 0}));
}

Test(geohash, writes_the_usual_letters)
{
    char text[GEO_TEXT + 1] = {0};
    geo_text(geo_decode((double)geo_encode(palermo)), text);
    cr_expect_str_eq(text, "sqc8b49rny0");
    geo_text(geo_decode((double)geo_encode(catania)), text);
    cr_expect_str_eq(text, "sqdtr74hyu0");
}

Test(geohash, measures_on_a_sphere)
{
    const struct geo_place a = geo_decode((double)geo_encode(palermo)), b = geo_decode((double)geo_encode(catania));
    cr_expect_float_eq(geo_distance(a, b), 166274.1516, 0.0001);
    cr_expect_eq(geo_distance(a, b), geo_distance(b, a));
    cr_expect_eq(geo_distance(a, a), 0);
}

/* What a search through the ranges finds is what a look at every place finds. */
Test(geohash, covers_every_shape)
{
    struct rand r = {2};
    for (unsigned round = 0; round < 1500; round++) {
        struct geo_shape s = {.center = anywhere(&r), .unit = 1000, .is_box = rand_below(&r, 2)};
        if (fabs(s.center.latitude) > 70)
            continue; /* towards the poles Redis's search leaves gaps, and so does ours */
        const double size = (double)(1 + rand_below(&r, 3000));
        s.radius = size;
        s.width = size;
        s.height = (double)(1 + rand_below(&r, 1000));
        struct geo_range ranges[GEO_RANGES_MAX];
        const unsigned n = geo_cover(&s, ranges);
        cr_assert(n > 0 && n <= GEO_RANGES_MAX);
        for (unsigned i = 0; i < 200; i++) {
            const double spread = size / 111;
            const struct geo_place p = {s.center.longitude + ((double)rand_below(&r, 2001) / 1000 - 1) * spread,
                                        s.center.latitude + ((double)rand_below(&r, 2001) / 1000 - 1) * spread};
            double distance;
            if (!geo_valid(p) || fabs(p.latitude) > 75 || !geo_within(&s, p, &distance)) continue;
            const uint64_t score = geo_encode(p);
            unsigned hits = 0;
            for (unsigned k = 0; k < n; k++) hits += score >= ranges[k].min && score < ranges[k].max;
            cr_assert_eq(hits, 1, "round %u: %.6f %.6f, %.0f km around %.6f %.6f", round, p.longitude, p.latitude,
                         size, s.center.longitude, s.center.latitude);
        }
    }
}
