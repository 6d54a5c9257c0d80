/* Commands about commands. */
#include <stdio.h>

#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"

void introspection_count(struct call *c)
{
    reply_int(c->reply, (int64_t)command_count(client_of(c)->server->commands));
}

/* The keys in the command that begins at @argv; on failure the error was replied. */
void introspection_getkeys(struct call *c)
{
    enum { ROOM = 4096 };
    const struct span *argv = c->argv + 2;
    const size_t argc = c->argc - 2;
    const struct command_entry *e =
        command_find(client_of(c)->server->commands, argv[0], argc > 1 ? argv[1] : SPAN(""));
    if (!e) {
        reply_error(c->reply, "ERR Invalid command specified");
        return;
    }
    if (!command_arity_fits(e, argc)) {
        reply_error(c->reply, "ERR Invalid number of arguments specified for command");
        return;
    }
    struct key_ref keys[ROOM];
    const long n = command_keys(e, argv, argc, keys, ROOM);
    if (!e->row->keys[0].flags) reply_error(c->reply, "ERR The command has no key arguments");
    else if (n < 0 || n > ROOM || (n == 0 && !(e->flags & CMD_NO_MANDATORY_KEYS)))
        reply_error(c->reply, "ERR Invalid arguments specified for command");
    else {
        reply_array(c->reply, (size_t)n);
        for (long i = 0; i < n; i++) reply_bulk(c->reply, argv[keys[i].index]);
    }
}

void introspection_help(struct call *c)
{
    const struct command_entry *container = c->command->parent;
    char line[512];
    reply_array(c->reply, 2 * container->sub_count + 1);
    (void)snprintf(line, sizeof line, "%s subcommands:", container->row->name);
    reply_simple(c->reply, line);
    for (size_t i = 0; i < container->sub_count; i++) {
        const struct command *row = container->subs[i]->row;
        const char *name = strchr(row->name, '|') + 1;
        (void)snprintf(line, sizeof line, "%s%s%s", name, row->syntax[0] ? " " : "", row->syntax);
        reply_simple(c->reply, line);
        (void)snprintf(line, sizeof line, "    %s", row->summary);
        reply_simple(c->reply, line);
    }
}
