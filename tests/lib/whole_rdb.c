#include "tests/lib/whole_rdb.h"

#include "common/keyspace.h"
#include "common/rdb.h"

static void put_entry(void *context, void *item, bool marked)
{
    (void)marked;
    rdb_put_entry(context, item);
}

void whole_rdb(struct engine *e, struct buf *out)
{
    const size_t begin = out->len;
    struct rdb_sum sum = {0};
    rdb_put_header(out);
    for (unsigned i = 0; i < engine_databases(e); i++) {
        if (engine_keys(e, i) == 0) continue;
        rdb_put_db(out, i, engine_keys(e, i), engine_expires(e, i));
        for (uint64_t at = 0; (at = htable_scan(db_table(engine_db(e, i)), at, false, put_entry, out));) continue;
    }
    rdb_put_eof(out);
    rdb_sum_add(&sum, span_of(out->p + begin, out->len - begin));
    rdb_put_checksum(out, &sum);
}
