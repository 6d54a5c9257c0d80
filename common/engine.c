#include "common/engine_impl.h"

#include <assert.h>
#include <stdio.h>

#include "common/call.h"
#include "common/commands/commands.h"
#include "common/mem.h"

void engine_add_commands(struct command_set *s)
{
    static const struct command *const families[] = {
        string_commands, generic_commands,     list_commands,          set_commands,
        hash_commands,   zset_commands,        stream_commands,        memory_commands,
        bitmap_commands, hyperloglog_commands, geo_commands,           sort_commands,
        dump_commands,   hash_expiry_commands, hash_together_commands, cache_commands,
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) command_set_add(s, families[i], CMD_ENGINE);
}

static struct dataset *dataset_new(const struct engine_options *options)
{
    struct dataset *data = mem_zalloc(1, sizeof *data + options->databases * sizeof *data->dbs);
    memcpy(data->hash_key, options->hash_key, sizeof data->hash_key);
    data->count = options->databases;
    for (unsigned i = 0; i < data->count; i++) data->dbs[i] = db_new(i, data->hash_key);
    return data;
}

static void dataset_attach(struct dataset *data, struct graveyard *g)
{
    for (unsigned i = 0; i < data->count; i++) db_set_graveyard(data->dbs[i], g);
}

static void dataset_free(struct dataset *data)
{
    for (unsigned i = 0; i < data->count; i++) db_free(data->dbs[i]);
    functions_clear(&data->functions);
    mem_free(data);
}

struct engine *engine_new(const struct engine_options *options)
{
    assert(options->databases > 0);
    struct engine *e = MEM_NEW(struct engine);
    e->data = dataset_new(options);
    dataset_attach(e->data, &e->graveyard);
    e->pool = eviction_pool_new();
    e->options = *options;
    e->graveyard.open = options->lazy.server_del;
    e->random = options->random_seed;
    e->now_ms = options->now_ms;
    e->commands = command_set_new();
    engine_add_commands(e->commands);
    return e;
}

void engine_free(struct engine *e)
{
    if (!e) return;
    assert(!e->traversal);
    command_set_free(e->commands);
    dataset_free(e->data);
    eviction_pool_free(e->pool);
    garbage_free(e->graveyard.first);
    ready_free(e->ready);
    leases_free(e->leases);
    buf_free(&e->unread);
    mem_free(e);
}

/* What a finished handler leaves to be logged: its own effects are listed already, else the request as it came. */
static void log_request(const struct call *c)
{
    if (c->effects_listed || !c->effects) return;
    if (c->raw.n) effects_add_raw(c->effects, db_id(c->db), c->raw);
    else effects_add(c->effects, db_id(c->db), c->argv, c->argc);
}

/* Whoever deletes a key says that what is being loaded for it is out of date, also where there is none yet. (Changes are
 * seen by call_changed_in().) */
static void void_leases(const struct call *c)
{
    enum { ROOM = 64 };
    struct key_ref some[ROOM], *refs = some;
    if (leases_count(c->engine->leases) == 0) return;
    const long n = command_keys(c->command, c->argv, c->argc, some, ROOM);
    if (n > ROOM) {
        refs = mem_zalloc((size_t)n, sizeof *refs);
        (void)command_keys(c->command, c->argv, c->argc, refs, (size_t)n);
    }
    for (long i = 0; i < n; i++)
        if (refs[i].flags & KEY_DELETE) leases_void(c->engine->leases, db_id(c->db), c->argv[refs[i].index]);
    if (refs != some) mem_free(refs);
}

void engine_execute(struct engine *e, struct session *s, int64_t now_ms, const struct command_entry *command,
                    const struct request *request, struct reply *reply, struct effects *effects)
{
    assert(command->row->run && command_arity_fits(command, request->argc));
    assert(s->db < e->data->count);
    struct call c = {.engine = e,
                     .session = s,
                     .db = e->data->dbs[s->db],
                     .command = command,
                     .argv = request->argv,
                     .argc = request->argc,
                     .raw = request->raw,
                     .now_ms = now_ms,
                     .origin = ORIGIN_CLIENT,
                     .reply = reply,
                     .effects = effects,
                     .hash_known = request->hashed,
                     .hash = request->hash};
    e->now_ms = now_ms;
    command->row->run(&c);
    if (e->leases && command->flags & CMD_WRITE) void_leases(&c);
    if (c.changes == 0) return;
    e->stats.dirty += c.changes;
    log_request(&c);
}

void engine_foresee(const struct engine *e, const struct session *s, const struct command_entry *command,
                    struct request *request)
{
    enum { MOST = 256 }; /* bytes of a key */
    if (request->argc < 2 || command->row->keys[0].begin != 1 || request->argv[1].n > MOST) return;
    const struct db *d = e->data->dbs[s->db];
    request->hash = db_hash(d, request->argv[1]);
    request->hashed = true;
    htable_prefetch_bucket(db_table(d), request->hash);
}

void engine_foresee_more(const struct engine *e, const struct session *s, const struct request *request)
{
    if (request->hashed) htable_prefetch_item(db_table(e->data->dbs[s->db]), request->hash);
}

/* MULTI and EXEC frame what Redis logs of a transaction. */
static bool is_frame(struct span name, size_t argc)
{
    return argc == 1 && (span_is(name, "MULTI") || span_is(name, "EXEC"));
}

static enum err replay_failed(struct errmsg *m, const struct span *argv, size_t argc, const char *why, size_t why_len)
{
    const struct span key = argc > 1 ? argv[1] : SPAN("");
    return err_set(m, ERR_CORRUPT, "the logged command %.*s %.*s does not fit the data: %.*s",
                   (int)(argv[0].n < 32 ? argv[0].n : 32), argv[0].p, (int)(key.n < 64 ? key.n : 64), key.p,
                   (int)why_len, why);
}

enum err engine_replay(struct engine *e, struct session *s, const struct span *argv, size_t argc, struct errmsg *m)
{
    assert(argc > 0);
    const struct command_entry *command = command_find(e->commands, argv[0], argc > 1 ? argv[1] : SPAN(""));
    if (!command || !command->row->run) {
        if (is_frame(argv[0], argc)) return ERR_OK;
        if (span_is(argv[0], "function")) return functions_replay(&e->data->functions, argv, argc, m);
        return replay_failed(m, argv, argc, "unknown command", 15);
    }
    if (!command_arity_fits(command, argc)) return replay_failed(m, argv, argc, "wrong number of arguments", 25);
    enum { KEPT_BYTES = 4096 };
    struct reply reply = {.out = &e->unread, .resp = 2};
    buf_reset(&e->unread, KEPT_BYTES);
    struct call c = {.engine = e,
                     .session = s,
                     .db = e->data->dbs[s->db],
                     .command = command,
                     .argv = argv,
                     .argc = argc,
                     .now_ms = e->now_ms,
                     .origin = ORIGIN_LOG,
                     .reply = &reply};
    command->row->run(&c);
    e->stats.dirty += c.changes;
    return reply.errors ? replay_failed(m, argv, argc, e->unread.p + 1, e->unread.len - 3) : ERR_OK;
}

void engine_set_role(struct engine *e, enum engine_role role)
{
    if (e->leases && role != e->role) leases_void_all(e->leases);
    e->role = role;
}

void engine_keep_dead(struct engine *e, bool keep) { e->keeps_dead = keep; }
void engine_set_observer(struct engine *e, const struct engine_observer *observer) { e->observer = *observer; }
struct encoding_limits *engine_limits(struct engine *e) { return &e->options.limits; }
void engine_set_max_bulk(struct engine *e, size_t max_bulk) { e->options.max_bulk = max_bulk; }

void engine_set_lazy(struct engine *e, const struct lazy_settings *s)
{
    e->options.lazy = *s;
    e->graveyard.open = s->server_del;
}

struct graveyard *engine_graveyard(struct engine *e) { return &e->graveyard; }

struct garbage *engine_take_garbage(struct engine *e, uint64_t *objects)
{
    return graveyard_take(&e->graveyard, objects);
}

const struct engine_stats *engine_stats(const struct engine *e) { return &e->stats; }

void engine_reset_stats(struct engine *e)
{
    /* dirty counts from the engine's first day: save rules compare it. */
    e->stats = (struct engine_stats){.dirty = e->stats.dirty};
}

double engine_stale_percent(const struct engine *e)
{
    const struct expire_share *s = &e->expire_share;
    return s->looked_at ? 100.0 * (double)s->dead / (double)s->looked_at : 0;
}

unsigned engine_databases(const struct engine *e) { return e->data->count; }
uint64_t engine_keys(const struct engine *e, unsigned db) { return db_size(e->data->dbs[db]); }
uint64_t engine_expires(const struct engine *e, unsigned db) { return db_expires(e->data->dbs[db]); }
int64_t engine_mean_ttl(const struct engine *e, unsigned db) { return db_mean_ttl(e->data->dbs[db]); }
uint64_t engine_timed_hashes(const struct engine *e, unsigned db) { return db_timed_hashes(e->data->dbs[db]); }

struct db *engine_db(struct engine *e, unsigned id) { return id < e->data->count ? e->data->dbs[id] : NULL; }
int64_t engine_now_ms(const struct engine *e) { return e->now_ms; }

void engine_set_traversal(struct engine *e, struct traversal *t)
{
    assert(!e->traversal || !t);
    e->traversal = t;
}

enum key_state engine_key_state(const struct engine *e, unsigned db, struct span key, int64_t now_ms)
{
    const struct entry *entry = db_find(e->data->dbs[db], key);
    if (!entry) return KEY_ABSENT;
    return entry_is_dead(entry, now_ms) ? KEY_DEAD : KEY_ALIVE;
}

int engine_key_type(const struct engine *e, unsigned db, struct span key, int64_t now_ms)
{
    const struct entry *entry = db_find(e->data->dbs[db], key);
    return entry && !entry_is_dead(entry, now_ms) ? (int)entry_type(entry) : -1;
}

struct functions *engine_functions(struct engine *e) { return &e->data->functions; }
void engine_count_change(struct engine *e) { e->stats.dirty++; }

const uint8_t *engine_hash_key(const struct engine *e) { return e->data->hash_key; }

void engine_check(const struct engine *e)
{
    for (unsigned i = 0; i < e->data->count; i++) db_check(e->data->dbs[i]);
}

void engine_swap(struct engine *a, struct engine *b)
{
    assert(a->data->count == b->data->count);
    assert(!a->traversal && !b->traversal);
    struct dataset *data = a->data;
    engine_flushed(a, -1, -1);
    engine_flushed(b, -1, -1);
    a->data = b->data;
    b->data = data;
    /* Neither may be taken for what was there before. */
    const uint64_t x = a->data->functions.changes, y = data->functions.changes;
    a->data->functions.changes = data->functions.changes = (x > y ? x : y) + 1;
    dataset_attach(a->data, &a->graveyard);
    dataset_attach(b->data, &b->graveyard);
    eviction_pool_clear(a->pool);
    eviction_pool_clear(b->pool);
    a->expire = b->expire = (struct expire_cursor){0, 0};
    engine_flushed(a, -1, -1);
    engine_flushed(b, -1, -1);
}
