/* How an operation says that it failed.
 *
 * Three kinds of trouble are never mixed: a bug is an assert(), which stays in release builds; an operation that
 * failed returns an enum err and leaves a sentence in a struct errmsg, which grows on its way up
 * ("cannot resume: open segment 12: permission denied"); a client's mistake is a reply in Redis's words. */
#pragma once

#include <stdarg.h>

#define MUST_USE     __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Name and default sentence of every kind of failure. */
#define ERR_LIST(X)                                          \
    X(OK, "no error")                                        \
    X(IO, "input/output error")                              \
    X(NO_SPACE, "no space left on the device")               \
    X(NO_MEMORY, "out of memory")                            \
    X(MISSING, "not found")                                  \
    X(EXISTS, "exists already")                              \
    X(DENIED, "permission denied")                           \
    X(INVALID, "invalid value")                              \
    X(RANGE, "value out of range")                           \
    X(TRUNCATED, "ends in the middle of a record")           \
    X(CORRUPT, "damaged")                                    \
    X(FOREIGN, "of a version or kind that is not supported") \
    X(STALE, "already discarded")                            \
    X(DIVERGED, "belongs to another history")                \
    X(AUTH, "not authenticated")                             \
    X(BUSY, "busy")                                          \
    X(TIMEOUT, "timed out")                                  \
    X(CANCELED, "canceled")

enum err {
#define X(name, text) ERR_##name,
    ERR_LIST(X)
#undef X
};

/* The sentence that explains a failure to a person. Owned by the caller, usually on its stack. */
struct errmsg {
    char text[512];
};

/* The default sentence of @e; static storage. */
const char *err_text(enum err e);

/* The kind that stands for the errno value @number (ENOSPC -> ERR_NO_SPACE, ..., ERR_IO where nothing fits). */
enum err err_of_errno(int number);

/* Set @m (which may be NULL) to the formatted sentence, cut to fit; returns @e. */
enum err err_set(struct errmsg *m, enum err e, const char *format, ...) PRINTF(3, 4);

/* Set @m to "<formatted>: <text of errno>"; returns err_of_errno(errno). Reads errno first. */
enum err err_errno(struct errmsg *m, const char *format, ...) PRINTF(2, 3);

/* Put "<formatted>: " before what @m says already; returns @e. For callers that add what they were doing. */
enum err err_wrap(struct errmsg *m, enum err e, const char *format, ...) PRINTF(3, 4);
