/* What SSCAN, HSCAN and ZSCAN have in common.
 *
 *     struct scan_walk w;
 *     struct entry *e;
 *     if (!scan_begin(c, TYPE_SET, &e, &w)) return;       // whatever there was to say was replied
 *     do w.at = set_scan(entry_object(e), w.at, visit, &w);
 *     while (scan_goes_on(&w));
 *     scan_end(c, &w, 1);
 *
 * and in visit(): if (scan_wants(w, member)) reply_bulk(&w->into, member); for each part that is replied. */
#pragma once

#include "common/call.h"

struct scan_walk {
    uint64_t at; /* the cursor: where the walk stands */
    struct scan_options options;
    struct buf items;
    struct reply into;        /* writes to `items` */
    uint64_t visited, wanted; /* elements so far: all, and those that match */
    uint64_t rounds;
};

/* Read the arguments and find the key. False: an error or an empty result was replied. */
MUST_USE bool scan_begin(struct call *c, enum type type, struct entry **e, struct scan_walk *w);

/* Count an element; true if it is to be replied. */
bool scan_wants(struct scan_walk *w, struct span element);

/* After a step: are there more elements, and were fewer visited than were asked for? */
bool scan_goes_on(struct scan_walk *w);

/* Reply; @parts is the number of strings that an element was replied as. */
void scan_end(struct call *c, struct scan_walk *w, unsigned parts);
