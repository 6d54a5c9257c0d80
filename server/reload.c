#include "server/reload.h"

#include <stdio.h>

#include "replication/batch.h"
#include "replication/log.h"
#include "server/loader.h"
#include "server/saver.h"
#include "server/server.h"

/* What was loaded takes the place of the data set. */
static void take(struct server *s, struct engine *loaded)
{
    saver_abort(s); /* it would be of the old one */
    engine_swap(s->engine, loaded);
}

enum err reload_from_file(struct server *s, struct errmsg *m)
{
    struct loaded_place place = {0};
    enum err e = saver_run(s, SAVER_FILE, m);
    if (e) return e;
    struct engine *loaded = server_make_engine(s);
    e = loader_read_file(config_text(s->config, SET_DBFILENAME), loaded, &place, m);
    history_free(&place.history);
    if (!e) take(s, loaded);
    engine_free(loaded);
    return e;
}

/* Replay the whole batches at the front of @bytes, and drop them. */
static enum err replay_batches(struct engine *e, struct session *session, struct buf *bytes, struct errmsg *m)
{
    size_t done = 0;
    enum err result = ERR_OK;
    while (!result) {
        struct batch b;
        const struct span rest = span_of(bytes->p + done, bytes->len - done);
        result = batch_read_line(rest, BATCH_MAX, &b);
        if (result == ERR_TRUNCATED || (!result && b.line + b.payload.n > rest.n)) {
            buf_drop(bytes, done);
            return ERR_OK;
        }
        if (result) return err_set(m, result, "the log cannot be read again");
        result = loader_replay_batch(e, session, span_of(rest.p + b.line, b.payload.n), m);
        done += b.line + b.payload.n;
    }
    return result;
}

static enum err replay_from(struct server *s, uint64_t offset, struct engine *e, struct errmsg *m)
{
    enum { PIECE = 1 << 20 };
    struct session session = {0};
    struct log_reader *r;
    struct buf bytes = {0};
    size_t n = 1;
    enum err result = log_reader_open(s->journal.log, offset, &r, m);
    if (result) return result;
    while (!result && n) {
        result = log_reader_read(r, buf_room(&bytes, PIECE), PIECE, &n, m);
        if (result) break;
        bytes.len += n;
        result = replay_batches(e, &session, &bytes, m);
    }
    if (!result && bytes.len) result = err_set(m, ERR_CORRUPT, "the log ends within a batch");
    buf_free(&bytes);
    log_reader_close(r);
    return result;
}

enum err reload_from_log(struct server *s, struct errmsg *m)
{
    struct log_stats stats;
    struct log_base base;
    struct loaded_place place = {0};
    journal_sync(s);
    log_get_stats(s->journal.log, &stats);
    if (!stats.files) return err_set(m, ERR_INVALID, "there is no log on disk: appendonly is no");
    struct engine *loaded = server_make_engine(s);
    enum err e = log_base_open(s->journal.log, &base, m);
    const uint64_t from = e ? stats.begin : base.position.offset;
    if (!e) {
        e = loader_read_file(base.path, loaded, &place, m);
        history_free(&place.history);
        log_base_close(&base);
    } else if (e == ERR_MISSING) {
        e = ERR_OK;
    }
    if (!e) e = replay_from(s, from, loaded, m);
    if (!e) take(s, loaded);
    engine_free(loaded);
    return e;
}
