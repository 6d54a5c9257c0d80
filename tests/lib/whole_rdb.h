/* The data of an engine as one RDB file, for tests. */
#pragma once

#include "common/engine.h"

/* Appended to @out, checksum included. */
void whole_rdb(struct engine *e, struct buf *out);
