/* The packed forms that Redis wrote before version 7: ziplist and zipmap. Read only.
 *
 * The bytes come from a stranger: each function checks all of them as it walks. */
#pragma once

#include "common/err.h"
#include "common/span.h"

/* Gets the elements in order, borrowed until it returns; an error of its own ends the walk and is handed on. */
typedef enum err rdb_element(void *context, struct span element);

/* ERR_CORRUPT without a message: the caller knows where it stands. */
MUST_USE enum err rdb_ziplist_each(struct span bytes, rdb_element *visit, void *context);
/* Fields and values in turn. */
MUST_USE enum err rdb_zipmap_each(struct span bytes, rdb_element *visit, void *context);
