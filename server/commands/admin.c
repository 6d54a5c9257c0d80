#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "common/num.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/info.h"
#include "server/server.h"

void admin_info(struct call *c)
{
    struct buf text = {0};
    info_write(client_of(c)->server, c->argv + 1, c->argc - 1, &text);
    reply_verbatim(c->reply, "txt", buf_span(&text));
    buf_free(&text);
}

void admin_time(struct call *c)
{
    struct timeval now;
    (void)gettimeofday(&now, NULL);
    reply_array(c->reply, 2);
    reply_bulk_int(c->reply, now.tv_sec);
    reply_bulk_int(c->reply, now.tv_usec);
}

/* Tools ask what is loaded. */
void admin_module_list(struct call *c) { reply_array(c->reply, 0); }

void admin_shutdown(struct call *c)
{
    struct client *client = client_of(c);
    enum shutdown_save save = SHUTDOWN_SAVE_DEFAULT;
    bool now = false, force = false, abort = false;
    for (size_t i = 1; i < c->argc; i++) {
        const struct span word = c->argv[i];
        if (span_is(word, "nosave") && save == SHUTDOWN_SAVE_DEFAULT) save = SHUTDOWN_SAVE_NO;
        else if (span_is(word, "save") && save == SHUTDOWN_SAVE_DEFAULT) save = SHUTDOWN_SAVE_YES;
        else if (span_is(word, "now")) now = true;
        else if (span_is(word, "force")) force = true;
        else if (span_is(word, "abort")) abort = true;
        else save = (enum shutdown_save) - 1;
        if (save == (enum shutdown_save) - 1) break;
    }
    if (save == (enum shutdown_save) - 1 || (abort && c->argc > 2)) {
        reply_syntax_error(c->reply);
    } else if (abort) {
        if (server_shutdown_abort(client->server)) reply_ok(c->reply);
        else reply_error(c->reply, "ERR No shutdown in progress.");
    } else if (save != SHUTDOWN_SAVE_NO && scripting_is_busy(client->server)) {
        scripting_refuse(client->server, c->reply);
    } else {
        client_block(client); /* answered by the end of the connection, or by an error if it comes to nothing */
        client->flags |= CLIENT_ASKED_STOP;
        server_shutdown(client->server, save, now, force);
    }
}
