/* A snapshot of one large collection, or of many keys, while it is being written to: how long is a step, how long does a
 * write take, how much memory does it need?
 *
 *     traverse [KIND [ELEMENTS]]     hash, set, zset, list, stream or keys; default: each in turn
 *
 * The engine alone, driven as the server drives it: a step of 64 KB, then some random writes, until all is given. The
 * pieces are put into their order with 4 MB of memory, as the checkpoint's thread does it; what goes beyond counts as
 * stored on disk. Time is this thread's CPU time, so that a busy machine does not show. "alone" is the longest write
 * before the snapshot. Pauses in proportion to the size would show in the longest step and the longest write. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/collate.h"
#include "common/engine.h"
#include "common/graveyard.h"
#include "common/traversal.h"

enum { STEP_BYTES = 64 * 1024, WRITES_PER_STEP = 60, MEMORY_BYTES = 4 << 20, ARGS_MAX = 8 };

struct bench {
    struct engine *engine;
    struct command_set *commands;
    struct session session;
    struct buf reply, log;
    uint64_t random;
};

struct kind {
    const char *name;
    uint64_t elements;
    const char *fill, *write; /* %llu is a number: in turn, at random */
};

static const struct kind kinds[] = {
    {"hash", 2000000, "HSET key field:%09llu value:%09llu", "HSET key field:%09llu changed:%llu"},
    {"set", 2000000, "SADD key member:%09llu", "SREM key member:%09llu"},
    {"zset", 2000000, "ZADD key %llu member:%09llu", "ZADD key %2$llu member:%1$09llu"},
    {"list", 5000000, "RPUSH key element:%09llu:1234567890", "LSET key %llu changed:%09llu:1234567890"},
    {"stream", 2000000, "XADD key 1-%2$llu field value:%1$09llu", "XDEL key 1-%llu"},
    {"keys", 5000000, "SET key:%012llu %0100llu", "SET key:%012llu changed:%llu"},
};

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t random_below(struct bench *b, uint64_t bound)
{
    b->random = b->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint64_t)((unsigned __int128)b->random * bound >> 64);
}

/* Execute a line; returns how long it took. */
static int64_t execute(struct bench *b, char *line)
{
    struct span argv[ARGS_MAX];
    size_t argc = 0;
    for (char *word = strtok(line, " "); word && argc < ARGS_MAX; word = strtok(NULL, " "))
        argv[argc++] = span_str(word);
    const struct command_entry *command = command_find(b->commands, argv[0], argv[1]);
    const struct request request = {.argv = argv, .argc = argc};
    struct reply reply = {.out = &b->reply, .resp = 2};
    struct effects effects;
    b->reply.len = b->log.len = 0;
    const int64_t begin = now_ns();
    effects_begin(&effects, &b->log);
    engine_execute(b->engine, &b->session, 1000, command, &request, &reply, &effects);
    effects_end(&effects);
    return now_ns() - begin;
}

/* The formats are those of `kinds`. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int64_t do_line(struct bench *b, const char *format, uint64_t first, uint64_t second)
{
    char line[300];
    (void)snprintf(line, sizeof line, format, (unsigned long long)first, (unsigned long long)second);
    return execute(b, line);
}

static int64_t longest_of(struct bench *b, const struct kind *k, uint64_t writes, int64_t longest)
{
    for (uint64_t i = 0; i < writes; i++) {
        const int64_t took = do_line(b, k->write, random_below(b, k->elements), random_below(b, 1000000000));
        if (took > longest) longest = took;
    }
    return longest;
}

static enum err no_write(void *context, struct span bytes, struct errmsg *m)
{
    (void)m;
    *(uint64_t *)context += bytes.n;
    return ERR_OK;
}

static enum err no_store(void *context, struct span bytes, uint64_t *at, struct errmsg *m)
{
    (void)context;
    (void)bytes;
    (void)m;
    *at = 0;
    return ERR_OK;
}

static enum err no_fetch(void *context, uint64_t at, void *to, size_t n, struct errmsg *m)
{
    (void)context;
    (void)at;
    (void)m;
    memset(to, 0, n);
    return ERR_OK;
}

static enum err no_forget(void *context, struct errmsg *m)
{
    (void)context;
    (void)m;
    return ERR_OK;
}

static uint64_t resident(void)
{
    unsigned long long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2) pages = 0;
    if (f) (void)fclose(f);
    return pages * 4096;
}

struct result {
    int64_t alone, step, write;
    uint64_t steps, file, before, most, stored;
    size_t own;
};

static void snapshot(struct bench *b, const struct kind *k, struct result *r)
{
    const struct collate_ops ops = {&r->file, no_write, no_store, no_fetch, no_forget};
    struct collate *collate = collate_new(&ops, MEMORY_BYTES);
    struct buf pieces = {0};
    struct errmsg m;
    r->before = resident();
    struct traversal *t = traversal_begin(b->engine);
    for (bool more = true; more; r->steps++) {
        r->write = longest_of(b, k, WRITES_PER_STEP, r->write);
        if (traversal_bytes(t) > r->own) r->own = traversal_bytes(t);
        const int64_t begin = now_ns();
        more = traversal_step(t, &pieces, STEP_BYTES);
        const int64_t took = now_ns() - begin;
        if (took > r->step) r->step = took;
        if (collate_take(collate, buf_span(&pieces), &m)) abort();
        pieces.len = 0;
        if (collate_stored(collate) > r->stored) r->stored = collate_stored(collate);
        if (r->steps % 64 == 0 && resident() > r->most) r->most = resident();
    }
    traversal_free(t);
    collate_free(collate);
    buf_free(&pieces);
}

static void run(const struct kind *k)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct bench b = {.engine = engine_new(&options), .commands = command_set_new(), .random = 1};
    struct result r = {0};
    uint64_t objects;
    engine_add_commands(b.commands);
    for (uint64_t i = 0; i < k->elements; i++) (void)do_line(&b, k->fill, i, i + 1);
    r.alone = longest_of(&b, k, 20000, 0);
    snapshot(&b, k, &r);
    const double extra = r.most > r.before ? (double)(r.most - r.before) : 0;
    printf("%-6s %9llu  longest write %6.3f ms (alone %6.3f), step %6.3f ms of %llu; memory +%4.1f %% of %llu MB "
           "(its own "
           "%.1f MB), on disk %llu MB, file %llu MB\n",
           k->name, (unsigned long long)k->elements, (double)r.write / 1e6, (double)r.alone / 1e6,
           (double)r.step / 1e6, (unsigned long long)r.steps, 100 * extra / (double)r.before,
           (unsigned long long)r.before >> 20, (double)r.own / 1e6, (unsigned long long)r.stored >> 20,
           (unsigned long long)r.file >> 20);
    (void)fflush(stdout);
    garbage_free(engine_take_garbage(b.engine, &objects));
    engine_free(b.engine);
    command_set_free(b.commands);
    buf_free(&b.reply);
    buf_free(&b.log);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct kind k = kinds[i];
        if (argc > 1 && strcmp(argv[1], k.name) != 0) continue;
        if (argc > 2) k.elements = strtoull(argv[2], NULL, 10);
        run(&k);
    }
    return 0;
}
