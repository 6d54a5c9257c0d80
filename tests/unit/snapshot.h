/* What a traversal gave, put together and loaded. */
#pragma once

#include <criterion/criterion.h>

#include "common/collate.h"
#include "common/rdb.h"

static inline enum err snapshot_append(void *file, struct span bytes, struct errmsg *m)
{
    (void)m;
    buf_add_span(file, bytes);
    return ERR_OK;
}

/* Load the run of pieces of a whole traversal into the empty engine @e; @who for messages. */
static inline void snapshot_load(const struct buf *pieces, struct engine *e, const char *who)
{
    struct buf file = {0};
    struct errmsg m;
    struct rdb_loaded loaded;
    const struct collate_ops ops = {.context = &file, .write = snapshot_append};
    struct collate *collate = collate_new(&ops, 0);
    rdb_put_header(&file);
    cr_assert_eq(collate_take(collate, buf_span(pieces), &m), ERR_OK, "%s; %s", m.text, who);
    cr_assert_not(collate_pending(collate), "%s", who);
    cr_assert_eq(collate_bytes(collate), 0);
    collate_free(collate);
    rdb_put_eof(&file);
    rdb_put_checksum(&file, &(struct rdb_sum){0});
    struct cursor c = cursor_of(buf_span(&file));
    const struct rdb_source source = rdb_source_span(&c);
    const struct rdb_target target = rdb_target_engine(e);
    cr_assert_eq(rdb_load(&source, &target, &loaded, &m), ERR_OK, "%s; %s", m.text, who);
    buf_free(&file);
}
