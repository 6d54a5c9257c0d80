/* What the kinds of collections have in common, chosen by type. */
#include <assert.h>

#include "common/keyspace.h"
#include "common/types/hash.h"
#include "common/types/list.h"
#include "common/types/set.h"
#include "common/types/stream.h"
#include "common/types/zset.h"
#include "common/watch.h"

void object_free(enum type type, void *object)
{
    switch (type) {
    case TYPE_LIST: list_free(object); return;
    case TYPE_SET: set_free(object); return;
    case TYPE_ZSET: zset_free(object); return;
    case TYPE_HASH: hash_free(object); return;
    case TYPE_STREAM: stream_free(object); return;
    case TYPE_STRING:
    case TYPE_COUNT: break;
    }
    assert(false && "a collection");
}

void *object_dup(enum type type, const void *object)
{
    switch (type) {
    case TYPE_LIST: return list_dup(object);
    case TYPE_SET: return set_dup(object);
    case TYPE_ZSET: return zset_dup(object);
    case TYPE_HASH: return hash_dup(object);
    case TYPE_STREAM: return stream_dup(object);
    case TYPE_STRING:
    case TYPE_COUNT: break;
    }
    assert(false && "a collection");
    return NULL;
}

uint64_t object_size(enum type type, const void *object)
{
    switch (type) {
    case TYPE_LIST: return list_size(object);
    case TYPE_SET: return set_size(object);
    case TYPE_ZSET: return zset_size(object);
    case TYPE_HASH: return hash_size(object);
    case TYPE_STREAM: return stream_size(object);
    case TYPE_STRING:
    case TYPE_COUNT: break;
    }
    assert(false && "a collection");
    return 0;
}

size_t object_bytes(enum type type, const void *object, uint64_t samples)
{
    switch (type) {
    case TYPE_LIST: return list_bytes(object, samples);
    case TYPE_SET: return set_bytes(object, samples);
    case TYPE_ZSET: return zset_bytes(object, samples);
    case TYPE_HASH: return hash_bytes(object, samples);
    case TYPE_STREAM: return stream_bytes(object, samples);
    case TYPE_STRING:
    case TYPE_COUNT: break;
    }
    assert(false && "a collection");
    return 0;
}

const char *object_encoding(enum type type, const void *object)
{
    switch (type) {
    case TYPE_LIST: return list_encoding(object);
    case TYPE_SET: return set_encoding(object);
    case TYPE_ZSET: return zset_encoding(object);
    case TYPE_HASH: return hash_encoding(object);
    case TYPE_STREAM: return "stream";
    case TYPE_STRING:
    case TYPE_COUNT: break;
    }
    assert(false && "a collection");
    return NULL;
}

struct htable *object_table(enum type type, const void *object)
{
    switch (type) {
    case TYPE_SET: return set_table(object);
    case TYPE_HASH: return hash_table(object);
    case TYPE_ZSET: return zset_table(object);
    default: return NULL;
    }
}

bool object_leave(enum type type, void *object)
{
    if (type == TYPE_LIST) return watch_leave(list_watched(object));
    if (type == TYPE_STREAM) return watch_leave(stream_watched(object));
    const struct htable *table = object_table(type, object);
    return table && watch_leave(table->watch);
}

void object_check(enum type type, const void *object)
{
    switch (type) {
    case TYPE_LIST: list_check(object); return;
    case TYPE_SET: set_check(object); return;
    case TYPE_ZSET: zset_check(object); return;
    case TYPE_HASH: hash_check(object); return;
    case TYPE_STREAM: stream_check(object); return;
    case TYPE_STRING:
    case TYPE_COUNT: break;
    }
    assert(false && "a collection");
}
