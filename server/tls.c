#include "server/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

#include "common/mem.h"
#include "server/words.h"

struct tls_context {
    SSL_CTX *ssl;
};

struct tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    char error[160];
};

/* ---- The context ---- */

static enum err fail(struct errmsg *m, const char *setting, const char *value)
{
    char why[160];
    ERR_error_string_n(ERR_peek_last_error(), why, sizeof why);
    ERR_clear_error();
    return err_set(m, ERR_INVALID, "%s %s: %s", setting, value, why);
}

static int give_passphrase(char *to, int room, int for_writing, void *passphrase)
{
    (void)for_writing;
    const size_t n = strlen(passphrase);
    if (n > (size_t)room) return -1;
    memcpy(to, passphrase, n);
    return (int)n;
}

static enum err set_certificate(SSL_CTX *x, const struct tls_settings *s, struct errmsg *m)
{
    if (!s->cert_file[0]) return err_set(m, ERR_INVALID, "tls-port needs tls-cert-file and tls-key-file");
    if (SSL_CTX_use_certificate_chain_file(x, s->cert_file) != 1) return fail(m, "tls-cert-file", s->cert_file);
    SSL_CTX_set_default_passwd_cb(x, give_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(x, (void *)(uintptr_t)s->key_file_pass);
    const bool ok = SSL_CTX_use_PrivateKey_file(x, s->key_file, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(x, NULL); /* borrowed no longer */
    SSL_CTX_set_default_passwd_cb(x, NULL);
    if (!ok || SSL_CTX_check_private_key(x) != 1) return fail(m, "tls-key-file", s->key_file);
    return ERR_OK;
}

static enum err set_authorities(SSL_CTX *x, const struct tls_settings *s, struct errmsg *m)
{
    static const int modes[] = {SSL_VERIFY_NONE, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, SSL_VERIFY_PEER};
    const char *file = s->ca_cert_file[0] ? s->ca_cert_file : NULL, *dir = s->ca_cert_dir[0] ? s->ca_cert_dir : NULL;
    SSL_CTX_set_verify(x, modes[s->clients], NULL);
    if (!file && !dir)
        return s->clients == TLS_CLIENTS_NO ? ERR_OK
                                            : err_set(m, ERR_INVALID,
                                                      "tls-auth-clients needs tls-ca-cert-file or tls-ca-cert-dir: "
                                                      "else no client's certificate can be checked");
    if (SSL_CTX_load_verify_locations(x, file, dir) != 1) return fail(m, "tls-ca-cert-file", file ? file : dir);
    return ERR_OK;
}

/* "TLSv1.2 TLSv1.3": those and no others. */
static enum err set_protocols(SSL_CTX *x, const char *protocols, struct errmsg *m)
{
    static const struct {
        const char *name;
        uint64_t off;
    } versions[] = {{"TLSv1", SSL_OP_NO_TLSv1},
                    {"TLSv1.1", SSL_OP_NO_TLSv1_1},
                    {"TLSv1.2", SSL_OP_NO_TLSv1_2},
                    {"TLSv1.3", SSL_OP_NO_TLSv1_3}};
    enum { VERSIONS = sizeof versions / sizeof *versions };
    uint64_t off = versions[0].off | versions[1].off | versions[2].off | versions[3].off;
    struct span rest = span_str(protocols[0] ? protocols : "TLSv1.2 TLSv1.3"), word;
    while (word_next(&rest, ' ', &word)) {
        size_t i = 0;
        while (i < VERSIONS && !span_is(word, versions[i].name)) i++;
        if (i == VERSIONS)
            return err_set(m, ERR_INVALID, "tls-protocols: there is no protocol %.*s", (int)word.n, word.p);
        off &= ~versions[i].off;
    }
    SSL_CTX_set_options(x, off);
    return ERR_OK;
}

static enum err set_dh(SSL_CTX *x, const char *path, struct errmsg *m)
{
    SSL_CTX_set_dh_auto(x, 1);
    if (!path[0]) return ERR_OK;
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *key = file ? PEM_read_bio_Parameters(file, NULL) : NULL;
    const bool ok = key && SSL_CTX_set0_tmp_dh_pkey(x, key) == 1;
    BIO_free(file);
    if (ok) return ERR_OK;
    EVP_PKEY_free(key);
    return fail(m, "tls-dh-params-file", path);
}

static enum err set_ciphers(SSL_CTX *x, const struct tls_settings *s, struct errmsg *m)
{
    if (s->ciphers[0] && SSL_CTX_set_cipher_list(x, s->ciphers) != 1) return fail(m, "tls-ciphers", s->ciphers);
    if (s->ciphersuites[0] && SSL_CTX_set_ciphersuites(x, s->ciphersuites) != 1)
        return fail(m, "tls-ciphersuites", s->ciphersuites);
    if (s->prefer_server_ciphers) SSL_CTX_set_options(x, SSL_OP_CIPHER_SERVER_PREFERENCE);
    return ERR_OK;
}

static void set_sessions(SSL_CTX *x, const struct tls_settings *s)
{
    static const unsigned char id[] = "relevo";
    SSL_CTX_set_session_cache_mode(x, s->session_caching ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
    if (!s->session_caching) return;
    SSL_CTX_sess_set_cache_size(x, s->session_cache_size);
    SSL_CTX_set_timeout(x, s->session_cache_timeout_s);
    (void)SSL_CTX_set_session_id_context(x, id, sizeof id - 1);
}

enum err tls_context_new(const struct tls_settings *s, struct tls_context **to, struct errmsg *m)
{
    *to = NULL;
    SSL_CTX *x = SSL_CTX_new(TLS_server_method());
    if (!x) return fail(m, "OpenSSL", "cannot begin");
    SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    set_sessions(x, s);
    enum err e = set_protocols(x, s->protocols, m);
    if (!e) e = set_certificate(x, s, m);
    if (!e) e = set_authorities(x, s, m);
    if (!e) e = set_ciphers(x, s, m);
    if (!e) e = set_dh(x, s->dh_params_file, m);
    if (e) {
        SSL_CTX_free(x);
        return e;
    }
    *to = MEM_NEW(struct tls_context);
    (*to)->ssl = x;
    return ERR_OK;
}

void tls_context_free(struct tls_context *x)
{
    if (!x) return;
    SSL_CTX_free(x->ssl);
    mem_free(x);
}

/* ---- A connection ---- */

struct tls *tls_new(struct tls_context *x)
{
    struct tls *t = MEM_NEW(struct tls);
    t->ssl = SSL_new(x->ssl);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        mem_free(t);
        return NULL;
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t) return;
    SSL_free(t->ssl);
    mem_free(t);
}

void tls_feed(struct tls *t, struct span sealed)
{
    if (sealed.n) (void)BIO_write(t->in, sealed.p, (int)sealed.n);
}

static void note_error(struct tls *t)
{
    const unsigned long code = ERR_peek_last_error();
    if (code) ERR_error_string_n(code, t->error, sizeof t->error);
    ERR_clear_error();
}

enum tls_status tls_read(struct tls *t, char *to, size_t room, size_t *got)
{
    *got = 0;
    /* To ask OpenSSL for what cannot be there costs as much as to ask for what is. */
    if (tls_is_open(t) && BIO_pending(t->in) == 0 && !SSL_has_pending(t->ssl) &&
        !(SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN))
        return TLS_MORE;
    ERR_clear_error();
    if (SSL_read_ex(t->ssl, to, room, got) == 1) return TLS_DATA;
    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN: return TLS_END;
    default: note_error(t); return TLS_BAD;
    }
}

void tls_rest(struct tls *t) { (void)SSL_free_buffers(t->ssl); }

bool tls_is_open(const struct tls *t) { return SSL_is_init_finished(t->ssl); }

bool tls_write(struct tls *t, struct span plain)
{
    size_t written = 0;
    if (plain.n == 0) return true;
    ERR_clear_error();
    /* A memory BIO takes all there is. */
    if (SSL_write_ex(t->ssl, plain.p, plain.n, &written) == 1 && written == plain.n) return true;
    note_error(t);
    return false;
}

void tls_end(struct tls *t)
{
    ERR_clear_error();
    if (tls_is_open(t)) (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

bool tls_has_sealed(const struct tls *t) { return BIO_pending(t->out) > 0; }

void tls_take(struct tls *t, struct buf *to)
{
    char *bytes;
    const long n = BIO_get_mem_data(t->out, &bytes);
    if (n <= 0) return;
    buf_add(to, bytes, (size_t)n);
    (void)BIO_reset(t->out);
}

const char *tls_error(const struct tls *t) { return t->error; }
