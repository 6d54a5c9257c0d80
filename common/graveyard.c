#include "common/graveyard.h"

#include "common/mem.h"

struct garbage {
    struct garbage *next;
    struct db *db; /* or an object */
    enum type type;
    void *object;
};

bool graveyard_wants(const struct graveyard *g, enum type type, const void *object)
{
    return g->open && object_size(type, object) > GRAVEYARD_LARGE;
}

bool graveyard_wants_string(const struct graveyard *g, size_t bytes) { return g->open && bytes >= GRAVEYARD_LONG; }

static void add(struct graveyard *g, struct garbage one, uint64_t objects)
{
    struct garbage *garbage = mem_alloc(sizeof *garbage);
    one.next = g->first;
    *garbage = one;
    g->first = garbage;
    g->objects += objects;
}

void graveyard_add_object(struct graveyard *g, enum type type, void *object)
{
    add(g, (struct garbage){.type = type, .object = object}, 1);
}

void graveyard_add_db(struct graveyard *g, struct db *d) { add(g, (struct garbage){.db = d}, db_size(d)); }

struct garbage *graveyard_take(struct graveyard *g, uint64_t *objects)
{
    struct garbage *all = g->first;
    *objects = g->objects;
    g->first = NULL;
    g->objects = 0;
    return all;
}

void garbage_free(struct garbage *g)
{
    for (struct garbage *next; g; g = next) {
        next = g->next;
        if (g->db) db_free(g->db);
        else if (g->type == TYPE_STRING) mem_free(g->object);
        else object_free(g->type, g->object);
        mem_free(g);
    }
}
