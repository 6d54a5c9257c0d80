/* A base that is damaged or missing, from a node that has this data: `relevo check --fix --from`.
 *
 * The other node's base stands where it stands, so the log here has to go on from there:
 *
 *      our log            s0 ------- s1 ------------- s2 --------- end
 *      our base, lost                P
 *      theirs       (a)              Q                                     a segment begins there: nothing else is needed
 *                   (b)   Q          |                                     the log from Q on to s0 is fetched too
 *                   (c)                    Q                               the log is split there
 *                   (d)                                                Q   ours is a beginning of theirs, and all of it is in Q
 *
 * In (b) and (c) everything from Q on is copied, verified, into one new segment; (d) begins an empty one. New files get
 * numbers of their own and count from the moment when the manifest names them; until then all is as it was. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "replication/check_impl.h"
#include "replication/rdb_walk.h"
#include "replication/scan.h"

struct mending {
    struct check *c;
    const char *dir;
    const struct manifest *ours;
    const struct batch_chain *end; /* of our log */
    struct manifest next;
    struct fetch_base got;
    int fd; /* of the file that is being written */
    uint64_t bytes;
    struct errmsg *m;
};

static char *new_name(const struct mending *d, uint64_t seq, const char *tail)
{
    const char *name;
    struct buf b = {0};
    const size_t n = mend_prefix(d->ours, &name);
    buf_printf(&b, "%.*s.%" PRIu64 ".%s", (int)n, name, seq, tail);
    buf_add_char(&b, 0);
    return b.p;
}

static char *temp_of(const struct mending *d, const char *name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/temp-%s", d->dir, name);
    buf_add_char(&b, 0);
    return b.p;
}

static enum err keep_bytes(void *context, struct span bytes, struct errmsg *m)
{
    struct mending *d = context;
    struct iovec v = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
    d->bytes += bytes.n;
    return file_write_all(d->c->io, d->fd, &v, 1, m);
}

/* Write a new file of that name by @write: under another name first, so that it is whole when it has its own. */
static enum err write_file(struct mending *d, const char *name,
                           enum err (*write)(struct mending *d, const char *temp))
{
    const struct io_ops *io = d->c->io;
    char *temp = temp_of(d, name), *path = path_join(d->dir, name);
    d->fd = -1;
    (void)io->unlink(io->context, temp);
    enum err e = mend_create(d->c, temp, &d->fd, d->m);
    if (!e) e = write(d, temp);
    if (d->fd >= 0) e = mend_finish(d->c, temp, d->fd, e, d->m);
    else if (e) (void)io->unlink(io->context, temp);
    if (!e && io->rename(io->context, temp, path)) e = err_errno(d->m, "rename %s", temp);
    if (!e) e = dir_sync(io, d->dir, d->m);
    mem_free(temp);
    mem_free(path);
    return e;
}

/* ---- The base ---- */

struct base_says {
    bool known;
    struct position position;
};

static enum err take_aux(void *context, struct span name, struct span value, struct errmsg *m)
{
    struct base_says *says = context;
    (void)m;
    if (span_eq(name, SPAN(RDB_AUX_POSITION))) says->known = position_decode(value, &says->position);
    return ERR_OK;
}

static bool same_place(const struct position *a, const struct position *b)
{
    return a->offset == b->offset && a->epoch == b->epoch && a->crc == b->crc;
}

/* What came is whole, and stands where the node said. */
static enum err verify_base(struct mending *d, const char *path)
{
    struct base_says says = {.known = false};
    const struct rdb_walk walk = {.context = &says, .aux = take_aux};
    struct rdb_loaded loaded;
    struct file_source f;
    enum err e = file_source_open(&f, d->c->io, path, UINT64_MAX, d->m);
    if (!e) e = rdb_walk_file(&f, &walk, &loaded, d->m);
    if (!e && f.at != f.size) e = err_set(d->m, ERR_CORRUPT, "bytes stand behind its end");
    if (!e && (!says.known || !same_place(&says.position, &d->got.position)))
        e = err_set(d->m, ERR_DIVERGED, "it does not stand where the node said");
    file_source_close(&f);
    return e ? err_wrap(d->m, e, "the base that came from %s", d->c->o->from->name) : ERR_OK;
}

static enum err write_base(struct mending *d, const char *temp)
{
    const struct fetch_from *from = d->c->o->from;
    const struct fetch_sink to = {keep_bytes, d};
    d->bytes = 0;
    enum err e = from->base(from->context, &d->ours->history, &d->ours->base.position, &d->got, &to, d->m);
    e = mend_finish(d->c, temp, d->fd, e, d->m);
    d->fd = -1;
    return e ? e : verify_base(d, temp);
}

static uint64_t next_base_seq(const struct manifest *ours)
{
    uint64_t seq = ours->base.seq;
    for (size_t i = 0; i < ours->kept_count; i++)
        if (ours->kept[i].seq > seq) seq = ours->kept[i].seq;
    return seq + 1;
}

/* The base goes into `next`; those of before leave it: none of them is sound. */
static enum err place_base(struct mending *d)
{
    const uint64_t seq = next_base_seq(d->ours);
    char *name = new_name(d, seq, "base.rdb");
    const enum err e = write_file(d, name, write_base);
    while (!e && d->next.kept_count) manifest_drop_kept(&d->next, 0);
    if (!e) manifest_set_base(&d->next, name, seq, &d->got.position);
    mem_free(name);
    return e;
}

/* ---- The log behind it ---- */

static uint64_t segment_end(const struct mending *d, size_t i)
{
    const struct manifest *ours = d->ours;
    return i + 1 < ours->segment_count ? ours->segments[i + 1].start : d->end->offset;
}

/* Copy what segment @i has from the chain's offset on; the chain moves to the segment's end. */
static enum err copy_segment(struct mending *d, size_t i, struct batch_chain *chain)
{
    const struct segment *g = &d->ours->segments[i];
    const uint64_t end = segment_end(d, i), from = chain->offset - g->start;
    char *path = path_join(d->dir, g->name);
    struct scan s;
    struct batch b;
    enum err e = scan_open(&s, d->c->io, path, g->start, end, d->m);
    if (!e) file_source_seek(&s.file, from);
    while (!e && chain->offset < end) {
        e = scan_batch(&s, &d->ours->history, chain, &b, d->m);
        if (!e) e = keep_bytes(d, span_of(b.payload.p - b.line, b.line + b.payload.n), d->m);
    }
    if (e) e = err_wrap(d->m, e, "%s, log offset %" PRIu64 ", behind the base that came", path, chain->offset);
    scan_close(&s);
    mem_free(path);
    return e;
}

/* The log from the base on, in one file. */
static enum err write_log(struct mending *d, const char *temp)
{
    const struct fetch_from *from = d->c->o->from;
    const struct fetch_sink to = {keep_bytes, d};
    const struct manifest *ours = d->ours;
    const struct position *p = &d->got.position;
    struct batch_chain chain = {.offset = p->offset, .crc = p->crc};
    enum err e = ERR_OK;
    (void)temp;
    if (p->offset < ours->segments[0].start)
        e = from->log(from->context, &ours->history, &chain, ours->segments[0].start, &to, d->m);
    for (size_t i = 0; !e && i < ours->segment_count; i++)
        if (chain.offset < segment_end(d, i)) e = copy_segment(d, i, &chain);
    if (!e && chain.offset == d->end->offset && chain.crc != d->end->crc)
        e = err_set(d->m, ERR_DIVERGED, "the base of %s is of another log", from->name);
    return e;
}

/* A new segment begins at the base; of those before it that one is kept whose log ends there. */
static enum err place_log(struct mending *d, bool ahead)
{
    const struct position *p = &d->got.position;
    struct manifest *next = &d->next;
    const uint64_t seq = next->segments[next->segment_count - 1].seq + 1;
    char *name = new_name(d, seq, "incr.aof");
    const enum err e = write_file(d, name, write_log);
    while (!e && next->segment_count && (ahead || next->segments[next->segment_count - 1].start >= p->offset))
        manifest_drop_segment(next, next->segment_count - 1);
    if (!e) manifest_add_segment(next, name, seq, p->offset, p->crc);
    mem_free(name);
    return e;
}

static bool segment_begins(const struct manifest *ours, const struct position *p)
{
    for (size_t i = 0; i < ours->segment_count; i++)
        if (ours->segments[i].start == p->offset && ours->segments[i].crc == p->crc) return true;
    return false;
}

/* Our log lies before the base: it must be a beginning of the other's. */
static enum err adopt_history(struct mending *d)
{
    uint64_t parting;
    struct history theirs = {0};
    struct history *ours = &d->next.history;
    const enum history_relation r =
        history_compare(&d->ours->history, d->end->offset, &d->got.history, d->got.position.offset, &parting);
    if (r != HISTORY_BEHIND)
        return err_set(d->m, ERR_DIVERGED,
                       "the base of %s stands at log offset %" PRIu64
                       ", behind the end of the log here, and the two logs part at %" PRIu64,
                       d->c->o->from->name, d->got.position.offset, parting);
    history_copy(&theirs, &d->got.history);
    history_truncate(&theirs, d->got.position.offset);
    history_free(ours);
    *ours = theirs;
    const struct epoch *last = history_last(ours);
    if (last && last->number > d->next.epoch_seen) d->next.epoch_seen = last->number;
    return ERR_OK;
}

static enum err put_together(struct mending *d)
{
    const struct io_ops *io = d->c->io;
    enum err e = place_base(d);
    if (e) return e;
    const bool ahead = d->got.position.offset > d->end->offset;
    if (ahead) e = adopt_history(d);
    if (!e && !segment_begins(d->ours, &d->got.position)) e = place_log(d, ahead);
    if (e) {
        char *path = path_join(d->dir, d->next.base.name);
        (void)io->unlink(io->context, path);
        mem_free(path);
    }
    return e;
}

/* ---- Together ---- */

static bool names_segment(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->segment_count; i++)
        if (strcmp(m->segments[i].name, name) == 0) return true;
    return false;
}

/* What the manifest does not name any more. */
static bool set_old_aside(struct mending *d)
{
    const struct manifest *ours = d->ours;
    bool done = mend_set_aside(d->c, d->dir, ours->base.name, 0);
    for (size_t i = 0; i < ours->kept_count; i++) done &= mend_set_aside(d->c, d->dir, ours->kept[i].name, 0);
    for (size_t i = 0; i < ours->segment_count; i++)
        if (!names_segment(&d->next, ours->segments[i].name))
            done &= mend_set_aside(d->c, d->dir, ours->segments[i].name, 0);
    return done;
}

bool mend_fetch_base(struct check *c, const char *dir, struct manifest *ours, const struct batch_chain *end)
{
    struct errmsg m = {""};
    struct mending d = {.c = c, .dir = dir, .ours = ours, .end = end, .fd = -1, .m = &m};
    if (!end) {
        (void)err_set(&m, ERR_CORRUPT, "no base is fetched while the log behind it is not whole");
        return mend_failed(c, ours->base.name, &m);
    }
    manifest_copy(&d.next, ours);
    const enum err e = put_together(&d);
    bool done = !e;
    if (e) {
        struct errmsg why;
        (void)err_set(
            &why, e,
            "%.300s. A backup can take its place, or starting anew as a replica of a node that has the data "
            "(replicaof)",
            m.text);
        (void)mend_failed(c, ours->base.name, &why);
    }
    if (done) done = mend_store(c, dir, &d.next);
    if (done) {
        c->result->fixed += ours->kept_count + 1;
        check_say(c, "fixed    %s/%s: a base at log offset %" PRIu64 ", fetched from %s; %s", dir, d.next.base.name,
                  d.got.position.offset, c->o->from->name,
                  d.got.position.offset > end->offset ? "it has all of the log that was here, and more"
                                                      : "the log here goes on from there");
        done = set_old_aside(&d);
        manifest_copy(ours, &d.next);
    }
    manifest_free(&d.next);
    history_free(&d.got.history);
    return done;
}
