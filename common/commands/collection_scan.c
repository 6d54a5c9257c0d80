#include "common/commands/collection_scan.h"

bool scan_begin(struct call *c, enum type type, struct entry **e, struct scan_walk *w)
{
    *w = (struct scan_walk){0};
    /* The order of Redis's checks: the cursor, the key, the options. */
    struct call cursor_only = *c;
    cursor_only.argc = 3;
    if (!call_scan_options(&cursor_only, 2, false, &w->options)) return false;
    if (!call_find(c, c->argv[1], type, FOR_READ, e)) return false;
    if (!*e) {
        w->options.cursor = 0;
        scan_end(c, w, 0);
        return false;
    }
    if (!call_scan_options(c, 2, false, &w->options)) return false;
    w->at = w->options.cursor;
    w->into = (struct reply){.out = &w->items, .resp = c->reply->resp};
    return true;
}

bool scan_wants(struct scan_walk *w, struct span element)
{
    w->visited++;
    if (w->options.match.p && !glob_match(w->options.match, element)) return false;
    w->wanted++;
    return true;
}

bool scan_goes_on(struct scan_walk *w)
{
    /* Empty places cost time too: after ten times as many steps as elements were asked for, the client goes on. */
    w->rounds++;
    return w->at != 0 && w->visited < w->options.count && w->rounds / 10 < w->options.count;
}

void scan_end(struct call *c, struct scan_walk *w, unsigned parts)
{
    reply_array(c->reply, 2);
    reply_bulk_int(c->reply, (int64_t)w->at);
    reply_array(c->reply, w->wanted * parts);
    buf_add_span(c->reply->out, buf_span(&w->items));
    buf_free(&w->items);
}
