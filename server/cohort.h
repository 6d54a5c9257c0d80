/* Clients whose writes ride in one flush, under `appendfsync always`: when are there enough of them?
 *
 * A flush costs about the same for one write as for many, and whoever hears of its own write soon writes the next. So with
 * n clients that write all the time it is best to flush when half of them wait: the one half is answered and makes its next
 * requests while the other half is flushed, and nobody is idle. A client that writes alone is always enough.
 *
 * n is not the number of connections, but is seen in how soon they return: of n clients that each come back to every d-th
 * flush, one in d comes to each (J. D. C. Little, "A proof for the queuing formula L = lambda W", 1961). So the d of those
 * who come to one flush add up to n. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised: nobody is known. */
struct cohort {
    uint64_t flush;  /* the one for which it gathers */
    unsigned joined; /* clients that came since the last ones were handed over */
    unsigned reach;  /* all that came: how many flushes ago each of them came before, added up */
    double writers;  /* moving average of that */
    bool handed;     /* those before were handed over by cohort_hand_over(), and @joined does not hold them */
};

/* A client wrote while the log gathers for @flush (a number above 0 that never falls). *@last is the client's, 0 at the
 * beginning: the flush for which it joined before. True: enough wait now. */
bool cohort_join(struct cohort *h, uint64_t flush, uint64_t *last);

/* Those who joined were handed over to be flushed at once. */
void cohort_hand_over(struct cohort *h);
