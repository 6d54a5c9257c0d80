#include "replication/moment.h"

#include <stdio.h>
#include <time.h>

#include "common/num.h"

size_t moment_format(int64_t time_ms, char text[MOMENT_MAX_TEXT])
{
    struct tm t;
    const time_t seconds = (time_t)(time_ms / 1000);
    /* A year beyond what the calendar takes is shown as the number that it is. */
    if (time_ms < 0 || time_ms / 1000 > INT64_C(253402300799) || !gmtime_r(&seconds, &t))
        return (size_t)snprintf(text, MOMENT_MAX_TEXT, "%lld ms", (long long)time_ms);
    char day[24];
    (void)strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &t);
    return (size_t)snprintf(text, MOMENT_MAX_TEXT, "%s.%03dZ", day, (int)(time_ms % 1000));
}

/* Exactly @digits of them. */
static bool take_digits(struct cursor *c, unsigned digits, int *v)
{
    struct span s;
    *v = 0;
    if (!take_span(c, digits, &s)) return false;
    for (unsigned i = 0; i < digits; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        *v = *v * 10 + (s.p[i] - '0');
    }
    return true;
}

static bool take_char(struct cursor *c, const char *any)
{
    if (!cursor_left(c) || !strchr(any, *c->at) || !*c->at) return false;
    c->at++;
    return true;
}

/* ".25" and the like at the end of a time: milliseconds; no fraction is 0. More digits than three are cut. */
static bool take_fraction(struct cursor *c, int *ms)
{
    int scale = 100, digits = 0;
    *ms = 0;
    if (!take_char(c, ".")) return true;
    for (; cursor_left(c) && *c->at >= '0' && *c->at <= '9'; c->at++, digits++) {
        *ms += (*c->at - '0') * scale;
        scale /= 10;
    }
    return digits > 0;
}

static bool take_clock(struct cursor *c, struct tm *t, int *ms)
{
    if (!take_digits(c, 2, &t->tm_hour) || !take_char(c, ":") || !take_digits(c, 2, &t->tm_min)) return false;
    if (take_char(c, ":") && (!take_digits(c, 2, &t->tm_sec) || !take_fraction(c, ms))) return false;
    (void)take_char(c, "Zz");
    return t->tm_hour < 24 && t->tm_min < 60 && t->tm_sec < 60;
}

static bool parse_iso(struct span s, int64_t *time_ms)
{
    struct cursor c = cursor_of(s);
    struct tm t = {0};
    int ms = 0, month;
    if (!take_digits(&c, 4, &t.tm_year) || !take_char(&c, "-") || !take_digits(&c, 2, &month) ||
        !take_char(&c, "-") || !take_digits(&c, 2, &t.tm_mday))
        return false;
    if (take_char(&c, "Tt ") && !take_clock(&c, &t, &ms)) return false;
    if (cursor_left(&c) || t.tm_year < 1970 || month < 1 || month > 12 || t.tm_mday < 1) return false;
    t.tm_year -= 1900;
    t.tm_mon = month - 1;
    const int day = t.tm_mday;
    const int64_t seconds = (int64_t)timegm(&t);
    /* The 31st of April would have become the 1st of May. */
    if (t.tm_mday != day) return false;
    *time_ms = seconds * 1000 + ms;
    return true;
}

bool moment_parse_time(struct span s, int64_t *time_ms)
{
    const char *point = s.n ? memchr(s.p, '.', s.n) : NULL;
    const size_t whole = point ? (size_t)(point - s.p) : s.n;
    struct cursor fraction = cursor_of(span_of(s.p + whole, s.n - whole));
    int64_t seconds;
    int ms;
    if (!num_parse_i64(span_of(s.p, whole), &seconds)) return parse_iso(s, time_ms);
    if (seconds < 0 || seconds > INT64_MAX / 1000 - 1 || !take_fraction(&fraction, &ms) || cursor_left(&fraction))
        return false;
    *time_ms = seconds * 1000 + ms;
    return true;
}

static bool parse_position(struct span s, struct moment *at)
{
    if (s.n && *s.p == '@') return num_parse_u64(span_of(s.p + 1, s.n - 1), &at->offset);
    const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL;
    if (!colon) return false;
    const size_t n = (size_t)(colon - s.p);
    return num_parse_u64(span_of(s.p, n), &at->epoch) && at->epoch > 0 &&
           num_parse_u64(span_of(colon + 1, s.n - n - 1), &at->offset);
}

enum err moment_parse(struct span s, struct moment *at, struct errmsg *m)
{
    *at = (struct moment){.is_time = false};
    if (parse_position(s, at)) return ERR_OK;
    at->is_time = moment_parse_time(s, &at->time_ms);
    if (at->is_time) return ERR_OK;
    return err_set(
        m, ERR_INVALID,
        "'%.*s' is no moment: give a time in UTC (2026-11-22T16:30:00Z), Unix seconds (1795365000.250), or a "
        "position in the log (epoch:offset, or @offset)",
        (int)(s.n < 60 ? s.n : 60), s.p);
}
