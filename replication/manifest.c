#include "replication/manifest.h"

#include <assert.h>
#include <inttypes.h>

#include "common/mem.h"
#include "common/num.h"
#include "replication/hex.h"
#include "replication/words.h"

static const char head[] = "relevo-manifest 1";

static char *text_of(struct span s)
{
    char *text = mem_alloc(s.n + 1);
    if (s.n) memcpy(text, s.p, s.n);
    text[s.n] = 0;
    return text;
}

static void free_peers(struct manifest *m)
{
    for (size_t i = 0; i < m->peer_count; i++) mem_free(m->peers[i].host);
    mem_free(m->peers);
    m->peers = NULL;
    m->peer_count = 0;
}

void manifest_free(struct manifest *m)
{
    history_free(&m->history);
    mem_free(m->base.name);
    for (size_t i = 0; i < m->kept_count; i++) mem_free(m->kept[i].name);
    mem_free(m->kept);
    for (size_t i = 0; i < m->segment_count; i++) mem_free(m->segments[i].name);
    mem_free(m->segments);
    free_peers(m);
    *m = (struct manifest){0};
}

void manifest_copy(struct manifest *to, const struct manifest *from)
{
    assert(to != from);
    manifest_free(to);
    to->node = from->node;
    to->incarnation = from->incarnation;
    to->epoch_seen = from->epoch_seen;
    history_copy(&to->history, &from->history);
    for (size_t i = 0; i < from->kept_count; i++) {
        manifest_set_base(to, from->kept[i].name, from->kept[i].seq, &from->kept[i].position);
        manifest_retire_base(to);
    }
    if (from->base.name) manifest_set_base(to, from->base.name, from->base.seq, &from->base.position);
    for (size_t i = 0; i < from->segment_count; i++) {
        const struct segment *s = &from->segments[i];
        manifest_add_segment(to, s->name, s->seq, s->start, s->crc);
    }
    manifest_set_peers(to, from->peers, from->peer_count);
}

void manifest_add_segment(struct manifest *m, const char *name, uint64_t seq, uint64_t start, uint32_t crc)
{
    m->segments = mem_realloc(m->segments, (m->segment_count + 1) * sizeof *m->segments);
    m->segments[m->segment_count++] =
        (struct segment){.name = text_of(span_str(name)), .seq = seq, .start = start, .crc = crc};
}

void manifest_drop_segment(struct manifest *m, size_t index)
{
    assert(index < m->segment_count);
    mem_free(m->segments[index].name);
    memmove(m->segments + index, m->segments + index + 1, (m->segment_count - index - 1) * sizeof *m->segments);
    m->segment_count--;
}

void manifest_set_base(struct manifest *m, const char *name, uint64_t seq, const struct position *p)
{
    char *copy = text_of(span_str(name));
    mem_free(m->base.name);
    m->base = (struct base){.name = copy, .seq = seq, .position = *p};
}

void manifest_retire_base(struct manifest *m)
{
    if (!m->base.name) return;
    m->kept = mem_realloc(m->kept, (m->kept_count + 1) * sizeof *m->kept);
    m->kept[m->kept_count++] = m->base;
    m->base = (struct base){.name = NULL};
}

void manifest_drop_kept(struct manifest *m, size_t index)
{
    assert(index < m->kept_count);
    mem_free(m->kept[index].name);
    memmove(m->kept + index, m->kept + index + 1, (m->kept_count - index - 1) * sizeof *m->kept);
    m->kept_count--;
}

void manifest_set_peers(struct manifest *m, const struct peer *peers, size_t count)
{
    free_peers(m);
    if (count == 0) return;
    m->peers = mem_zalloc(count, sizeof *m->peers);
    m->peer_count = count;
    for (size_t i = 0; i < count; i++) {
        m->peers[i] = peers[i];
        m->peers[i].host = text_of(span_str(peers[i].host));
    }
}

void manifest_for_redis(const struct manifest *m, struct aof_manifest *a)
{
    aof_manifest_free(a);
    if (m->base.name) aof_manifest_add(a, m->base.name, m->base.seq, 'b');
    for (size_t i = 0; i < m->segment_count; i++)
        if (!m->base.name || m->segments[i].start >= m->base.position.offset)
            aof_manifest_add(a, m->segments[i].name, m->segments[i].seq, 'i');
}

/* Writing. */

static void add_hex(struct buf *out, uint64_t v)
{
    buf_add_char(out, ' ');
    hex_add(out, v);
}

static void add_crc(struct buf *out, uint32_t crc)
{
    buf_add_char(out, ' ');
    hex_add_fixed(out, crc, 8);
}

static void add_file(struct buf *out, const char *key, const char *name, uint64_t seq)
{
    buf_printf(out, "%s ", key);
    words_add(out, span_str(name));
    add_hex(out, seq);
}

static void add_identity(struct buf *out, const struct manifest *m)
{
    char id[32];
    buf_printf(out, "%s\nnode ", head);
    hex_write_bytes(id, m->node.bytes, sizeof m->node.bytes);
    buf_add(out, id, sizeof id);
    buf_add_span(out, SPAN("\nincarnation"));
    add_hex(out, m->incarnation);
    buf_add_span(out, SPAN("\nepoch-seen"));
    add_hex(out, m->epoch_seen);
    buf_add_char(out, '\n');
}

static void add_history(struct buf *out, const struct history *h)
{
    char lineage[33];
    if (!lineage_is_set(&h->lineage)) return;
    lineage_format(&h->lineage, lineage);
    buf_printf(out, "lineage %s\n", lineage);
    for (size_t i = 0; i < h->count; i++) {
        buf_add_span(out, SPAN("epoch"));
        add_hex(out, h->epochs[i].number);
        buf_add_char(out, ' ');
        hex_add_fixed(out, h->epochs[i].id, 16);
        add_hex(out, h->epochs[i].start);
        add_crc(out, h->epochs[i].crc);
        buf_add_char(out, '\n');
    }
}

static void add_base(struct buf *out, const char *key, const struct base *b)
{
    add_file(out, key, b->name, b->seq);
    add_hex(out, b->position.offset);
    add_hex(out, b->position.epoch);
    add_crc(out, b->position.crc);
    buf_add_char(out, '\n');
}

static void add_peer(struct buf *out, const struct peer *p)
{
    char id[32];
    buf_add_span(out, SPAN("peer "));
    hex_write_bytes(id, p->id.bytes, sizeof p->id.bytes);
    buf_add(out, id, sizeof id);
    buf_add_char(out, ' ');
    words_add(out, span_str(p->host));
    add_hex(out, p->port);
    buf_add_char(out, '\n');
}

void manifest_encode(const struct manifest *m, struct buf *out)
{
    const size_t begin = out->len;
    add_identity(out, m);
    add_history(out, &m->history);
    for (size_t i = 0; i < m->kept_count; i++) add_base(out, "kept-base", &m->kept[i]);
    if (m->base.name) add_base(out, "base", &m->base);
    for (size_t i = 0; i < m->segment_count; i++) {
        add_file(out, "segment", m->segments[i].name, m->segments[i].seq);
        add_hex(out, m->segments[i].start);
        add_crc(out, m->segments[i].crc);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < m->peer_count; i++) add_peer(out, &m->peers[i]);
    const uint32_t crc = batch_crc32c(0, out->p + begin, out->len - begin);
    buf_add_span(out, SPAN("crc"));
    add_crc(out, crc);
    buf_add_char(out, '\n');
}

/* Reading. */

static bool read_name(struct span s)
{
    return s.n > 0 && s.n <= MANIFEST_NAME_MAX && !memchr(s.p, '/', s.n) && !memchr(s.p, 0, s.n) && s.p[0] != '.';
}

static bool read_crc(struct span s, uint32_t *crc)
{
    uint64_t v;
    if (!hex_parse_fixed(s, 8, &v)) return false;
    *crc = (uint32_t)v;
    return true;
}

static bool read_epoch(struct manifest *m, const struct words *w)
{
    struct epoch e = {0};
    return w->count == 5 && hex_parse(w->word[1], &e.number) && hex_parse_fixed(w->word[2], 16, &e.id) &&
           hex_parse(w->word[3], &e.start) && read_crc(w->word[4], &e.crc) && m->history.count < HISTORY_EPOCHS_MAX &&
           history_add(&m->history, &e) == ERR_OK;
}

static bool read_base(const struct words *w, struct base *to)
{
    struct base b = {0};
    if (w->count != 6 || !read_name(w->word[1]) || !hex_parse(w->word[2], &b.seq) ||
        !hex_parse(w->word[3], &b.position.offset) || !hex_parse(w->word[4], &b.position.epoch) ||
        !read_crc(w->word[5], &b.position.crc))
        return false;
    b.name = text_of(w->word[1]);
    *to = b;
    return true;
}

/* A kept one; offsets and numbers rise. */
static bool read_kept(struct manifest *m, const struct words *w)
{
    struct base b;
    if (m->kept_count == MANIFEST_FILES_MAX || !read_base(w, &b)) return false;
    const struct base *last = m->kept_count ? &m->kept[m->kept_count - 1] : NULL;
    if (last && (last->position.offset > b.position.offset || last->seq >= b.seq)) {
        mem_free(b.name);
        return false;
    }
    m->kept = mem_realloc(m->kept, (m->kept_count + 1) * sizeof *m->kept);
    m->kept[m->kept_count++] = b;
    return true;
}

static bool read_segment(struct manifest *m, const struct words *w)
{
    uint64_t seq, start;
    uint32_t crc;
    if (m->segment_count == MANIFEST_FILES_MAX || w->count != 5 || !read_name(w->word[1]) ||
        !hex_parse(w->word[2], &seq) || !hex_parse(w->word[3], &start) || !read_crc(w->word[4], &crc))
        return false;
    const struct segment *last = m->segment_count ? &m->segments[m->segment_count - 1] : NULL;
    if (last && (last->start > start || last->seq >= seq)) return false;
    char *name = text_of(w->word[1]);
    manifest_add_segment(m, name, seq, start, crc);
    mem_free(name);
    return true;
}

static bool read_peer(struct manifest *m, const struct words *w)
{
    struct peer p;
    uint64_t port;
    if (w->count != 4 || !hex_parse_bytes(w->word[1], p.id.bytes, sizeof p.id.bytes) || w->word[2].n == 0 ||
        w->word[2].n > MANIFEST_NAME_MAX || memchr(w->word[2].p, 0, w->word[2].n) || !hex_parse(w->word[3], &port) ||
        port > UINT16_MAX)
        return false;
    p.host = text_of(w->word[2]);
    p.port = (uint16_t)port;
    m->peers = mem_realloc(m->peers, (m->peer_count + 1) * sizeof *m->peers);
    m->peers[m->peer_count++] = p;
    return true;
}

static bool read_line(struct manifest *m, const struct words *w)
{
    const struct span key = w->word[0];
    if (span_eq(key, SPAN("node")))
        return w->count == 2 && hex_parse_bytes(w->word[1], m->node.bytes, sizeof m->node.bytes);
    if (span_eq(key, SPAN("incarnation"))) return w->count == 2 && hex_parse(w->word[1], &m->incarnation);
    if (span_eq(key, SPAN("epoch-seen"))) return w->count == 2 && hex_parse(w->word[1], &m->epoch_seen);
    if (span_eq(key, SPAN("lineage"))) return w->count == 2 && lineage_parse(w->word[1], &m->history.lineage);
    if (span_eq(key, SPAN("epoch"))) return read_epoch(m, w);
    if (span_eq(key, SPAN("base"))) return !m->base.name && read_base(w, &m->base);
    if (span_eq(key, SPAN("kept-base"))) return read_kept(m, w);
    if (span_eq(key, SPAN("segment"))) return read_segment(m, w);
    if (span_eq(key, SPAN("peer"))) return read_peer(m, w);
    return true;
}

/* The last line states the checksum of all before it; @body becomes that. */
static enum err check_crc(struct span text, struct span *body, struct errmsg *why)
{
    enum { TAIL = sizeof "crc 00000000\n" - 1 };
    uint32_t crc;
    if (text.n <= TAIL || text.p[text.n - 1] != '\n' || memcmp(text.p + text.n - TAIL, "crc ", 4) != 0 ||
        !read_crc(span_of(text.p + text.n - TAIL + 4, 8), &crc))
        return err_set(why, ERR_CORRUPT, "it does not end in its checksum");
    *body = span_of(text.p, text.n - TAIL);
    if (batch_crc32c(0, body->p, body->n) != crc)
        return err_set(why, ERR_CORRUPT, "it has another checksum than it states");
    return ERR_OK;
}

enum err manifest_decode(struct span text, struct manifest *m, struct errmsg *why)
{
    struct span body = {0}, line;
    struct words w = {.count = 0};
    size_t number = 1;
    manifest_free(m);
    enum err e = check_crc(text, &body, why);
    if (e) return e;
    struct cursor c = cursor_of(body);
    if (!take_line(&c, &line) || !span_eq(line, span_str(head)))
        return err_set(why, ERR_FOREIGN, "it was written by another version (\"%.*s\")",
                       (int)(line.n < 60 ? line.n : 60), line.p);
    while (!e && take_line(&c, &line)) {
        number++;
        if (!words_split(&w, line) || w.count == 0 || !read_line(m, &w))
            e = err_set(why, ERR_CORRUPT, "line %zu cannot be understood", number);
    }
    words_free(&w);
    if (!e && cursor_left(&c)) e = err_set(why, ERR_CORRUPT, "its last line is cut off");
    if (e) manifest_free(m);
    return e;
}
