/* The cluster's secrets: what makes a node one of ours.
 *
 * A file of lines `relevo-cluster-key-v1 <id> <base64 of 32 bytes>`. The first is the one we speak with; all are
 * accepted, so a key is rotated by adding the new one last everywhere, then moving it to the front everywhere, then
 * removing the old one. Empty lines and lines that begin with '#' are skipped. The file must be a regular file of our
 * own user that nobody else may read or write. */
#pragma once

#include "common/err.h"
#include "common/span.h"

enum { SEAL_KEY_BYTES = 32, SEAL_KEY_ID_MAX = 16, SEAL_KEYS_MAX = 16 };

struct seal_key {
    char id
        [SEAL_KEY_ID_MAX]; /* letters, digits, '-', '_'; zeros behind; all zeros: the key of a node without a secret */
    uint8_t secret[SEAL_KEY_BYTES];
};

struct seal_keys;

/* Errors: ERR_MISSING, ERR_IO  it cannot be read
 *         ERR_DENIED           mode or owner are not safe
 *         ERR_INVALID          a line is malformed, an id stands twice, there are too many keys, or none */
MUST_USE enum err seal_keys_load(const char *path, struct seal_keys **k, struct errmsg *m);

/* The same from text, without a file. */
MUST_USE enum err seal_keys_parse(struct span text, struct seal_keys **k, struct errmsg *m);

/* For a node without a secret: one key of zeros with an empty id. The caller admits loopback only. */
struct seal_keys *seal_keys_none(void);

/* Wipes. NULL is a no-op. */
void seal_keys_free(struct seal_keys *k);

const struct seal_key *seal_keys_current(const struct seal_keys *k);

/* NULL if there is none of that id. */
const struct seal_key *seal_keys_find(const struct seal_keys *k, const char id[SEAL_KEY_ID_MAX]);

/* One fresh line with its newline and a terminating zero, of at most SEAL_KEY_LINE bytes. @to is a secret. */
enum { SEAL_KEY_LINE = 128 };
void seal_keygen_line(char to[SEAL_KEY_LINE]);

/* Write a fresh key to the new file @path, mode 0600, fsynced.
 *
 * Errors: ERR_EXISTS   there is such a file: it is left as it was
 *         ERR_IO ...   it cannot be written; no file is left behind */
MUST_USE enum err seal_keygen(const char *path, struct errmsg *m);
