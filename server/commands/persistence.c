#include "server/client.h"
#include "server/commands/commands.h"
#include "server/saver.h"
#include "server/server.h"

static struct server *server_of(const struct call *c) { return client_of(c)->server; }

void persistence_lastsave(struct call *c) { reply_int(c->reply, server_of(c)->saver.file.ended_ms / 1000); }

void persistence_save(struct call *c)
{
    struct server *s = server_of(c);
    struct errmsg m = {{0}};
    if (saver_is_running(&s->saver) && s->saver.kind == SAVER_FILE) {
        reply_error(c->reply, "ERR Background save already in progress");
    } else if (saver_run(s, SAVER_FILE, &m)) {
        reply_error(c->reply, "ERR %s", m.text);
    } else {
        reply_ok(c->reply);
    }
}

void persistence_bgsave(struct call *c)
{
    struct server *s = server_of(c);
    struct errmsg m = {{0}};
    bool later = false;
    const bool schedule = c->argc == 2 && span_is(c->argv[1], "schedule");
    if (c->argc > 2 || (c->argc == 2 && !schedule)) {
        reply_syntax_error(c->reply);
    } else if (saver_is_running(&s->saver) && s->saver.kind == SAVER_FILE) {
        reply_error(c->reply, "ERR Background save already in progress");
    } else if (saver_is_running(&s->saver) && !schedule) {
        reply_error(c->reply,
                    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in "
                    "order to schedule a BGSAVE whenever possible.");
    } else if (saver_start(s, SAVER_FILE, &later, &m)) {
        reply_error(c->reply, "ERR %s", m.text);
    } else {
        reply_simple(c->reply, later ? "Background saving scheduled" : "Background saving started");
    }
}

void persistence_bgrewriteaof(struct call *c)
{
    struct server *s = server_of(c);
    struct errmsg m = {{0}};
    bool later = false;
    if (!config_number(s->config, SET_APPENDONLY)) {
        reply_error(c->reply, "ERR The log is not kept on disk (appendonly no), so there is nothing to rewrite");
    } else if (saver_is_running(&s->saver) && s->saver.kind == SAVER_BASE) {
        reply_error(c->reply, "ERR Background append only file rewriting already in progress");
    } else if (saver_start(s, SAVER_BASE, &later, &m)) {
        reply_error(c->reply, "ERR Can't execute an AOF background rewriting: %s", m.text);
    } else {
        reply_simple(c->reply, later ? "Background append only file rewriting scheduled"
                                     : "Background append only file rewriting started");
    }
}
