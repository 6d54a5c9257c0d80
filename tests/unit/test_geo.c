/* Expected replies are those of redis-server 7.0. */
#include <criterion/criterion.h>

#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(geo, .init = setup, .fini = teardown);

Test(geo, places_are_added_as_scores_and_logged_so)
{
    EXPECT(":2|", "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    EXPECT(":0|", "GEOADD g NX 1 1 Palermo");
    EXPECT(":1|", "GEOADD g XX CH 13.5 38 Palermo 1 1 new");
    EXPECT(":0|", "GEOADD g CH 13.5 38 Palermo");
    EXPECT("$16|3479447370796909|", "ZSCORE g Catania");
    EXPECT(":0|", "GEOADD none XX 1 1 a");
    EXPECT(":0|", "EXISTS none");
    EXPECT_LOG("ZADD g 3479099956230698 Palermo 3479447370796909 Catania\nZADD g XX CH 3479097324432493 Palermo "
               "3377822707026402 new\n");
}

Test(geo, places_are_checked)
{
    EXPECT("-ERR invalid longitude,latitude pair 181.000000,1.000000|", "GEOADD g 181 1 a");
    EXPECT("-ERR invalid longitude,latitude pair 1.000000,86.000000|", "GEOADD g 1 86 a");
    EXPECT("-ERR value is not a valid float|", "GEOADD g x 1 a");
    EXPECT("-ERR syntax error|", "GEOADD g 1 1 a 2");
    EXPECT("-ERR syntax error|", "GEOADD g NX XX 1 1 a");
    EXPECT("-ERR syntax error|", "GEOADD g NX CH XX");
    EXPECT("+OK|", "SET s v");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "GEOADD s 1 1 a");
    EXPECT(":0|", "EXISTS g");
}

Test(geo, places_are_read_in_several_forms)
{
    EXPECT(":2|", "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    EXPECT("*3|*2|$20|13.36138933897018433|$20|38.11555639549629859|*-1|*2|$20|15.08726745843887329|$20|37."
           "50266842333162032|",
           "GEOPOS g Palermo none Catania");
    EXPECT("*2|$11|sqc8b49rny0|$-1|", "GEOHASH g Palermo none");
    EXPECT("$11|166274.1516|", "GEODIST g Palermo Catania");
    EXPECT("$8|166.2742|", "GEODIST g Palermo Catania km");
    EXPECT("$8|103.3182|", "GEODIST g Palermo Catania mi");
    EXPECT("-ERR unsupported unit provided. please use M, KM, FT, MI|", "GEODIST g Palermo Catania yd");
    EXPECT("$-1|", "GEODIST g Palermo none");
    EXPECT("$-1|", "GEODIST none a b");
    EXPECT("*1|*-1|", "GEOPOS none a");
    EXPECT("*2|$-1|$-1|", "GEOHASH none a b");
    EXPECT("-ERR syntax error|", "GEODIST g a b km x");
}

Test(geo, places_are_found_in_a_circle_or_a_box)
{
    EXPECT(":4|", "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 "
                  "17.241510 38.788135 edge2");
    EXPECT("*2|$7|Catania|$7|Palermo|", "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC");
    EXPECT("*4|*2|$7|Catania|$7|56.4413|*2|$7|Palermo|$8|190.4424|*2|$5|edge2|$8|279.7403|*2|$5|edge1|$8|279.7405|",
           "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST");
    EXPECT("*2|$7|Catania|$5|edge1|", "GEOSEARCH g FROMMEMBER Palermo BYRADIUS 300 km DESC COUNT 2");
    EXPECT("*2|$7|Palermo|$5|edge1|", "GEOSEARCH g FROMMEMBER Palermo BYRADIUS 3000 km COUNT 2 ANY");
    EXPECT("*1|*4|$7|Catania|$7|56.4413|:3479447370796909|*2|$20|15.08726745843887329|$20|37.50266842333162032|",
           "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km WITHCOORD WITHHASH WITHDIST COUNT 1");
    EXPECT("*2|$7|Palermo|$7|Catania|", "GEORADIUS g 15 37 200 km DESC");
    EXPECT("*1|$7|Catania|", "GEORADIUSBYMEMBER g Catania 100 km");
    EXPECT("*0|", "GEORADIUS_RO g 15 37 1 km");
    EXPECT("*1|$7|Palermo|", "GEORADIUSBYMEMBER_RO g Palermo 1 m");
    EXPECT("*0|", "GEOSEARCH none FROMMEMBER a BYRADIUS 1 km");
}

Test(geo, searches_are_checked)
{
    EXPECT(":1|", "GEOADD g 1 2 a");
    EXPECT("-ERR could not decode requested zset member|", "GEOSEARCH g FROMMEMBER zz BYRADIUS 1 km");
    EXPECT("-ERR radius cannot be negative|", "GEOSEARCH g FROMMEMBER a BYRADIUS -1 km");
    EXPECT("-ERR need numeric radius|", "GEOSEARCH g FROMMEMBER a BYRADIUS x km");
    EXPECT("-ERR height or width cannot be negative|", "GEOSEARCH g FROMMEMBER a BYBOX 1 -1 km");
    EXPECT("-ERR unsupported unit provided. please use M, KM, FT, MI|", "GEOSEARCH g FROMMEMBER a BYBOX 1 1 yd");
    EXPECT("-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH|",
           "GEOSEARCH g FROMMEMBER a COUNT 1 ASC DESC");
    EXPECT("-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH|",
           "GEOSEARCH g BYRADIUS 1 km ASC DESC");
    EXPECT("-ERR syntax error|", "GEOSEARCH g FROMMEMBER a BYRADIUS 1 km BYBOX 1 1 km");
    EXPECT("-ERR COUNT must be > 0|", "GEOSEARCH g FROMMEMBER a BYRADIUS 1 km COUNT 0");
    EXPECT("-ERR the ANY argument requires COUNT argument|", "GEOSEARCH g FROMMEMBER a BYRADIUS 1 km ANY");
    EXPECT("-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options|",
           "GEORADIUS g 1 2 1 km WITHDIST STORE d");
    EXPECT("-ERR syntax error|", "GEORADIUS_RO g 1 2 1 km STORE d");
    EXPECT("-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options|",
           "GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 km WITHHASH");
}

Test(geo, what_is_found_is_stored_and_logged_as_members)
{
    EXPECT(":2|", "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    EXPECT("+OK|", "SET d old");
    EXPECT(":2|", "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km");
    EXPECT("*4|$7|Palermo|$16|3479099956230698|$7|Catania|$16|3479447370796909|", "ZRANGE d 0 -1 WITHSCORES");
    EXPECT(":1|", "GEORADIUS g 15 37 100 km STOREDIST d");
    EXPECT("*2|$7|Catania|$18|56.441257870158204|", "ZRANGE d 0 -1 WITHSCORES");
    EXPECT_LOG("ZADD g 3479099956230698 Palermo 3479447370796909 Catania\nSET d old\nDEL d\nZADD d 3479099956230698 "
               "Palermo 3479447370796909 Catania\nDEL d\nZADD d 56.441257870158204 Catania\n");
    EXPECT(":0|", "GEORADIUS g 100 0 1 m STORE d");
    EXPECT(":0|", "EXISTS d");
    EXPECT_LOG("DEL d\n");
    EXPECT(":0|", "GEORADIUS g 100 0 1 m STORE d");
    EXPECT(":0|", "GEOSEARCHSTORE d none FROMMEMBER a BYRADIUS 1 m");
    EXPECT_LOG("");
    EXPECT(":1|", "GEOSEARCHSTORE g g FROMMEMBER Palermo BYRADIUS 1 km");
    EXPECT(":1|", "ZCARD g");
}
