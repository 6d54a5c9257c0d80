/* Writing a reply in the protocol's form.
 *
 * A reply appends to a buf; the connection that owns the buf sends it. The same calls serve RESP2 and RESP3: a caller
 * says what a value is (a map, a double, a null), and the version decides on the bytes. */
#pragma once

#include "common/buf.h"

struct reply {
    struct buf *out;
    unsigned resp;   /* 2 or 3 */
    unsigned errors; /* error replies written so far: callers compare before and after */
};

void reply_ok(struct reply *r);
void reply_simple(struct reply *r, const char *text);                    /* +text */
void reply_error(struct reply *r, const char *format, ...) PRINTF(2, 3); /* -text; begins with its code, "ERR ..." */
void reply_int(struct reply *r, int64_t v);
void reply_bulk(struct reply *r, struct span s);
void reply_bulk_int(struct reply *r, int64_t v);        /* decimal text as a bulk string */
void reply_double(struct reply *r, double v);           /* bulk string in RESP2, ",v" in RESP3 */
void reply_long_double(struct reply *r, long double v); /* the same in num_format_long_double()'s form */
void reply_bool(struct reply *r, bool v);               /* :1/:0 in RESP2, #t/#f in RESP3 */
void reply_null(struct reply *r);                       /* $-1, or _ in RESP3 */
void reply_null_array(struct reply *r);                 /* *-1, or _ in RESP3 */
void reply_verbatim(struct reply *r, const char *kind, struct span s); /* bulk in RESP2; @kind is "txt" or "mkd" */

/* Head of a collection; the caller writes that many members (pairs for a map) behind it. */
void reply_array(struct reply *r, size_t n);
void reply_map(struct reply *r, size_t pairs);           /* an array of 2 x @pairs in RESP2 */
void reply_set(struct reply *r, size_t n);               /* an array in RESP2 */
void reply_push(struct reply *r, size_t n);              /* an array in RESP2 */
void reply_attribute_map(struct reply *r, size_t pairs); /* RESP3 only: about the reply that follows */

/* A collection whose size is known only at its end: begin gives a mark, end puts the head there. They may nest. */
size_t reply_begin(struct reply *r);
void reply_end_array(struct reply *r, size_t mark, size_t n);
void reply_end_map(struct reply *r, size_t mark, size_t pairs);
void reply_end_set(struct reply *r, size_t mark, size_t n);

/* Errors with fixed words. */
void reply_wrong_type(struct reply *r);
void reply_syntax_error(struct reply *r);
void reply_not_an_integer(struct reply *r);
void reply_not_a_float(struct reply *r);
