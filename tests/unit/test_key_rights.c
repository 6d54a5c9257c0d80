/* Rights go by the keys that command_keys() finds: what a command changes must be among them, and be said to be written.
 *
 * Random commands of the whole table are executed where a user's rights allow them; the engine's observer tells which keys really
 * changed. The clock stands still, so that nothing changes because of it. SEED=n COMMANDS=n repeat or extend a run. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/call.h"
#include "server/acl.h"
#include "server/acl_check.h"
#include "tests/lib/randcmd.h"

enum { NOW_MS = 1000000 };

struct trial {
    struct engine *engine;
    struct session session;
    struct command_set *commands;
    struct acl *acl;
    struct acl_user *user;
    struct randcmd random;
    uint64_t seed, executed, allowed, denied, changes;
    struct span may_change; /* pattern of the keys that the user may write; empty: none */
};

/* In Redis reading is: to read a stream for a group, to count a HyperLogLog, which then remembers the count, and to look at its
 * registers, which makes it a dense one. */
static bool is_reading(const char *command)
{
    return strcmp(command, "xreadgroup") == 0 || strcmp(command, "pfcount") == 0 || strcmp(command, "pfdebug") == 0;
}

static void on_touched(void *context, unsigned db, struct span key)
{
    struct trial *t = context;
    if (engine_key_state(t->engine, db, key, NOW_MS) == KEY_DEAD)
        return; /* its time was over: anybody may find that */
    t->changes++;
    if (!t->may_change.n && is_reading(t->random.command->name)) return;
    if (t->may_change.n && glob_match(t->may_change, key)) return;
    struct buf line = {0};
    randcmd_print(&t->random, &line);
    cr_assert_fail("SEED=%lu, command %lu changed '%.*s' without the right to: %.*s", (unsigned long)t->seed,
                   (unsigned long)t->executed, (int)key.n, key.p, (int)(line.len < 1500 ? line.len : 1500), line.p);
}

static void trial_init(struct trial *t, uint64_t seed, const char *rules, struct span may_change)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct acl_failure f;
    const struct span all[] = {SPAN("+@all"), span_str(rules)};
    options.max_bulk = 1 << 20;
    *t = (struct trial){.seed = seed, .may_change = may_change, .engine = engine_new(&options)};
    t->commands = command_set_new();
    engine_add_commands(t->commands);
    t->acl = acl_new(t->commands);
    t->user = acl_set_user(t->acl, SPAN("u"), all, 2, NULL, &f);
    cr_assert_not_null(t->user);
    engine_set_observer(t->engine, &(struct engine_observer){.context = t, .touched = on_touched});
    randcmd_init(&t->random, t->commands, seed);
}

static void trial_free(struct trial *t)
{
    engine_free(t->engine);
    acl_free(t->acl);
    command_set_free(t->commands);
    randcmd_free(&t->random);
}

/* Execute a command, with the rights of the user or with all. */
static void execute(struct trial *t, const struct command_entry *e, struct request *r, bool as_user)
{
    struct buf out = {0}, log = {0};
    struct effects effects;
    struct reply reply = {.out = &out, .resp = 2};
    const struct span may_change = t->may_change;
    if (!as_user) t->may_change = SPAN("*");
    effects_begin(&effects, &log);
    engine_execute(t->engine, &t->session, NOW_MS, e, r, &reply, &effects);
    t->may_change = may_change;
    buf_free(&out);
    buf_free(&log);
}

static void run(const char *rules, struct span may_change)
{
    const char *seed = getenv("SEED"), *count = getenv("COMMANDS");
    const uint64_t first = seed ? strtoull(seed, NULL, 10) : 1, most = count ? strtoull(count, NULL, 10) : 60000;
    struct trial t;
    trial_init(&t, first, rules, may_change);
    for (uint64_t n = 0; n < most; n++) {
        struct request request;
        size_t index;
        t.random.now_ms = NOW_MS;
        const struct command_entry *e = randcmd_next(&t.random, &request);
        t.executed++;
        if (acl_check(t.user, e, request.argv, request.argc, &index) == ACL_OK) {
            t.allowed++;
            execute(&t, e, &request, true);
        } else {
            t.denied++;
            execute(&t, e, &request, false); /* so that there are keys of all types */
        }
    }
    cr_expect_gt(t.allowed, most / 10, "commands that are allowed");
    cr_expect_gt(t.denied, most / 10, "commands that are denied");
    cr_expect_gt(t.changes, most / 10, "keys that changed");
    trial_free(&t);
}

Test(key_rights, who_may_only_read_changes_no_key) { run("%R~*", SPAN("")); }

Test(key_rights, who_may_touch_some_keys_changes_no_others) { run("~*1", SPAN("*1")); }
