#include "replication/facts.h"

#include "common/mem.h"

uint64_t facts_epoch(const struct facts *f)
{
    const struct epoch *last = history_last(&f->history);
    return last ? last->number : 0;
}

enum history_relation facts_compare(const struct facts *a, const struct facts *b)
{
    if (!lineage_is_set(&a->history.lineage) || !lineage_is_set(&b->history.lineage)) return HISTORY_UNRELATED;
    uint64_t parting;
    return history_compare(&a->history, a->end, &b->history, b->end, &parting);
}

void facts_free(struct facts *f)
{
    history_free(&f->history);
    *f = (struct facts){0};
}

void facts_copy(struct facts *to, const struct facts *from)
{
    if (to == from) return;
    facts_free(to);
    struct history kept = {0};
    history_copy(&kept, &from->history);
    *to = *from;
    to->history = kept;
}

enum err facts_read_history(Relevo__Epoch *const *epochs, size_t n, struct history *to)
{
    if (n > HISTORY_EPOCHS_MAX) return ERR_INVALID;
    for (size_t i = 0; i < n; i++) {
        const struct epoch e = {epochs[i]->number, epochs[i]->id, epochs[i]->start, epochs[i]->seed};
        if (history_add(to, &e) != ERR_OK) return ERR_INVALID;
    }
    return ERR_OK;
}

/* Copy a host's name; false if it is too long or holds what no name does. */
static bool read_host(const char *from, char to[NODE_HOST_MAX + 1])
{
    const size_t n = strlen(from);
    if (n > NODE_HOST_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if (from[i] <= ' ' || from[i] == 0x7f) return false;
    memcpy(to, from, n + 1);
    return true;
}

bool facts_read_peer(const Relevo__Peer *from, struct node_peer *to)
{
    if (from->node_id.len != sizeof to->id.bytes || from->port > UINT16_MAX || !read_host(from->host, to->host))
        return false;
    memcpy(to->id.bytes, from->node_id.data, sizeof to->id.bytes);
    to->port = (uint16_t)from->port;
    return true;
}

static bool read_lineage(const ProtobufCBinaryData *from, struct lineage *to)
{
    if (from->len == 0) return true;
    if (from->len != sizeof to->bytes) return false;
    memcpy(to->bytes, from->data, sizeof to->bytes);
    return lineage_is_set(to);
}

enum err facts_read(const Relevo__Facts *from, struct facts *to, struct errmsg *m)
{
    facts_free(to);
    if (!from) return err_set(m, ERR_INVALID, "a node says nothing of itself");
    bool ok = from->node_id.len == sizeof to->id.bytes && from->port <= UINT16_MAX &&
              read_host(from->host, to->host) && read_lineage(&from->lineage, &to->history.lineage) &&
              facts_read_history(from->history, from->n_history, &to->history) == ERR_OK;
    ok = ok && lineage_is_set(&to->history.lineage) == (to->history.count > 0);
    if (!ok) {
        facts_free(to);
        return err_set(m, ERR_INVALID, "a node says of itself what cannot be");
    }
    memcpy(to->id.bytes, from->node_id.data, sizeof to->id.bytes);
    to->boot = from->boot;
    to->role = from->role == RELEVO__ROLE__ROLE_PRIMARY  ? NODE_PRIMARY
               : from->role == RELEVO__ROLE__ROLE_FENCED ? NODE_FENCED
                                                         : NODE_REPLICA;
    to->end = from->end;
    to->end_crc = from->end_crc;
    to->port = (uint16_t)from->port;
    return ERR_OK;
}

void facts_write(const struct facts *from, struct facts_message *to)
{
    const struct history *h = &from->history;
    relevo__facts__init(&to->facts);
    to->epochs = mem_zalloc(h->count + 1, sizeof *to->epochs);
    to->pointers = mem_zalloc(h->count + 1, sizeof *to->pointers);
    for (size_t i = 0; i < h->count; i++) {
        Relevo__Epoch *e = &to->epochs[i];
        relevo__epoch__init(e);
        e->number = h->epochs[i].number;
        e->id = h->epochs[i].id;
        e->start = h->epochs[i].start;
        e->seed = h->epochs[i].crc;
        to->pointers[i] = e;
    }
    static const Relevo__Role roles[] = {
        [NODE_PRIMARY] = RELEVO__ROLE__ROLE_PRIMARY,
        [NODE_REPLICA] = RELEVO__ROLE__ROLE_REPLICA,
        [NODE_FENCED] = RELEVO__ROLE__ROLE_FENCED,
    };
    Relevo__Facts *f = &to->facts;
    f->node_id = (ProtobufCBinaryData){sizeof from->id.bytes, (uint8_t *)(uintptr_t)from->id.bytes};
    f->boot = from->boot;
    if (lineage_is_set(&h->lineage))
        f->lineage = (ProtobufCBinaryData){sizeof h->lineage.bytes, (uint8_t *)(uintptr_t)h->lineage.bytes};
    f->role = roles[from->role];
    f->n_history = h->count;
    f->history = to->pointers;
    f->end = from->end;
    f->end_crc = from->end_crc;
    f->host = (char *)(uintptr_t)from->host;
    f->port = from->port;
}

void facts_message_free(struct facts_message *m)
{
    mem_free(m->epochs);
    mem_free(m->pointers);
}

void peers_write(const struct node_peer *from, size_t n, struct peers_message *to)
{
    to->peers = mem_zalloc(n + 1, sizeof *to->peers);
    to->pointers = mem_zalloc(n + 1, sizeof *to->pointers);
    to->n = n;
    for (size_t i = 0; i < n; i++) {
        Relevo__Peer *p = &to->peers[i];
        relevo__peer__init(p);
        p->node_id = (ProtobufCBinaryData){sizeof from[i].id.bytes, (uint8_t *)(uintptr_t)from[i].id.bytes};
        p->host = (char *)(uintptr_t)from[i].host;
        p->port = from[i].port;
        to->pointers[i] = p;
    }
}

void peers_message_free(struct peers_message *m)
{
    mem_free(m->peers);
    mem_free(m->pointers);
}
