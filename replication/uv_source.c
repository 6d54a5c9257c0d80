#include "replication/uv_source.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "common/mem.h"

enum { READ_MAX = 64 * 1024 };

struct source {
    uv_loop_t *loop;
    struct log *log;
    uint32_t conn;
    source_done *done;
    void *ctx;
    uv_work_t work;
    bool busy, freed;
    bool pinned, base_open;
    struct log_pin pin;
    struct log_reader *reader;
    struct log_base base;
    /* Of the operation under way: */
    uint64_t offset;
    size_t max;
    bool check;
    uint32_t crc, seed;
    struct source_result result;
    char buffer[READ_MAX];
};

struct source *source_new(uv_loop_t *loop, struct log *log, uint32_t conn, source_done *done, void *ctx)
{
    struct source *s = MEM_NEW(struct source);
    s->loop = loop;
    s->log = log;
    s->conn = conn;
    s->done = done;
    s->ctx = ctx;
    return s;
}

void source_close_log(struct source *s)
{
    assert(!s->busy);
    log_reader_close(s->reader);
    s->reader = NULL;
    if (s->pinned) log_unpin(s->log, &s->pin);
    s->pinned = false;
}

void source_close_base(struct source *s)
{
    assert(!s->busy);
    if (s->base_open) log_base_close(&s->base);
    s->base_open = false;
}

static void really_free(struct source *s)
{
    source_close_base(s);
    source_close_log(s);
    mem_free(s);
}

void source_free(struct source *s)
{
    if (!s || s->freed) return;
    s->freed = true;
    if (!s->busy) really_free(s);
}

/* Pin the log from the operation's offset on. */
static enum err pin(struct source *s)
{
    if (s->pinned && s->pin.offset <= s->offset) return ERR_OK;
    if (s->pinned) log_unpin(s->log, &s->pin);
    const enum err e = log_pin(s->log, s->offset, &s->pin);
    s->pinned = e == ERR_OK;
    return e;
}

/* ---- On the thread pool ---- */

static enum err open_log(struct source *s)
{
    struct errmsg m;
    enum err e = pin(s);
    if (e == ERR_OK && s->check) e = log_verify(s->log, s->offset, s->crc, s->seed, &m);
    log_reader_close(s->reader);
    s->reader = NULL;
    return e == ERR_OK ? log_reader_open(s->log, s->offset, &s->reader, &m) : e;
}

static enum err read_log(struct source *s)
{
    struct errmsg m;
    size_t n = 0;
    const enum err e = log_reader_read(s->reader, s->buffer, s->max, &n, &m);
    s->result.bytes = span_of(s->buffer, n);
    if (e == ERR_OK && s->pinned) log_pin_move(s->log, &s->pin, log_reader_offset(s->reader));
    return e;
}

static enum err open_base(struct source *s)
{
    struct errmsg m;
    enum err e = log_base_open(s->log, &s->base, &m);
    if (e) return e;
    s->offset = s->base.position.offset;
    s->result.size = s->base.size;
    s->result.position = s->base.position;
    e = pin(s);
    if (e) log_base_close(&s->base);
    s->base_open = e == ERR_OK;
    return e;
}

static enum err read_base(struct source *s)
{
    ssize_t n;
    do n = pread(s->base.fd, s->buffer, s->max, (off_t)s->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0) return err_of_errno(errno);
    s->result.bytes = span_of(s->buffer, (size_t)n);
    return ERR_OK;
}

static void work(uv_work_t *w)
{
    struct source *s = w->data;
    switch (s->result.op) {
    case SOURCE_OPEN_LOG: s->result.error = open_log(s); break;
    case SOURCE_READ_LOG: s->result.error = read_log(s); break;
    case SOURCE_OPEN_BASE: s->result.error = open_base(s); break;
    case SOURCE_READ_BASE: s->result.error = read_base(s); break;
    }
}

/* ---- On the loop ---- */

static void after(uv_work_t *w, int status)
{
    struct source *s = w->data;
    s->busy = false;
    if (s->freed) {
        really_free(s);
        return;
    }
    if (status < 0) s->result.error = ERR_CANCELED;
    const struct source_result result = s->result;
    s->done(s->ctx, s->conn, &result);
}

static void begin(struct source *s, enum source_op op)
{
    assert(!s->busy && !s->freed);
    s->result = (struct source_result){.op = op};
    s->busy = true;
    s->work.data = s;
    const int r = uv_queue_work(s->loop, &s->work, work, after);
    assert(r == 0);
}

void source_open_log(struct source *s, uint64_t offset, bool check, uint32_t crc, uint32_t seed)
{
    s->offset = offset;
    s->check = check;
    s->crc = crc;
    s->seed = seed;
    begin(s, SOURCE_OPEN_LOG);
}

void source_read_log(struct source *s, size_t max)
{
    assert(s->reader);
    s->max = max < READ_MAX ? max : READ_MAX;
    begin(s, SOURCE_READ_LOG);
}

void source_open_base(struct source *s)
{
    source_close_base(s);
    begin(s, SOURCE_OPEN_BASE);
}

void source_read_base(struct source *s, uint64_t at, size_t max)
{
    assert(s->base_open);
    s->offset = at;
    s->max = max < READ_MAX ? max : READ_MAX;
    begin(s, SOURCE_READ_BASE);
}
