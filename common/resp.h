/* Reading requests in place.
 *
 * A request is an array of bulk strings ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") or an inline line ("GET k\r\n",
 * with quotes as in redis-cli). The parser never copies and never allocates but for the argument vector: the
 * spans it gives point into the bytes it was handed, which the caller keeps unmoved until the request is
 * done. A number in a header is strict, so a request that parses from an array is its own canonical encoding
 * and may be logged by one copy of `raw`. */
#pragma once

#include "common/buf.h"

struct resp_limits {
    size_t max_args;      /* elements of one array; Redis: INT_MAX, and 10 before authentication */
    size_t max_bulk;      /* bytes of one bulk string (proto-max-bulk-len); 16384 before authentication */
    size_t max_inline;    /* bytes of an inline line and of any header line; Redis: 64 KB */
    bool unauthenticated; /* the limits are those before authentication; changes the texts of errors only */
};

struct request {
    struct span *argv; /* owned by the parser, reused by the next request */
    size_t argc;       /* 0: an empty line or "*0", to be skipped */
    struct span raw;   /* the whole request as it came, if it was an array; empty for an inline one */
    bool hashed;       /* engine_foresee() saw it: */
    uint64_t hash;     /* of argv[1] */
};

/* Room for the arguments of one request. */
struct resp_argv {
    struct span *at;
    size_t room;
};

enum resp_status {
    RESP_REQUEST,    /* one whole request; *used bytes were taken */
    RESP_INCOMPLETE, /* more bytes are needed; nothing was taken; *want says how many bytes in all would
                        surely help */
    RESP_BAD,        /* protocol error; the reply's text ("ERR ...") is in `error`; the connection is to be closed.
                        The same bytes give the same error again */
};

/* Zero-initialised is a parser at the start of a request. */
struct resp_parser {
    struct resp_argv argv;
    struct buf inline_bytes; /* unquoted arguments of an inline request */

    /* How far an incomplete request was understood, so that no byte is parsed twice. */
    const char *base;  /* where its first byte was; bytes may move between two calls */
    size_t total_args; /* 0: not in an array */
    size_t done_args, done_bytes;
    size_t scanned_bytes; /* of the line behind done_bytes: searched for its end in vain */
    int64_t bulk_bytes;   /* length of the bulk string behind done_bytes, or -1: its header comes next */

    char error[64];
};

/* Parse the request at the front of @in. After RESP_INCOMPLETE the caller calls again with the same bytes
 * (they may have moved) and more behind them. */
enum resp_status resp_parse(struct resp_parser *p, struct span in, const struct resp_limits *limits,
                            struct request *request, size_t *used, size_t *want);

/* An incomplete request was begun: the bytes behind it must be kept. */
static inline bool resp_parser_midway(const struct resp_parser *p) { return p->total_args || p->scanned_bytes; }

/* Have the next request read into @other, so that the last one stays valid beside it if it came as an array. Exchanges the
 * two: both are freed by whoever owns them in the end, the parser's by resp_parser_free(). */
static inline void resp_parser_exchange(struct resp_parser *p, struct resp_argv *other)
{
    const struct resp_argv mine = p->argv;
    p->argv = *other;
    *other = mine;
}

void resp_parser_free(struct resp_parser *p);

/* Append @n arguments as one array request: the form that the log and the tests use. */
void resp_encode(struct buf *out, const struct span *argv, size_t n);
