/* MEMORY, as far as it is about the data; the server adds subcommands about itself. */
#include "common/call.h"
#include "common/commands/commands.h"

/* What a key costs: all that hangs on its entry, and its share of the table. */
static void usage(struct call *c)
{
    int64_t samples = OBJECT_SAMPLES;
    for (size_t i = 3; i < c->argc; i += 2) {
        if (!span_is(c->argv[i], "SAMPLES") || i + 1 == c->argc) {
            reply_syntax_error(c->reply);
            return;
        }
        if (!call_int(c, c->argv[i + 1], &samples)) return;
        if (samples < 0) {
            reply_syntax_error(c->reply);
            return;
        }
    }
    const struct entry *e = call_find_any(c, c->argv[2], FOR_GLANCE);
    if (!e) {
        reply_null(c->reply);
        return;
    }
    const struct htable *table = db_table(c->db);
    reply_int(c->reply, (int64_t)(entry_bytes(e, (uint64_t)samples) + htable_bytes(table) / table->count));
}

static const struct command subcommands[] = {
    COMMAND("MEMORY|USAGE", "key [SAMPLES count]", "Bytes of memory that a key and its value take.", "4.0.0",
            "O(N) where N is the number of samples", CMD_READONLY, GROUP_SERVER, KEYS(KEY_RO, 2), usage),
    COMMANDS_END,
};

const struct command memory_commands[] = {
    COMMAND_CONTAINER("MEMORY", "Look into how memory is used.", "4.0.0", GROUP_SERVER, subcommands),
    COMMANDS_END,
};
