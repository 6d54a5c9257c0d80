/* Reading streams from an RDB file. Inside the codec only. */
#pragma once

#include "common/rdb_read.h"
#include "common/types/stream.h"

/* A stream of @version 1 (STREAM_LISTPACKS) to 3 fills @s, which is empty. @scratch is used for strings. */
MUST_USE enum err rdb_read_stream(struct rdb_reader *r, struct buf *scratch, unsigned version, struct stream *s);
