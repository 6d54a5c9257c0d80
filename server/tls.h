/* TLS of one connection, between the bytes of the socket (sealed) and those of the protocol (plain). On OpenSSL; does no
 * I/O, so that the loop moves the bytes:
 *
 *     socket -> tls_feed() -> tls_read() -> requests          replies -> tls_write() -> tls_take() -> socket
 *
 * tls_read() drives the handshake too, and makes sealed bytes by itself then: look whether tls_has_sealed() after it. Memory
 * is bounded by what the caller feeds and writes before it takes. Not thread-safe. Without OpenSSL (see server/README.md)
 * tls_context_new() fails. */
#pragma once

#include "common/buf.h"

enum tls_clients { TLS_CLIENTS_NO, TLS_CLIENTS_YES, TLS_CLIENTS_OPTIONAL }; /* must they show a certificate? */

/* Redis's settings of the same names; empty texts are unset. Borrowed during tls_context_new(). */
struct tls_settings {
    const char *cert_file, *key_file, *key_file_pass, *ca_cert_file, *ca_cert_dir, *dh_params_file;
    const char *protocols, *ciphers, *ciphersuites;
    enum tls_clients clients;
    bool prefer_server_ciphers, session_caching;
    int64_t session_cache_size, session_cache_timeout_s;
};

struct tls_context;
struct tls;

/* Errors: ERR_INVALID, naming the setting and what OpenSSL says of it. */
MUST_USE enum err tls_context_new(const struct tls_settings *s, struct tls_context **to, struct errmsg *m);
void tls_context_free(struct tls_context *x); /* connections that were made of it live on; NULL is a no-op */

/* The server's end of a new connection; NULL: out of memory. */
struct tls *tls_new(struct tls_context *x);
void tls_free(struct tls *t); /* NULL is a no-op */

enum tls_status {
    TLS_DATA, /* *got plain bytes */
    TLS_MORE, /* nothing until more is fed */
    TLS_END,  /* the peer has said that it sends no more */
    TLS_BAD,  /* handshake or record failed: close behind what there is to take; tls_error() */
};
void tls_feed(struct tls *t, struct span sealed);
enum tls_status tls_read(struct tls *t, char *to, size_t room, size_t *got);
/* The connection is idle: its buffers, of 17 KB each way, may go until it is not. */
void tls_rest(struct tls *t);
bool tls_is_open(const struct tls *t); /* the handshake is done */

/* Seal all of @plain, which may be done once tls_is_open(). False: the connection has failed. */
MUST_USE bool tls_write(struct tls *t, struct span plain);
/* Seal the word that nothing will follow. */
void tls_end(struct tls *t);
bool tls_has_sealed(const struct tls *t);
void tls_take(struct tls *t, struct buf *to); /* append all sealed bytes */

/* What failed last, in OpenSSL's words. */
const char *tls_error(const struct tls *t);
