#include "common/portrait.h"

#include <assert.h>

#include "common/mem.h"
#include "common/portrait_impl.h"
#include "common/rdb_write.h"
#include "common/types/list.h"
#include "common/types/stream.h"

/* A stream's entries and its pending entries count alike. */
static uint64_t stream_elements(const struct stream *s)
{
    const struct stream_groups *groups = stream_groups_of(s);
    uint64_t n = stream_size(s);
    for (size_t i = 0; i < groups->count; i++) n += groups->list[i]->pending.size;
    return n;
}

static bool string_is_due(const struct entry *e, size_t bytes)
{
    char scratch[NUM_I64_MAX_TEXT];
    enum { OWN_MEMORY = 1024 }; /* from so many bytes on a string surely has memory of its own */
    const struct span s = entry_string(e, scratch);
    return s.n > bytes && s.n > OWN_MEMORY;
}

bool portrait_is_due(const struct entry *e, const struct portrait_bounds *bounds)
{
    const enum type type = entry_type(e);
    if (type == TYPE_STRING) return string_is_due(e, bounds->bytes);
    void *object = entry_object(e);
    const bool in_parts =
        type == TYPE_LIST ? list_nodes(object) > 1 : type == TYPE_STREAM || object_table(type, object);
    if (!in_parts) return false;
    const uint64_t size = type == TYPE_STREAM ? stream_elements(object) : object_size(type, object);
    return size > bounds->elements || (size > 1 && object_bytes(type, object, OBJECT_SAMPLES) > bounds->bytes);
}

void *portrait_make(size_t size, const struct portrait_kind *kind, const struct entry *e, struct span head,
                    struct piece_writer *w)
{
    struct portrait *p = mem_zalloc(1, size);
    *p = (struct portrait){.kind = kind, .type = entry_type(e), .pieces = w};
    if (p->type != TYPE_STRING) p->object = entry_object(e);
    p->stream = piece_stream(w);
    buf_add_span(&p->head, head);
    rdb_put_key(&p->head, e);
    return p;
}

struct portrait *portrait_new(const struct entry *e, struct span head, struct piece_writer *w)
{
    if (entry_type(e) == TYPE_STRING) return portrait_new_string(e, head, w);
    if (entry_type(e) == TYPE_LIST) return portrait_new_list(e, head, w);
    if (entry_type(e) == TYPE_STREAM) return portrait_new_stream(e, head, w);
    return portrait_new_table(e, object_table(entry_type(e), entry_object(e)), head, w);
}

void portrait_come(struct portrait *p)
{
    buf_add_span(piece_to(p->pieces, 0), buf_span(&p->head));
    buf_free(&p->head);
    if (p->waits) piece_insert(p->pieces, p->stream);
    p->stream = 0;
    p->in_front = true;
}

bool portrait_step(struct portrait *p, struct portion *portion)
{
    assert(p->in_front);
    return p->kind->step(p, portion);
}

enum type portrait_free(struct portrait *p, void **object)
{
    const enum type type = p->type;
    *object = p->kind->end(p) ? p->object : NULL;
    buf_free(&p->head);
    mem_free(p);
    return type;
}

size_t portrait_bytes(const struct portrait *p)
{
    return mem_size(p) + p->head.cap + (p->kind->bytes ? p->kind->bytes(p) : 0);
}
