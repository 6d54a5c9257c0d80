#include <assert.h>
#include <string.h>

#include "common/functions.h"
#include "common/rdb.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/script/shebang.h"
#include "server/scripting_impl.h"
#include "server/server.h"

static struct libraries *libraries_of(struct call *c) { return scripting_libraries(client_of(c)->server); }

static struct functions *data_of(struct call *c) { return engine_functions(c->engine); }

/* ---- FCALL ---- */

void functions_fcall(struct call *c)
{
    struct script_job job = {.is_function = true};
    struct libraries *l = libraries_of(c);
    const struct library_function *f = libraries_find(l, c->argv[1]);
    scripting_depends_on_functions(client_of(c));
    if (!f) {
        reply_error(c->reply, "ERR Function not found");
        return;
    }
    if (!scripts_take_arguments(c, "ERR Bad number of keys provided", &job)) return;
    job.vm = libraries_vm(l);
    job.function = f->reference;
    job.flags = f->flags;
    job.read_only = c->command->flags & CMD_READONLY;
    const size_t n = f->name.n < sizeof job.name - 1 ? f->name.n : sizeof job.name - 1;
    memcpy(job.name, f->name.p, n);
    job.name[n] = '\0';
    scripting_run(c, &job);
}

/* ---- Changes ---- */

static void allow_time(struct call *c)
{
    client_of(c)->server->scripting->load_until_ns = clock_ticks_ns() + SCRIPT_LOAD_MS * INT64_C(1000000);
}

/* Put a library that Lua has taken into the data. */
static void keep(struct call *c, struct span code)
{
    struct errmsg m;
    const enum err e = functions_load(data_of(c), code, true, &m);
    assert(e == ERR_OK);
}

void functions_command_load(struct call *c)
{
    const bool replace = c->argc == 4 && span_is(c->argv[2], "replace");
    struct errmsg m = {{0}};
    struct span name;
    if (c->argc > 3 && !replace) {
        const struct span word = c->argv[2];
        reply_error(c->reply, "ERR Unknown option given: %.*s", (int)(word.n < 128 ? word.n : 128), word.p);
        return;
    }
    const struct span code = c->argv[c->argc - 1];
    struct libraries *l = libraries_of(c);
    allow_time(c);
    if (libraries_load(l, code, replace, &name, &m)) {
        reply_error(c->reply, "ERR %s", m.text);
        return;
    }
    keep(c, code);
    scripting_functions_changed(c, c->argv, c->argc);
    reply_bulk(c->reply, name);
}

void functions_command_delete(struct call *c)
{
    if (!libraries_delete(libraries_of(c), c->argv[2])) {
        /* It may stand in the data though Lua could not load it. */
        if (!functions_delete(data_of(c), c->argv[2])) {
            reply_error(c->reply, "ERR Library not found");
            return;
        }
    } else {
        (void)functions_delete(data_of(c), c->argv[2]);
    }
    scripting_functions_changed(c, c->argv, c->argc);
    reply_ok(c->reply);
}

void functions_command_flush(struct call *c)
{
    const bool fits = c->argc == 2 || (c->argc == 3 && (span_is(c->argv[2], "sync") || span_is(c->argv[2], "async")));
    if (!fits) {
        reply_error(c->reply, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        return;
    }
    libraries_clear(libraries_of(c));
    functions_clear(data_of(c));
    scripting_functions_changed(c, c->argv, c->argc);
    reply_ok(c->reply);
}

/* ---- DUMP and RESTORE ---- */

void functions_command_dump(struct call *c)
{
    struct buf payload = {0};
    struct rdb_sum sum = {0};
    const struct functions *data = data_of(c);
    scripting_depends_on_functions(client_of(c));
    for (size_t i = 0; i < data->count; i++) rdb_put_function(&payload, data->at[i].code);
    const char version[] = {RDB_VERSION, 0};
    buf_add(&payload, version, sizeof version);
    rdb_sum_add(&sum, buf_span(&payload));
    rdb_put_checksum(&payload, &sum);
    reply_bulk(c->reply, buf_span(&payload));
    buf_free(&payload);
}

static enum err collect(void *context, struct span code, struct errmsg *m)
{
    return functions_load(context, code, false, m);
}

enum policy { POLICY_APPEND, POLICY_REPLACE, POLICY_FLUSH, POLICY_UNKNOWN };

static enum policy take_policy(const struct call *c)
{
    if (c->argc == 3 || span_is(c->argv[3], "append")) return POLICY_APPEND;
    return span_is(c->argv[3], "replace") ? POLICY_REPLACE
           : span_is(c->argv[3], "flush") ? POLICY_FLUSH
                                          : POLICY_UNKNOWN;
}

/* Have Lua take all of @new in place of what the policy says. Where one fails, @m says why; what Lua has then is no longer
 * what the data has. */
static enum err take_all(struct call *c, const struct functions *new, enum policy policy, struct errmsg *m)
{
    struct libraries *l = libraries_of(c);
    struct span name;
    enum err e = ERR_OK;
    if (policy == POLICY_FLUSH) libraries_clear(l);
    for (size_t i = 0; i < new->count &&policy != POLICY_FLUSH; i++) {
        const struct span n = new->at[i].name;
        if (libraries_delete(l, n) && policy == POLICY_APPEND)
            return err_set(m, ERR_EXISTS, "Library %.*s already exists", (int)n.n, n.p);
    }
    for (size_t i = 0; i < new->count && !e; i++) {
        allow_time(c);
        e = libraries_load(l, new->at[i].code, false, &name, m);
    }
    return e;
}

static void restore(struct call *c, const struct functions *new, enum policy policy)
{
    struct errmsg m = {{0}};
    if (take_all(c, new, policy, &m)) {
        allow_time(c);
        libraries_follow(libraries_of(c), data_of(c)); /* as before */
        reply_error(c->reply, "ERR %s", m.text);
        return;
    }
    if (policy == POLICY_FLUSH) functions_clear(data_of(c));
    for (size_t i = 0; i < new->count; i++) keep(c, new->at[i].code);
    scripting_functions_changed(c, c->argv, c->argc);
    reply_ok(c->reply);
}

void functions_command_restore(struct call *c)
{
    struct functions new = {0};
    struct errmsg m = {{0}};
    const enum policy policy = take_policy(c);
    if (c->argc > 4 || policy == POLICY_UNKNOWN)
        reply_error(c->reply, "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    else if (rdb_load_functions(c->argv[2], collect, &new, &m))
        reply_error(c->reply, "ERR DUMP payload version or checksum are wrong");
    else restore(c, &new, policy);
    functions_clear(&new);
}

/* ---- Telling ---- */

static void put_function(struct reply *r, const struct library_function *f)
{
    unsigned flags = 0;
    for (unsigned i = 0; shebang_flag_name(i); i++) flags += f->flags >> i & 1;
    reply_map(r, 3);
    reply_bulk(r, SPAN("name"));
    reply_bulk(r, f->name);
    reply_bulk(r, SPAN("description"));
    if (f->description.p) reply_bulk(r, f->description);
    else reply_null(r);
    reply_bulk(r, SPAN("flags"));
    reply_set(r, flags);
    for (unsigned i = 0; shebang_flag_name(i); i++)
        if (f->flags >> i & 1) reply_simple(r, shebang_flag_name(i));
}

static void put_library(struct reply *r, const struct library *l, bool with_code)
{
    reply_map(r, with_code ? 4 : 3);
    reply_bulk(r, SPAN("library_name"));
    reply_bulk(r, l->name);
    reply_bulk(r, SPAN("engine"));
    reply_bulk(r, SPAN("LUA"));
    reply_bulk(r, SPAN("functions"));
    reply_array(r, l->count);
    for (size_t i = 0; i < l->count; i++) put_function(r, &l->functions[i]);
    if (!with_code) return;
    reply_bulk(r, SPAN("library_code"));
    reply_bulk(r, l->code);
}

void functions_command_list(struct call *c)
{
    bool with_code = false;
    struct span pattern = {0};
    for (size_t i = 2; i < c->argc; i++) {
        const struct span word = c->argv[i];
        if (!with_code && span_is(word, "withcode")) {
            with_code = true;
        } else if (!pattern.p && span_is(word, "libraryname")) {
            if (++i == c->argc) {
                reply_error(c->reply, "ERR library name argument was not given");
                return;
            }
            pattern = c->argv[i];
        } else {
            reply_error(c->reply, "ERR Unknown argument %.*s", (int)(word.n < 128 ? word.n : 128), word.p);
            return;
        }
    }
    const struct libraries *l = libraries_of(c);
    scripting_depends_on_functions(client_of(c));
    const size_t mark = reply_begin(c->reply);
    size_t n = 0;
    for (size_t i = 0; i < libraries_count(l); i++) {
        const struct library *one = libraries_at(l, i);
        if (pattern.p && !glob_match(pattern, one->name)) continue;
        put_library(c->reply, one, with_code);
        n++;
    }
    reply_end_array(c->reply, mark, n);
}

static void put_at_work(struct reply *r, const struct script_at_work *w)
{
    reply_map(r, 3);
    reply_bulk(r, SPAN("name"));
    reply_bulk(r, span_str(w->name));
    reply_bulk(r, SPAN("command"));
    reply_array(r, w->argc);
    for (size_t i = 0; i < w->argc; i++) reply_bulk(r, w->argv[i]);
    reply_bulk(r, SPAN("duration_ms"));
    reply_int(r, w->ms);
}

void functions_command_stats(struct call *c)
{
    struct server *s = client_of(c)->server;
    struct script_at_work w;
    const bool works = scripting_at_work(s, &w);
    if (works && !w.is_function) {
        scripting_refuse(s, c->reply);
        return;
    }
    const struct libraries *l = libraries_of(c);
    reply_map(c->reply, 2);
    reply_bulk(c->reply, SPAN("running_script"));
    if (works) put_at_work(c->reply, &w);
    else reply_null(c->reply);
    reply_bulk(c->reply, SPAN("engines"));
    reply_map(c->reply, 1);
    reply_bulk(c->reply, SPAN("LUA"));
    reply_map(c->reply, 2);
    reply_bulk(c->reply, SPAN("libraries_count"));
    reply_int(c->reply, (int64_t)libraries_count(l));
    reply_bulk(c->reply, SPAN("functions_count"));
    reply_int(c->reply, (int64_t)libraries_functions(l));
}

void functions_command_kill(struct call *c) { scripting_kill(c, true); }
