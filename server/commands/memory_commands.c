/* MEMORY, as far as it is about the process; MEMORY USAGE stands in common/commands/memory.c. */
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/memory_report.h"
#include "server/server.h"

static void put_size(struct call *c, const char *name, size_t v)
{
    reply_bulk(c->reply, span_str(name));
    reply_int(c->reply, (int64_t)v);
}

static void put_difference(struct call *c, const char *name, size_t a, size_t b)
{
    reply_bulk(c->reply, span_str(name));
    reply_int(c->reply, (int64_t)a - (int64_t)b);
}

static void put_real(struct call *c, const char *name, double v)
{
    reply_bulk(c->reply, span_str(name));
    reply_double(c->reply, v);
}

static size_t put_general(struct call *c, const struct memory_report *r)
{
    put_size(c, "peak.allocated", r->peak);
    put_size(c, "total.allocated", r->use.used);
    put_size(c, "startup.allocated", r->startup);
    put_size(c, "replication.backlog", r->backlog);
    put_size(c, "clients.slaves", 0); /* links have no buffers: a replica is a cursor on the log */
    put_size(c, "clients.normal", r->clients);
    put_size(c, "cluster.links", 0);
    put_size(c, "aof.buffer", r->log);
    put_size(c, "lua.caches", 0);
    put_size(c, "functions.caches", 0);
    return 10;
}

static size_t put_databases(struct call *c, struct server *s)
{
    size_t n = 0;
    for (unsigned db = 0; db < engine_databases(s->engine); db++) {
        char name[16];
        if (engine_keys(s->engine, db) == 0) continue;
        (void)snprintf(name, sizeof name, "db.%u", db);
        reply_bulk(c->reply, span_str(name));
        reply_map(c->reply, 3);
        put_size(c, "overhead.hashtable.main", htable_bytes(db_table(engine_db(s->engine, db))));
        put_size(c, "overhead.hashtable.expires", 0); /* expiry times stand beside the keys */
        put_size(c, "overhead.hashtable.slot-to-keys", 0);
        n++;
    }
    return n;
}

static size_t put_totals(struct call *c, const struct memory_report *r)
{
    const size_t above_start = r->use.used > r->startup ? r->use.used - r->startup : 0;
    put_size(c, "overhead.total", r->overhead);
    put_size(c, "keys.count", (size_t)r->keys);
    put_size(c, "keys.bytes-per-key", r->keys ? above_start / (size_t)r->keys : 0);
    put_size(c, "dataset.bytes", r->dataset);
    put_real(c, "dataset.percentage", memory_percent(r->dataset, above_start));
    put_real(c, "peak.percentage", memory_percent(r->use.used, r->peak));
    return 6;
}

static size_t put_allocator(struct call *c, const struct memory_report *r)
{
    const struct memory_use *u = &r->use;
    put_size(c, "allocator.allocated", u->used);
    put_size(c, "allocator.active", u->active);
    put_size(c, "allocator.resident", u->held);
    put_real(c, "allocator-fragmentation.ratio", memory_ratio(u->active, u->used));
    put_difference(c, "allocator-fragmentation.bytes", u->active, u->used);
    put_real(c, "allocator-rss.ratio", memory_ratio(u->held, u->active));
    put_difference(c, "allocator-rss.bytes", u->held, u->active);
    put_real(c, "rss-overhead.ratio", memory_ratio(u->resident, u->held));
    put_difference(c, "rss-overhead.bytes", u->resident, u->held);
    put_real(c, "fragmentation", memory_ratio(u->resident, u->used));
    put_difference(c, "fragmentation.bytes", u->resident, u->used);
    return 11;
}

void memory_command_stats(struct call *c)
{
    struct server *s = client_of(c)->server;
    struct memory_report r;
    memory_report(s, &r);
    const size_t mark = reply_begin(c->reply);
    size_t n = put_general(c, &r);
    n += put_databases(c, s);
    n += put_totals(c, &r);
    n += put_allocator(c, &r);
    reply_end_map(c->reply, mark, n);
}

void memory_command_doctor(struct call *c)
{
    struct memory_report r;
    struct buf text = {0};
    memory_report(client_of(c)->server, &r);
    memory_diagnose(&r, &text);
    reply_verbatim(c->reply, "txt", buf_span(&text));
    buf_free(&text);
}

void memory_command_malloc_stats(struct call *c)
{
    struct buf text = {0};
    memory_describe(&text);
    reply_verbatim(c->reply, "txt", buf_span(&text));
    buf_free(&text);
}

void memory_command_purge(struct call *c)
{
    memory_purge();
    reply_ok(c->reply);
}
