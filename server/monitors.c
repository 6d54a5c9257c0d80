#include "server/monitors.h"

#include <sys/time.h>

#include "common/mem.h"
#include "replication/words.h"
#include "server/client.h"
#include "server/redact.h"
#include "server/scripting.h"
#include "server/server.h"

enum { FIRST_ROOM = 4, KEPT_BYTES = 4096 };

void monitors_free(struct server *s)
{
    mem_free(s->monitors.list);
    buf_free(&s->monitors.line);
}

static bool find(const struct monitors *m, const struct client *c, size_t *at)
{
    for (*at = 0; *at < m->count; ++*at)
        if (m->list[*at] == c) return true;
    return false;
}

void monitors_add(struct client *c)
{
    struct monitors *m = &c->server->monitors;
    size_t at;
    if (find(m, c, &at)) return;
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : FIRST_ROOM;
        m->list = mem_realloc(m->list, m->room * sizeof(struct client *));
    }
    m->list[m->count++] = c;
    c->flags |= CLIENT_MONITOR;
    c->output = OUTPUT_PUBSUB;
}

void monitors_forget(struct client *c)
{
    struct monitors *m = &c->server->monitors;
    size_t at;
    if (!(c->flags & CLIENT_MONITOR) || !find(m, c, &at)) return;
    m->list[at] = m->list[--m->count];
    c->flags &= ~(unsigned)CLIENT_MONITOR;
    c->output = OUTPUT_NORMAL;
}

/* The arguments, as far as a line has room. */
static void put_arguments(const struct command_entry *e, const struct request *r, struct buf *line)
{
    for (size_t i = 0; i < r->argc; i++) {
        if (line->len >= MONITORS_LINE_BYTES) {
            buf_printf(line, " ... (%zu more arguments)", r->argc - i);
            return;
        }
        const struct span arg = redact_argument(e, r->argv, i);
        const size_t n = arg.n < MONITORS_LINE_BYTES ? arg.n : MONITORS_LINE_BYTES;
        buf_add_char(line, ' ');
        words_quote(line, span_of(arg.p, n));
        if (n < arg.n) buf_printf(line, "... (%zu more bytes)", arg.n - n);
    }
}

void monitors_feed(struct client *c, const struct command_entry *e, const struct request *r)
{
    struct monitors *m = &c->server->monitors;
    struct timeval now;
    if (e->flags & CMD_ADMIN || (e->flags & CMD_SKIP_MONITOR && !scripting_is_script(e))) return;
    (void)gettimeofday(&now, NULL);
    m->line.len = 0;
    buf_printf(&m->line, "+%lld.%06ld [%u %s]", (long long)now.tv_sec, (long)now.tv_usec, c->session.db,
               c->flags & CLIENT_IN_SCRIPT ? "lua" : c->addr);
    put_arguments(e, r, &m->line);
    buf_add(&m->line, "\r\n", 2);
    for (size_t i = 0; i < m->count; i++) client_push(m->list[i], buf_span(&m->line), c->depends);
    buf_reset(&m->line, KEPT_BYTES);
}
