#include "common/call.h"

/* The character class at @p->at, behind its "[": is @c in it? Moves behind the "]"; a missing one is implied. */
static bool match_class(struct cursor *p, unsigned char c)
{
    const bool negated = cursor_left(p) && *p->at == '^';
    bool found = false;
    if (negated) p->at++;
    for (; cursor_left(p) && *p->at != ']'; p->at++) {
        if (*p->at == '\\' && cursor_left(p) >= 2) {
            p->at++;
            found |= (unsigned char)*p->at == c;
        } else if (cursor_left(p) >= 3 && p->at[1] == '-') {
            unsigned char low = (unsigned char)p->at[0], high = (unsigned char)p->at[2];
            if (low > high) {
                const unsigned char swap = low;
                low = high;
                high = swap;
            }
            found |= low <= c && c <= high;
            p->at += 2;
        } else {
            found |= (unsigned char)*p->at == c;
        }
    }
    if (cursor_left(p)) p->at++;
    return found != negated;
}

/* One pattern element that is not "*", against one byte. */
static bool match_one(struct cursor *p, unsigned char c)
{
    const char kind = *p->at++;
    if (kind == '?') return true;
    if (kind == '[') return match_class(p, c);
    if (kind == '\\' && cursor_left(p)) return (unsigned char)*p->at++ == c;
    return (unsigned char)kind == c;
}

/* Only the last "*" needs to be retried: if what stands between two stars matches somewhere, its first place is as
 * good as any. So the cost is at most |pattern| x |text|, whatever the number of stars. */
bool glob_match(struct span pattern, struct span text)
{
    struct cursor p = cursor_of(pattern), t = cursor_of(text);
    struct cursor star = {NULL, NULL}, from = {NULL, NULL};
    while (cursor_left(&t)) {
        if (cursor_left(&p) && *p.at == '*') {
            p.at++;
            star = p;
            from = t;
        } else if (cursor_left(&p) && match_one(&p, (unsigned char)*t.at)) {
            t.at++;
        } else if (star.at) {
            p = star;
            from.at++;
            t = from;
        } else {
            return false;
        }
    }
    while (cursor_left(&p) && *p.at == '*') p.at++;
    return cursor_left(&p) == 0;
}
