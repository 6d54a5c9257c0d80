#include "server/memory_report.h"

#include "common/htable.h"
#include "common/keyspace.h"
#include "replication/log.h"
#include "server/client.h"
#include "server/server.h"

double memory_ratio(size_t a, size_t b) { return b ? (double)a / (double)b : 0; }
double memory_percent(size_t part, size_t whole) { return 100 * memory_ratio(part, whole); }

static void add_clients(const struct server *s, struct memory_report *r)
{
    for (const struct client *c = s->clients.first; c; c = c->next) {
        const size_t bytes = client_memory(c);
        r->clients += bytes;
        if (c->output != OUTPUT_NORMAL) r->monitors += bytes;
    }
    r->client_count = s->clients.count;
}

static void add_data(const struct server *s, struct memory_report *r)
{
    for (unsigned db = 0; db < engine_databases(s->engine); db++) {
        r->keys += engine_keys(s->engine, db);
        r->tables += htable_bytes(db_table(engine_db(s->engine, db)));
    }
}

void memory_report(struct server *s, struct memory_report *r)
{
    struct node_status n;
    limits_look(s); /* the peak is as of now */
    *r = (struct memory_report){.startup = s->startup_memory};
    memory_use(&r->use);
    r->peak = s->peak_memory > r->use.used ? s->peak_memory : r->use.used;
    if (s->nodes.node) {
        node_status(s->nodes.node, &n);
        r->backlog = (size_t)(n.window_end - n.window_begin);
    }
    if (s->journal.log) r->log = (size_t)log_backlog(s->journal.log);
    add_clients(s, r);
    add_data(s, r);
    r->overhead = r->startup + r->backlog + r->log + r->clients + r->tables;
    r->dataset = r->use.used > r->overhead ? r->use.used - r->overhead : 0;
}

/* ---- For people ---- */

enum {
    FEW_BYTES = 5 << 20,      /* of so little memory nothing can be told */
    NOTABLE = 10 << 20,       /* less than this is not worth a word */
    CLIENT_BYTES = 200 << 10, /* on average */
};

static bool wastes(size_t more, size_t less, double ratio)
{
    return more > less && more - less > NOTABLE && memory_ratio(more, less) > ratio;
}

void memory_diagnose(const struct memory_report *r, struct buf *to)
{
    const struct memory_use *u = &r->use;
    if (u->used < FEW_BYTES) {
        buf_printf(to, "There is hardly anything in memory: nothing can be told about it yet.\n");
        return;
    }
    const size_t before = to->len;
    if (wastes(r->peak, u->used, 1.5))
        buf_printf(
            to,
            "- Peak: once %.1f times as much was in use as now. The allocator may keep what was freed; the ratios "
            "below are worse than they will be when memory is used again.\n",
            memory_ratio(r->peak, u->used));
    if (wastes(u->resident, u->used, 1.4))
        buf_printf(to,
                   "- Resident: the process takes %.2f times the memory that is in use. MEMORY PURGE gives back what "
                   "lies idle.\n",
                   memory_ratio(u->resident, u->used));
    if (u->active && wastes(u->active, u->used, 1.1))
        buf_printf(to,
                   "- Fragmentation: the allocator's pages are used in part only, %.2f bytes for each that is in "
                   "use. A restart "
                   "of a replica, and a hand-over to it, makes them dense again.\n",
                   memory_ratio(u->active, u->used));
    if (r->client_count && r->clients / r->client_count > CLIENT_BYTES)
        buf_printf(
            to,
            "- Clients: their buffers take %zu KB each on average. Look at CLIENT LIST for omem and qbuf, and at "
            "client-output-buffer-limit and maxmemory-clients.\n",
            r->clients / r->client_count / 1024);
    if (r->log > NOTABLE)
        buf_printf(to, "- Log: %zu MB wait for the disk. INFO persistence tells how far it is behind.\n",
                   r->log >> 20);
    if (to->len == before) buf_printf(to, "Nothing is wrong with how memory is used.\n");
}
