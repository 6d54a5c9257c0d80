#include "replication/seal_keys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

#define LINE_MAGIC "relevo-cluster-key-v1"

enum { FILE_MAX = 16 * 1024 };

struct seal_keys {
    size_t n;
    struct seal_key key[SEAL_KEYS_MAX];
};

static bool id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* The next word of @line, separated by single spaces. */
static struct span take_word(struct cursor *line)
{
    const size_t left = cursor_left(line);
    const char *space = left ? memchr(line->at, ' ', left) : NULL;
    struct span word = span_of(line->at, space ? (size_t)(space - line->at) : left);
    line->at += word.n + (space != NULL);
    return word;
}

static enum err parse_line(struct seal_keys *k, struct span text, unsigned number, struct errmsg *m)
{
    struct cursor line = cursor_of(text);
    const struct span magic = take_word(&line), id = take_word(&line), secret = take_word(&line);
    if (!span_eq(magic, SPAN(LINE_MAGIC)))
        return err_set(m, ERR_INVALID, "line %u: does not begin with " LINE_MAGIC, number);
    bool id_ok = id.n > 0 && id.n <= SEAL_KEY_ID_MAX;
    for (size_t i = 0; id_ok && i < id.n; i++) id_ok = id_char(id.p[i]);
    if (!id_ok) return err_set(m, ERR_INVALID, "line %u: the id is 1 to 16 letters, digits, '-' or '_'", number);
    if (k->n == SEAL_KEYS_MAX) return err_set(m, ERR_INVALID, "line %u: more than %d keys", number, SEAL_KEYS_MAX);

    struct seal_key *key = &k->key[k->n];
    memset(key, 0, sizeof *key);
    memcpy(key->id, id.p, id.n);
    if (seal_keys_find(k, key->id)) return err_set(m, ERR_INVALID, "line %u: this id stands there twice", number);
    size_t length = 0;
    const char *end = NULL;
    if (cursor_left(&line) ||
        sodium_base642bin(key->secret, sizeof key->secret, secret.p, secret.n, NULL, &length, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        length != SEAL_KEY_BYTES || end != secret.p + secret.n)
        return err_set(m, ERR_INVALID, "line %u: the key is not the base64 of %d bytes", number, SEAL_KEY_BYTES);
    k->n++;
    return ERR_OK;
}

enum err seal_keys_parse(struct span text, struct seal_keys **to, struct errmsg *m)
{
    if (sodium_init() < 0) return err_set(m, ERR_IO, "libsodium has no source of randomness");
    struct seal_keys *k = MEM_NEW(struct seal_keys);
    struct cursor c = cursor_of(text);
    enum err e = ERR_OK;
    for (unsigned number = 1; e == ERR_OK && cursor_left(&c); number++) {
        struct span line;
        if (!take_line(&c, &line)) (void)take_span(&c, cursor_left(&c), &line);
        if (line.n && line.p[0] != '#') e = parse_line(k, line, number, m);
    }
    if (e == ERR_OK && k->n == 0) e = err_set(m, ERR_INVALID, "no key in it");
    if (e == ERR_OK) {
        *to = k;
    } else {
        seal_keys_free(k);
    }
    return e;
}

/* Read the file whole; it was opened and found to be safe. */
static enum err read_keys(int fd, struct seal_keys **k, struct errmsg *m)
{
    char text[FILE_MAX];
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, text + n, sizeof text - n)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0 && (n += (size_t)got) == sizeof text) break;
    enum err e;
    if (got < 0) e = err_errno(m, "read");
    else if (n == sizeof text) e = err_set(m, ERR_INVALID, "longer than a secret file can be");
    else e = seal_keys_parse(span_of(text, n), k, m);
    sodium_memzero(text, sizeof text);
    return e;
}

enum err seal_keys_load(const char *path, struct seal_keys **k, struct errmsg *m)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return err_errno(m, "cluster secret file %s", path);
    struct stat st;
    enum err e;
    if (fstat(fd, &st) != 0) e = err_errno(m, "stat");
    else if (!S_ISREG(st.st_mode)) e = err_set(m, ERR_DENIED, "not a regular file");
    else if (st.st_uid != geteuid())
        e = err_set(m, ERR_DENIED, "owned by user %u, not by ours (%u)", (unsigned)st.st_uid, (unsigned)geteuid());
    else if (st.st_mode & 077)
        e = err_set(m, ERR_DENIED, "its mode %04o lets others in: chmod 600 it", (unsigned)st.st_mode & 07777);
    else e = read_keys(fd, k, m);
    (void)close(fd);
    return e == ERR_OK ? e : err_wrap(m, e, "cluster secret file %s", path);
}

struct seal_keys *seal_keys_none(void)
{
    struct seal_keys *k = MEM_NEW(struct seal_keys);
    const int ready = sodium_init();
    assert(ready >= 0);
    k->n = 1;
    return k;
}

void seal_keys_free(struct seal_keys *k)
{
    if (!k) return;
    sodium_memzero(k, sizeof *k);
    mem_free(k);
}

const struct seal_key *seal_keys_current(const struct seal_keys *k)
{
    assert(k->n > 0);
    return &k->key[0];
}

const struct seal_key *seal_keys_find(const struct seal_keys *k, const char id[SEAL_KEY_ID_MAX])
{
    for (size_t i = 0; i < k->n; i++)
        if (memcmp(k->key[i].id, id, SEAL_KEY_ID_MAX) == 0) return &k->key[i];
    return NULL;
}

void seal_keygen_line(char to[SEAL_KEY_LINE])
{
    const int ready = sodium_init();
    assert(ready >= 0);
    uint8_t secret[SEAL_KEY_BYTES];
    char text[sodium_base64_ENCODED_LEN(SEAL_KEY_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    randombytes_buf(secret, sizeof secret);
    (void)sodium_bin2base64(text, sizeof text, secret, sizeof secret, sodium_base64_VARIANT_ORIGINAL);
    const int n = snprintf(to, SEAL_KEY_LINE, LINE_MAGIC " k%08x %s\n", randombytes_random(), text);
    assert(n > 0 && n < SEAL_KEY_LINE);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(text, sizeof text);
}

static enum err write_all(int fd, const char *p, size_t n, struct errmsg *m)
{
    while (n) {
        const ssize_t wrote = write(fd, p, n);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return err_errno(m, "write");
        p += wrote;
        n -= (size_t)wrote;
    }
    return fsync(fd) == 0 ? ERR_OK : err_errno(m, "fsync");
}

enum err seal_keygen(const char *path, struct errmsg *m)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_errno(m, "%s", path);
    char line[SEAL_KEY_LINE];
    seal_keygen_line(line);
    enum err e = write_all(fd, line, strlen(line), m);
    sodium_memzero(line, sizeof line);
    if (close(fd) != 0 && e == ERR_OK) e = err_errno(m, "close");
    if (e == ERR_OK) return e;
    (void)unlink(path);
    return err_wrap(m, e, "%s", path);
}
