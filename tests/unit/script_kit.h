/* A Lua state with a host of its own, for tests of server/script/. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>

#include "common/buf.h"
#include "server/script/fiber.h"
#include "server/script/library.h"
#include "server/script/script_cache.h"
#include "server/script/shebang.h"
#include "server/script/vm.h"

/* What the host was asked, and what it answers. */
struct script_kit {
    struct script_cache *cache;
    struct fiber *fiber;
    struct buf called; /* the arguments of the last command, in brackets */
    struct buf logged;
    const char *reply; /* of commands */
    unsigned ticks, pause_at;
    const char *stop; /* what tick() gives */
    struct script_vm *vm;
    struct script_run run;
    struct buf out;
    char text[1 << 16];
};

static inline void script_kit_call(void *context, const struct span *argv, size_t argc, unsigned resp,
                                   struct buf *reply)
{
    struct script_kit *k = context;
    (void)resp;
    buf_reset(&k->called, 0);
    for (size_t i = 0; i < argc; i++) buf_printf(&k->called, "[%.*s]", (int)argv[i].n, argv[i].p);
    buf_add_span(reply, span_str(k->reply));
}

static inline void script_kit_log(void *context, enum script_log_level level, struct span text)
{
    struct script_kit *k = context;
    buf_printf(&k->logged, "%d:%.*s\n", (int)level, (int)text.n, text.p);
}

static inline enum script_acl script_kit_may(void *context, const struct span *argv, size_t argc)
{
    (void)context, (void)argc;
    return span_is(argv[0], "get")   ? SCRIPT_ACL_ALLOWED
           : span_is(argv[0], "set") ? SCRIPT_ACL_DENIED
                                     : SCRIPT_ACL_NO_COMMAND;
}

static inline const char *script_kit_tick(void *context)
{
    struct script_kit *k = context;
    k->ticks++;
    if (k->pause_at && k->ticks >= k->pause_at && fiber_is_inside(k->fiber)) fiber_pause(k->fiber);
    return k->stop;
}

static inline struct script_vm_options script_kit_options(struct script_kit *k)
{
    return (struct script_vm_options){.host = {.context = k,
                                               .call = script_kit_call,
                                               .log = script_kit_log,
                                               .may_call = script_kit_may,
                                               .tick = script_kit_tick},
                                      .memory_limit = 16 << 20,
                                      .version = "7.0.15",
                                      .version_number = 0x0007000f};
}

static inline struct script_kit *script_kit_new(void)
{
    struct script_kit *k = calloc(1, sizeof *k);
    const struct script_vm_options o = script_kit_options(k);
    k->reply = "+OK\r\n";
    k->fiber = fiber_new(8 << 20);
    k->cache = script_cache_new(&o);
    return k;
}

static inline void script_kit_free(struct script_kit *k)
{
    script_cache_free(k->cache);
    fiber_free(k->fiber);
    buf_free(&k->called);
    buf_free(&k->logged);
    buf_free(&k->out);
    free(k);
}

/* The reply of a script that ended, its line ends as "|" and its SHA-1 as "SHA". */
static inline const char *script_kit_reply(struct script_kit *k, const char *sha)
{
    const struct span s = buf_span(&k->out);
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < sizeof k->text - 4; i++) {
        if (s.p[i] == '\r') continue;
        if (sha && s.n - i >= 40 && memcmp(s.p + i, sha, 40) == 0) {
            memcpy(k->text + n, "SHA", 3);
            n += 3;
            i += 39;
            continue;
        }
        k->text[n++] = s.p[i] == '\n' ? '|' : s.p[i];
    }
    k->text[n] = '\0';
    return k->text;
}

static inline void script_kit_run_now(void *context)
{
    struct script_kit *k = context;
    script_vm_run(k->vm, &k->run);
}

/* Run to the end, however often it pauses. */
static inline const char *script_kit_finish(struct script_kit *k, struct script_vm *vm, const struct script_run *run,
                                            unsigned resp)
{
    struct reply reply = {.out = &k->out, .resp = resp};
    k->vm = vm;
    k->run = *run;
    k->run.reply = &reply;
    k->out.len = 0;
    bool done = fiber_start(k->fiber, script_kit_run_now, k);
    while (!done) done = fiber_resume(k->fiber);
    return script_kit_reply(k, run->name);
}

/* Run a script in protocol @resp. An error of compilation comes as "!text". */
static inline const char *script_kit_run(struct script_kit *k, const char *code, unsigned resp)
{
    struct errmsg m = {{0}};
    const struct span keys[] = {SPAN("k1"), SPAN("k2")}, args[] = {SPAN("a1")};
    const struct cached_script *s = script_cache_get(k->cache, span_str(code), &m);
    if (!s) {
        (void)snprintf(k->text, sizeof k->text, "!%s", m.text);
        return k->text;
    }
    const struct script_run run = {
        .function = s->function, .keys = keys, .key_count = 2, .args = args, .arg_count = 1, .name = s->sha};
    return script_kit_finish(k, script_cache_vm(k->cache), &run, resp);
}

#define RUNS_TO(k, code, reply)  cr_assert_str_eq(script_kit_run(k, code, 2), reply, "%s\n%s", code, (k)->text)
#define RUNS3_TO(k, code, reply) cr_assert_str_eq(script_kit_run(k, code, 3), reply, "%s\n%s", code, (k)->text)
