/* What the geo commands have in common: places, units and distances as arguments and replies. */
#pragma once

#include "common/call.h"
#include "common/geohash.h"

/* Longitude and latitude at argv[at] and behind it. False: the error was replied. */
MUST_USE bool geo_take_place(struct call *c, size_t at, struct geo_place *p);

/* "m", "km", "ft" or "mi" as metres. False: the error was replied. */
MUST_USE bool geo_take_unit(struct call *c, struct span s, double *metres);

/* A distance with four decimals. */
void geo_reply_distance(struct call *c, double v);

/* [longitude, latitude] */
void geo_reply_place(struct call *c, struct geo_place p);

/* geo_search.c: the handlers of the searches; the rows stand in geo.c. */
void geo_search_radius(struct call *c);
void geo_search_radius_ro(struct call *c);
void geo_search_radius_by_member(struct call *c);
void geo_search_radius_by_member_ro(struct call *c);
void geo_search(struct call *c);
void geo_search_store(struct call *c);
