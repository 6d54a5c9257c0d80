/* Manifests written anew out of the files that they name.
 *
 * Of ours: the newest base that is whole says where it stands and which epochs there were; the first annotation of a
 * segment says where that begins; the chain of checksums through the segments proves that they belong together, and gives
 * what the manifest says of each. What cannot be proven is refused, by name: a file that is not ours, a gap, two sets of
 * files in one directory.
 *
 * The id of an epoch that began behind the base stands only in the manifest. If the damaged one still has it, the chain
 * proves it; else an id is made that the chain accepts, the first batch of that epoch stays unverified, and the data gets a
 * new lineage, because nobody can tell any more which history it is. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/num.h"
#include "replication/check_impl.h"
#include "replication/hex.h"
#include "replication/log_impl.h"
#include "replication/rdb_walk.h"
#include "replication/scan.h"
#include "replication/words.h"

struct found {
    char *name;
    uint64_t seq;
    bool empty;
    uint64_t start; /* of a segment */
};

struct rebuild {
    struct check *c;
    const char *dir;
    char *prefix;    /* of all names */
    bool any_prefix; /* for a first look */
    struct found *bases, *segments;
    size_t base_count, segment_count;
    struct history hints; /* epochs that the damaged manifest still shows, in its order */
    struct history told;  /* the epochs of a node that was asked */
    bool invented;        /* an id of an epoch was made */
    bool proven;          /* an epoch of `told` is of our log */
    bool new_lineage;
    struct errmsg *m;
};

/* ---- What is there ---- */

static void add_found(struct found **list, size_t *count, const char *name, uint64_t seq)
{
    *list = mem_realloc(*list, (*count + 1) * sizeof **list);
    (*list)[(*count)++] = (struct found){.name = mem_dup(name, strlen(name) + 1), .seq = seq};
}

static int by_seq(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* "<prefix>.<n>.base.rdb" or "<prefix>.<n>.incr.aof"; *n is the length of the prefix. */
static bool take_name(const char *name, bool *base, size_t *n, uint64_t *seq)
{
    static const char tails[2][10] = {".incr.aof", ".base.rdb"};
    const size_t length = strlen(name), tail = sizeof tails[0] - 1;
    if (length <= tail) return false;
    *base = strcmp(name + length - tail, tails[1]) == 0;
    if (!*base && strcmp(name + length - tail, tails[0]) != 0) return false;
    const char *end = name + length - tail, *at = end;
    while (at > name && at[-1] != '.') at--;
    if (at == name || !num_parse_u64(span_of(at, (size_t)(end - at)), seq)) return false;
    *n = (size_t)(at - 1 - name);
    return *n > 0 && strncmp(name, "temp-", 5) != 0;
}

static enum err take_file(struct rebuild *r, const char *name)
{
    bool base;
    size_t n;
    uint64_t seq;
    if (!take_name(name, &base, &n, &seq)) return ERR_OK;
    if (!r->prefix) {
        r->prefix = mem_dup(name, n + 1);
        r->prefix[n] = 0;
    }
    if (!r->any_prefix && (strlen(r->prefix) != n || memcmp(r->prefix, name, n) != 0))
        return err_set(r->m, ERR_INVALID, "the files of two logs lie here, %s and %s: only one may", r->prefix, name);
    if (base) add_found(&r->bases, &r->base_count, name, seq);
    else add_found(&r->segments, &r->segment_count, name, seq);
    return ERR_OK;
}

struct listing {
    struct rebuild *r;
    enum err e;
};

static void list_one(void *context, const char *name)
{
    struct listing *l = context;
    if (!l->e) l->e = take_file(l->r, name);
}

/* Errors: ERR_MISSING  no such directory. */
static enum err list_files(struct rebuild *r)
{
    const struct io_ops *io = r->c->io;
    struct listing l = {.r = r};
    if (io->list(io->context, r->dir, list_one, &l)) return err_errno(r->m, "read %s", r->dir);
    if (r->base_count) qsort(r->bases, r->base_count, sizeof *r->bases, by_seq);
    if (r->segment_count) qsort(r->segments, r->segment_count, sizeof *r->segments, by_seq);
    return l.e;
}

/* The first annotation of a segment. ERR_FOREIGN: it begins with something else. */
static enum err read_start(struct rebuild *r, struct found *g)
{
    struct file_source f;
    struct span head;
    struct batch b;
    char *path = path_join(r->dir, g->name);
    enum err e = file_source_open(&f, r->c->io, path, UINT64_MAX, r->m);
    if (!e) e = file_source_want(&f, BATCH_LINE_MAX, &head, r->m);
    g->empty = !e && head.n == 0;
    if (!e && !g->empty) {
        if (batch_read_line(head, BATCH_MAX, &b))
            e = err_set(r->m, ERR_FOREIGN, "%s does not begin with a batch of ours, so its place is not known", path);
        else g->start = b.offset;
    }
    file_source_close(&f);
    mem_free(path);
    return e;
}

static void free_all(struct rebuild *r)
{
    for (size_t i = 0; i < r->base_count; i++) mem_free(r->bases[i].name);
    for (size_t i = 0; i < r->segment_count; i++) mem_free(r->segments[i].name);
    mem_free(r->bases);
    mem_free(r->segments);
    mem_free(r->prefix);
    history_free(&r->hints);
    history_free(&r->told);
}

enum err mend_find_ours(struct check *c, const char *dir, bool *ours, struct errmsg *m)
{
    struct rebuild r = {.c = c, .dir = dir, .any_prefix = true, .m = m};
    enum err e = list_files(&r);
    *ours = false;
    for (size_t i = 0; !e && i < r.segment_count && !*ours; i++) {
        e = read_start(&r, &r.segments[i]);
        *ours = !e && !r.segments[i].empty;
        if (e == ERR_FOREIGN) e = ERR_OK;
    }
    free_all(&r);
    return e == ERR_MISSING ? ERR_OK : e;
}

/* ---- The base ---- */

struct base_facts {
    bool known;
    struct position position;
    struct history history;
};

static enum err take_aux(void *context, struct span name, struct span value, struct errmsg *m)
{
    struct base_facts *b = context;
    if (span_eq(name, SPAN(RDB_AUX_POSITION))) b->known = position_decode(value, &b->position);
    else if (span_eq(name, SPAN(RDB_AUX_HISTORY))) return history_decode(value, &b->history, m);
    return ERR_OK;
}

/* The newest base that is whole and says where it stands, and the epochs up to there. */
static enum err choose_base(struct rebuild *r, struct manifest *ours)
{
    enum err e = ERR_OK;
    for (size_t i = r->base_count; !e && !ours->base.name && i > 0; i--) {
        struct base_facts b = {.known = false};
        const struct rdb_walk walk = {.context = &b, .aux = take_aux};
        struct rdb_loaded loaded;
        struct file_source f;
        char *path = path_join(r->dir, r->bases[i - 1].name);
        e = file_source_open(&f, r->c->io, path, UINT64_MAX, r->m);
        const enum err damage = e ? e : rdb_walk_file(&f, &walk, &loaded, r->m);
        if (!e && !damage && !b.known)
            e = err_set(r->m, ERR_FOREIGN, "%s does not say where in the log it stands: a Redis wrote it", path);
        if (!e && !damage) {
            manifest_set_base(ours, r->bases[i - 1].name, r->bases[i - 1].seq, &b.position);
            history_copy(&ours->history, &b.history);
        } else if (damage == ERR_IO) {
            e = damage;
        } else if (damage) {
            check_say(r->c, "note     %s is damaged (%s): an older one is looked for", path, r->m->text);
        }
        file_source_close(&f);
        history_free(&b.history);
        mem_free(path);
    }
    return e;
}

/* ---- The epochs ---- */

/* Lines of the damaged manifest that still read as epochs. */
static void read_hints(struct rebuild *r, struct span old)
{
    struct cursor c = cursor_of(old);
    struct span line;
    struct words w = {.count = 0};
    while (take_line(&c, &line)) {
        struct epoch e;
        uint64_t crc;
        if (!words_split(&w, line) || w.count != 5 || !span_eq(w.word[0], SPAN("epoch")) ||
            !hex_parse(w.word[1], &e.number) || !hex_parse_fixed(w.word[2], 16, &e.id) ||
            !hex_parse(w.word[3], &e.start) || !hex_parse_fixed(w.word[4], 8, &crc))
            continue;
        e.crc = (uint32_t)crc;
        if (history_add(&r->hints, &e)) continue; /* damaged: out of order */
    }
    words_free(&w);
}

/* Step back over @n bytes at @p: the state before them, of the one behind them. CRC-32C, reflected; state: not inverted. */
static uint32_t crc_back(uint32_t state, const unsigned char *p, size_t n)
{
    uint32_t table[256];
    unsigned char by_top[256];
    for (unsigned i = 0; i < 256; i++) {
        table[i] = ~batch_crc32c(UINT32_MAX, &(unsigned char){(unsigned char)i}, 1);
        by_top[table[i] >> 24] = (unsigned char)i;
    }
    while (n-- > 0) {
        const unsigned char k = by_top[state >> 24];
        state = (state ^ table[k]) << 8 | (unsigned)(k ^ p[n]);
    }
    return state;
}

/* An id from which, continued from @before, the checksum of an epoch's first batch comes out as the batch states it. */
static uint64_t invent_id(uint32_t before, struct span head, struct span payload, uint32_t stated)
{
    static const unsigned char zeros[4];
    uint32_t seed = crc_back(~stated, (const unsigned char *)payload.p, payload.n);
    seed = crc_back(seed, (const unsigned char *)head.p, head.n);
    /* Its first four bytes are zero; the others make the difference. */
    const uint32_t from = ~batch_crc32c(before, zeros, sizeof zeros);
    return (uint64_t)(crc_back(seed, zeros, sizeof zeros) ^ from) << 32;
}

/* Whether @known names the epoch that begins with the batch @b at the chain, which then proves it. */
static bool is_proven(const struct history *known, const struct batch_chain *chain, const struct batch *b,
                      struct span bytes, struct epoch *epoch)
{
    const struct epoch *hint = history_find(known, b->epoch);
    struct errmsg ignored;
    struct batch whole;
    size_t need;
    if (!hint || hint->start != chain->offset || hint->crc != chain->crc) return false;
    struct batch_chain try = {.offset = chain->offset,
                              .crc = chain->crc,
                              .epoch = b->epoch,
                              .epoch_id = hint->id,
                              .epoch_start = chain->offset};
    if (batch_take(bytes, BATCH_MAX, &try, &whole, &need, &ignored)) return false;
    epoch->id = hint->id;
    return true;
}

static enum err add_epoch(struct rebuild *r, struct scan *s, const struct batch_chain *chain, const struct batch *b,
                          struct history *history)
{
    enum { CRC_AND_END = 8 + 2 };
    struct epoch epoch = {.number = b->epoch, .start = chain->offset, .crc = chain->crc};
    struct span bytes;
    enum err e = file_source_want(&s->file, b->line + b->payload.n, &bytes, r->m);
    if (e) return e;
    if (bytes.n < b->line + b->payload.n)
        return err_set(r->m, ERR_TRUNCATED, "%s ends within the first batch of an epoch", s->file.path);
    const bool told = is_proven(&r->told, chain, b, bytes, &epoch);
    r->proven |= told;
    if (!told && !is_proven(&r->hints, chain, b, bytes, &epoch)) {
        epoch.id = invent_id(chain->crc, span_of(bytes.p, b->line - CRC_AND_END),
                             span_of(bytes.p + b->line, b->payload.n), b->crc);
        r->invented = true;
        check_say(r->c,
                  "note     the id of epoch %" PRIu64 " is lost: its first batch, at log offset %" PRIu64
                  ", cannot be verified%s",
                  b->epoch, chain->offset,
                  r->c->o->from ? ", and the node that was asked does not know it"
                                : ". A node that has this data knows it (--from)");
    }
    if (history_add(history, &epoch))
        return err_set(r->m, ERR_CORRUPT, "%s: epoch %" PRIu64 " at log offset %" PRIu64 " does not follow",
                       s->file.path, b->epoch, chain->offset);
    return ERR_OK;
}

/* If a new epoch begins where the scan stands, it is added. */
static enum err meet_epoch(struct rebuild *r, struct scan *s, const struct batch_chain *chain,
                           struct history *history)
{
    struct span head;
    struct batch b;
    const enum err e = file_source_want(&s->file, BATCH_LINE_MAX, &head, r->m);
    if (e || head.n == 0 || batch_read_line(head, BATCH_MAX, &b) || b.offset != chain->offset) return e;
    const struct epoch *last = history_last(history);
    if (last && b.epoch <= last->number) return ERR_OK;
    return add_epoch(r, s, chain, &b, history);
}

/* ---- The segments ---- */

/* Follow the chain through segment @g up to @end; where the last one ends is for the check to say. */
static enum err follow(struct rebuild *r, const struct found *g, uint64_t end, struct batch_chain *chain,
                       struct history *history)
{
    struct scan s;
    struct batch b;
    char *path = path_join(r->dir, g->name);
    enum err e = scan_open(&s, r->c->io, path, chain->offset, end, r->m);
    while (!e && !(e = meet_epoch(r, &s, chain, history)) && !(e = scan_batch(&s, history, chain, &b, r->m))) {}
    const bool damaged = e == ERR_TRUNCATED || e == ERR_CORRUPT;
    if (e == ERR_MISSING || (damaged && end == UINT64_MAX)) e = ERR_OK;
    if (!e && end != UINT64_MAX && chain->offset != end)
        e = err_set(r->m, ERR_CORRUPT, "between log offsets %" PRIu64 " and %" PRIu64 " bytes are missing",
                    chain->offset, end);
    else if (e) e = err_wrap(r->m, e, "%s, log offset %" PRIu64, path, chain->offset);
    scan_close(&s);
    mem_free(path);
    return e;
}

static enum err order_segments(struct rebuild *r)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < r->segment_count; i++) e = read_start(r, &r->segments[i]);
    /* An empty one begins where the next one does, or at the end. */
    uint64_t next = UINT64_MAX;
    for (size_t i = r->segment_count; !e && i > 0; i--) {
        struct found *g = &r->segments[i - 1];
        if (g->empty) g->start = next;
        if (g->start > next)
            e = err_set(r->m, ERR_INVALID,
                        "%s begins at log offset %" PRIu64 ", behind the segment after it: which of "
                        "them counts cannot be told",
                        g->name, g->start);
        next = g->start;
    }
    return e;
}

static enum err collect_segments(struct rebuild *r, struct manifest *ours)
{
    struct batch_chain chain = {.offset = ours->base.position.offset, .crc = ours->base.position.crc};
    const uint64_t begin = chain.offset;
    size_t first = 0;
    enum err e = order_segments(r);
    if (e) return e;
    while (first < r->segment_count && r->segments[first].start != begin &&
           !(r->segments[first].start == UINT64_MAX && first + 1 == r->segment_count))
        first++;
    if (first == r->segment_count)
        return err_set(r->m, ERR_MISSING, "no segment begins at log offset %" PRIu64 "%s", begin,
                       ours->base.name ? ", where the base stands"
                                       : ", and no base is whole. A backup, or starting anew as a replica of a node "
                                         "that has the data (replicaof), can take their place");
    for (size_t i = first; !e && i < r->segment_count; i++) {
        const bool last = i + 1 == r->segment_count;
        manifest_add_segment(ours, r->segments[i].name, r->segments[i].seq, chain.offset, chain.crc);
        e = follow(r, &r->segments[i], last ? UINT64_MAX : r->segments[i + 1].start, &chain, &ours->history);
    }
    return e;
}

/* ---- Together ---- */

static bool is_named(const struct manifest *ours, const char *name)
{
    if (ours->base.name && strcmp(ours->base.name, name) == 0) return true;
    for (size_t i = 0; i < ours->segment_count; i++)
        if (strcmp(ours->segments[i].name, name) == 0) return true;
    return false;
}

/* A start would take them for remains of a crash. */
static bool set_others_aside(struct rebuild *r, const struct manifest *ours)
{
    bool done = true;
    for (size_t i = 0; i < r->base_count; i++)
        if (!is_named(ours, r->bases[i].name)) done &= mend_set_aside(r->c, r->dir, r->bases[i].name, 0);
    for (size_t i = 0; i < r->segment_count; i++)
        if (!is_named(ours, r->segments[i].name)) done &= mend_set_aside(r->c, r->dir, r->segments[i].name, 0);
    return done;
}

static void identify(struct rebuild *r, struct manifest *ours)
{
    const struct epoch *last = history_last(&ours->history);
    struct lineage *lineage = &ours->history.lineage;
    log_random(&ours->node, sizeof ours->node);
    ours->epoch_seen = last ? last->number : 0;
    /* An id of 64 random bits that the log proves is not that of an epoch of other data. */
    if (r->proven && !lineage_is_set(lineage)) *lineage = r->told.lineage;
    r->new_lineage = r->invented || !lineage_is_set(lineage);
    if (r->new_lineage) log_random(lineage, sizeof *lineage);
}

static enum err ask_epochs(struct rebuild *r)
{
    const struct fetch_from *from = r->c->o->from;
    return from ? from->epochs(from->context, &r->told, r->m) : ERR_OK;
}

static enum err gather(struct rebuild *r, struct manifest *ours)
{
    enum err e = list_files(r);
    if (!e) e = ask_epochs(r);
    if (!e) e = choose_base(r, ours);
    return e ? e : collect_segments(r, ours);
}

bool mend_rebuild(struct check *c, const char *dir, struct span old, struct manifest *ours)
{
    struct errmsg m = {""};
    struct rebuild r = {.c = c, .dir = dir, .m = &m};
    manifest_free(ours);
    read_hints(&r, old);
    const enum err e = gather(&r, ours);
    bool done = !e;
    if (e) {
        c->stopped = true;
        check_say(c, "failed   %s/" LOG_MANIFEST " cannot be written anew: %s", dir, m.text);
    }
    if (done) identify(&r, ours);
    if (done && old.n) done = mend_keep_copy(c, dir, LOG_MANIFEST);
    if (done) done = set_others_aside(&r, ours) && mend_store(c, dir, ours);
    if (done) {
        c->result->fixed++;
        check_say(c, "fixed    %s/" LOG_MANIFEST " is written anew from %s%zu segments%s", dir,
                  ours->base.name ? "a base and " : "", ours->segment_count,
                  r.new_lineage ? "; the data has a new lineage" : "");
    }
    free_all(&r);
    return done;
}

bool mend_rebuild_redis(struct check *c, const char *dir, const char *name)
{
    struct errmsg m = {""};
    struct rebuild r = {.c = c, .dir = dir, .m = &m};
    struct aof_manifest aof = {0};
    struct buf text = {0};
    enum err e = list_files(&r);
    if (!e && (r.base_count > 1 || r.base_count + r.segment_count == 0))
        e = err_set(&m, ERR_INVALID, "%zu bases lie here, and which of them counts cannot be told", r.base_count);
    for (size_t i = 1; !e && i < r.segment_count; i++)
        if (r.segments[i].seq != r.segments[i - 1].seq + 1)
            e = err_set(&m, ERR_MISSING, "between %s and %s one is missing", r.segments[i - 1].name,
                        r.segments[i].name);
    if (!e && r.base_count) aof_manifest_add(&aof, r.bases[0].name, r.bases[0].seq, 'b');
    for (size_t i = 0; !e && i < r.segment_count; i++)
        aof_manifest_add(&aof, r.segments[i].name, r.segments[i].seq, 'i');
    aof_manifest_encode(&aof, &text);
    const bool saved = !e && mend_keep_copy(c, dir, name);
    if (saved) e = file_replace(c->io, dir, name, buf_span(&text), &m);
    if (e) check_say(c, "failed   %s/%s cannot be written anew: %s", dir, name, m.text);
    else if (saved) {
        c->result->fixed++;
        check_say(c, "fixed    %s/%s is written anew from %zu files", dir, name, aof.count);
    }
    aof_manifest_free(&aof);
    buf_free(&text);
    free_all(&r);
    return saved && !e;
}
