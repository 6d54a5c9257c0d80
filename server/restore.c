#include "server/restore.h"

#include <string.h>
#include <unistd.h>

#include "replication/log.h"
#include "server/role_file.h"
#include "server/server.h"

static const char file[] = "restored.rdb";

enum err restore_check(struct server *s, struct moment *until, struct errmsg *m)
{
    const char *configured = config_text(s->config, SET_REPLICAOF);
    char follow[ROLE_TEXT_MAX];
    if (!config_number(s->config, SET_APPENDONLY))
        return err_set(m, ERR_INVALID, "--restore-until needs the log, and appendonly is no");
    const enum err e = role_file_read(s->dir, configured, follow, m);
    if (e) return e;
    if (follow[0])
        return err_set(m, ERR_INVALID,
                       "--restore-until begins a new lineage, and this node is a replica of %s: take replicaof (and "
                       "relevo.role) away first",
                       follow);
    return moment_parse(span_str(s->restore_until), until, m);
}

enum err restore_install(struct server *s, struct log_report *report, struct errmsg *m)
{
    char time[MOMENT_MAX_TEXT];
    struct history history = {0};
    (void)moment_format(report->restored_ms, time);
    logger_line(s->logger, LOGGER_NOTICE, "Restored the data of %s, log offset %llu: a new lineage begins", time,
                (unsigned long long)report->restored_offset);
    enum err e = journal_open_epoch(s, 0, m);
    if (!e) e = saver_run_to(s, file, m);
    if (!e) {
        const struct position position = log_position(s->journal.log);
        history_copy(&history, log_history(s->journal.log));
        e = log_install_base(s->journal.log, file, &position, &history, true, m);
        if (e) (void)unlink(file);
    }
    history_free(&history);
    report->foreign = false;
    return e ? err_wrap(m, e, "cannot take over what was restored") : ERR_OK;
}
