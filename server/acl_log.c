#include "server/acl_log.h"

#include <assert.h>

#include "common/mem.h"

enum {
    GROUPED_MS = 60000,
    GROUPED_ENTRIES = 10,
    TEXT_MAX = 1024, /* bytes of a name */
    DEFAULT_MAX = 128,
};

struct acl_log {
    struct acl_entry **at; /* newest first */
    size_t count, max;
    uint64_t next_id;
};

struct acl_log *acl_log_new(void)
{
    struct acl_log *l = MEM_NEW(struct acl_log);
    l->max = DEFAULT_MAX;
    return l;
}

static void trim(struct acl_log *l, size_t most)
{
    while (l->count > most) {
        struct acl_entry *e = l->at[--l->count];
        buf_free(&e->object);
        buf_free(&e->user);
        buf_free(&e->client);
        mem_free(e);
    }
}

void acl_log_free(struct acl_log *l)
{
    if (!l) return;
    trim(l, 0);
    mem_free(l->at);
    mem_free(l);
}

void acl_log_set_max(struct acl_log *l, size_t max)
{
    l->max = max;
    trim(l, max);
}

void acl_log_reset(struct acl_log *l) { trim(l, 0); }

static struct span beginning(struct span s) { return span_of(s.p, s.n < TEXT_MAX ? s.n : TEXT_MAX); }

static void set_text(struct buf *b, struct span s)
{
    b->len = 0;
    buf_add_span(b, beginning(s));
}

/* Move the entry at @index to the front. */
static void bring_forward(struct acl_log *l, size_t index)
{
    struct acl_entry *e = l->at[index];
    memmove(l->at + 1, l->at, index * sizeof(struct acl_entry *));
    l->at[0] = e;
}

static bool find_same(const struct acl_log *l, enum acl_verdict reason, const char *context, struct span object,
                      struct span user, int64_t now_ms, size_t *index)
{
    for (size_t i = 0; i < l->count && i < GROUPED_ENTRIES; i++) {
        const struct acl_entry *e = l->at[i];
        if (e->reason != reason || strcmp(e->context, context) != 0) continue;
        if (now_ms - e->updated_ms > GROUPED_MS) continue;
        if (!span_eq(buf_span(&e->object), beginning(object)) || !span_eq(buf_span(&e->user), beginning(user)))
            continue;
        *index = i;
        return true;
    }
    return false;
}

void acl_log_add(struct acl_log *l, enum acl_verdict reason, const char *context, struct span object,
                 struct span user, struct span client, int64_t now_ms)
{
    size_t index;
    if (l->max == 0) return;
    if (!find_same(l, reason, context, object, user, now_ms, &index)) {
        trim(l, l->max - 1);
        struct acl_entry *e = MEM_NEW(struct acl_entry);
        *e = (struct acl_entry){.id = l->next_id++, .reason = reason, .context = context, .created_ms = now_ms};
        set_text(&e->object, object);
        set_text(&e->user, user);
        l->at = mem_realloc(l->at, (l->count + 1) * sizeof(struct acl_entry *));
        index = l->count++;
        l->at[index] = e;
    }
    bring_forward(l, index);
    l->at[0]->count++;
    l->at[0]->updated_ms = now_ms;
    set_text(&l->at[0]->client, client);
}

size_t acl_log_count(const struct acl_log *l) { return l->count; }

const struct acl_entry *acl_log_at(const struct acl_log *l, size_t index)
{
    assert(index < l->count);
    return l->at[index];
}

const char *acl_log_reason(enum acl_verdict v)
{
    static const char *const words[] = {"", "command", "key", "auth", "channel"};
    return words[v];
}
