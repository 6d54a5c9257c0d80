#include "server/cohort.h"

/* Who stays away for longer is none of those who write all the time. */
enum { AWAY_MAX = 16 };

static const double share = 0.5, smoothing = 0.125;

/* The log has taken what was there: a flush is under way. */
static void turn_to(struct cohort *h, uint64_t flush)
{
    h->writers += (h->reach - h->writers) * smoothing;
    h->reach = 0;
    if (!h->handed) h->joined = 0; /* it took them unasked */
    h->handed = false;
    h->flush = flush;
}

bool cohort_join(struct cohort *h, uint64_t flush, uint64_t *last)
{
    if (flush != h->flush) turn_to(h, flush);
    if (*last == flush) return false;
    const uint64_t away = *last ? flush - *last : 1;
    *last = flush;
    h->reach += away <= AWAY_MAX ? (unsigned)away : 1;
    h->joined++;
    return h->joined + 0.5 >= h->writers * share;
}

void cohort_hand_over(struct cohort *h)
{
    h->joined = 0;
    h->handed = true;
}
