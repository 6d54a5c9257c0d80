#include "replication/seal.h"

#include <assert.h>
#include <sodium.h>

#include "common/mem.h"

/* The hello's first line ends as an inline command does, so that a Redis answers it with an error. */
static const char hello_line[] = "\xf5RELEVO1\r\n";

enum {
    VERSION = 2,
    LINE = sizeof hello_line - 1,
    PUBLIC = crypto_kx_PUBLICKEYBYTES,
    MAC = 32,
    HEADER = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    CLAIM = 16 + 8,
    HELLO_SIGNED = LINE + 2 + SEAL_KEY_ID_MAX + CLAIM + PUBLIC,
    ANSWER_SIGNED = LINE + 2 + CLAIM + PUBLIC + HEADER,
};
_Static_assert(HELLO_SIGNED + MAC == SEAL_HELLO_BYTES, "the hello's size is part of the protocol");
_Static_assert(ANSWER_SIGNED + MAC == SEAL_ANSWER_BYTES, "the answer's size is part of the protocol");
_Static_assert(HEADER + crypto_secretstream_xchacha20poly1305_ABYTES == SEAL_PROOF_BYTES, "so is the proof's");
_Static_assert(SEAL_OVERHEAD == crypto_secretstream_xchacha20poly1305_ABYTES, "what libsodium adds");

/* Everything secret stands in this struct and is wiped with it; what only the handshake needs is wiped when it ends. */
struct seal {
    enum seal_state state;
    bool initiator;
    const struct seal_keys *keys;
    struct seal_memory *memory;
    struct seal_claim own, peer;
    struct handshake {
        uint8_t mac_key[32], mix_key[32]; /* derived from the cluster secret */
        uint8_t public[PUBLIC], secret[crypto_kx_SECRETKEYBYTES];
        uint8_t transcript[SEAL_HELLO_BYTES + SEAL_ANSWER_BYTES]; /* hello, then answer */
        uint8_t proof[SEAL_PROOF_BYTES];
        uint8_t pull_key[32];
        size_t got; /* bytes of the flight that is being read */
    } h;
    crypto_secretstream_xchacha20poly1305_state push, pull;
};

static void derive(struct handshake *h, const struct seal_key *key)
{
    (void)crypto_kdf_derive_from_key(h->mac_key, sizeof h->mac_key, 1, "relevomc", key->secret);
    (void)crypto_kdf_derive_from_key(h->mix_key, sizeof h->mix_key, 2, "relevomx", key->secret);
}

/* MAC over the first @n bytes of the transcript. The two flights differ in length, so neither passes for the other. */
static void transcript_mac(const struct handshake *h, size_t n, uint8_t mac[MAC])
{
    (void)crypto_generichash(mac, MAC, h->transcript, n, h->mac_key, sizeof h->mac_key);
}

static bool transcript_mac_ok(const struct handshake *h, size_t n)
{
    uint8_t mac[MAC];
    transcript_mac(h, n, mac);
    return sodium_memcmp(mac, h->transcript + n, MAC) == 0;
}

static uint8_t *put(uint8_t *to, const void *p, size_t n)
{
    memcpy(to, p, n);
    return to + n;
}

static uint8_t *put_claim(uint8_t *to, const struct seal_claim *claim)
{
    to = put(to, claim->node_id, sizeof claim->node_id);
    for (unsigned i = 0; i < 8; i++) *to++ = (uint8_t)(claim->epoch >> 8 * i);
    return to;
}

static void read_claim(const uint8_t *from, struct seal_claim *claim)
{
    struct cursor c = cursor_of(span_of(from, CLAIM));
    const bool whole = take_bytes(&c, claim->node_id, sizeof claim->node_id) && take_u64le(&c, &claim->epoch);
    assert(whole);
}

static uint8_t *put_preamble(uint8_t *to)
{
    to = put(to, hello_line, LINE);
    *to++ = VERSION;
    *to++ = 0;
    return to;
}

static struct seal *seal_new(const struct seal_keys *keys, const struct seal_claim *own, bool initiator)
{
    struct seal *s = MEM_NEW(struct seal);
    s->initiator = initiator;
    s->keys = keys;
    s->own = *own;
    return s;
}

struct seal *seal_initiate(const struct seal_keys *keys, const struct seal_claim *own, struct buf *out)
{
    struct seal *s = seal_new(keys, own, true);
    const struct seal_key *key = seal_keys_current(keys);
    derive(&s->h, key);
    (void)crypto_kx_keypair(s->h.public, s->h.secret);
    uint8_t *to = put_preamble(s->h.transcript);
    to = put(to, key->id, SEAL_KEY_ID_MAX);
    to = put_claim(to, own);
    to = put(to, s->h.public, PUBLIC);
    assert(to == s->h.transcript + HELLO_SIGNED);
    transcript_mac(&s->h, HELLO_SIGNED, to);
    buf_add(out, s->h.transcript, SEAL_HELLO_BYTES);
    return s;
}

struct seal *seal_respond(const struct seal_keys *keys, const struct seal_claim *own, struct seal_memory *memory)
{
    struct seal *s = seal_new(keys, own, false);
    s->memory = memory;
    return s;
}

void seal_free(struct seal *s)
{
    if (!s) return;
    sodium_memzero(s, sizeof *s);
    mem_free(s);
}

enum seal_state seal_state(const struct seal *s) { return s->state; }

const struct seal_claim *seal_peer(const struct seal *s)
{
    assert(s->state == SEAL_OPEN);
    return &s->peer;
}

static enum seal_state fail(struct seal *s, struct errmsg *m, enum err e, const char *why)
{
    (void)err_set(m, e, "%s", why);
    sodium_memzero(&s->h, sizeof s->h);
    s->state = SEAL_FAILED;
    return s->state;
}

static enum seal_state open_up(struct seal *s)
{
    sodium_memzero(&s->h, sizeof s->h);
    s->keys = NULL;
    s->memory = NULL;
    s->state = SEAL_OPEN;
    return s->state;
}

/* The session keys: crypto_kx, each mixed with the whole transcript under a key that only members have. */
static bool agree(struct seal *s, const uint8_t *peer_public, uint8_t push_key[32], uint8_t pull_key[32])
{
    struct handshake *h = &s->h;
    uint8_t rx[crypto_kx_SESSIONKEYBYTES], tx[crypto_kx_SESSIONKEYBYTES], hash[32];
    const int agreed = s->initiator ? crypto_kx_client_session_keys(rx, tx, h->public, h->secret, peer_public)
                                    : crypto_kx_server_session_keys(rx, tx, h->public, h->secret, peer_public);
    if (agreed == 0) {
        crypto_generichash_state mix;
        (void)crypto_generichash(hash, sizeof hash, h->transcript, sizeof h->transcript, NULL, 0);
        const struct {
            const uint8_t *from;
            uint8_t *to;
        } ways[] = {{tx, push_key}, {rx, pull_key}};
        for (unsigned i = 0; i < 2; i++) {
            (void)crypto_generichash_init(&mix, h->mix_key, sizeof h->mix_key, 32);
            (void)crypto_generichash_update(&mix, ways[i].from, 32);
            (void)crypto_generichash_update(&mix, hash, sizeof hash);
            (void)crypto_generichash_final(&mix, ways[i].to, 32);
        }
        sodium_memzero(&mix, sizeof mix);
    }
    sodium_memzero(rx, sizeof rx);
    sodium_memzero(tx, sizeof tx);
    return agreed == 0;
}

/* Gather up to @size bytes of a flight at @to; true when it is whole. */
static bool gather(struct seal *s, struct cursor *in, uint8_t *to, size_t size)
{
    const size_t room = size - s->h.got, left = cursor_left(in), n = room < left ? room : left;
    const bool taken = take_bytes(in, to + s->h.got, n);
    assert(taken);
    s->h.got += n;
    if (s->h.got < size) return false;
    s->h.got = 0;
    return true;
}

static bool line_ok(const uint8_t *flight, size_t got)
{
    return memcmp(flight, hello_line, got < LINE ? got : LINE) == 0;
}

static bool replayed(struct seal_memory *memory, const uint8_t *mac)
{
    if (!memory) return false;
    uint64_t mark;
    memcpy(&mark, mac, sizeof mark);
    mark |= mark == 0;
    for (unsigned i = 0; i < SEAL_MEMORY; i++)
        if (memory->mark[i] == mark) return true;
    memory->mark[memory->next++ % SEAL_MEMORY] = mark;
    return false;
}

/* Responder: a whole hello is there. */
static enum seal_state answer(struct seal *s, struct buf *out, struct errmsg *m)
{
    struct handshake *h = &s->h;
    const uint8_t *at = h->transcript + LINE;
    if (at[0] != VERSION || at[1] != 0) return fail(s, m, ERR_FOREIGN, "the other node speaks another version");
    const struct seal_key *key = seal_keys_find(s->keys, (const char *)(at += 2));
    if (!key) return fail(s, m, ERR_AUTH, "the other node uses a cluster key that is not in our secret file");
    derive(h, key);
    if (!transcript_mac_ok(h, HELLO_SIGNED)) return fail(s, m, ERR_AUTH, "the other node's cluster secret differs");
    if (replayed(s->memory, h->transcript + HELLO_SIGNED)) return fail(s, m, ERR_AUTH, "a hello was played again");
    read_claim(at += SEAL_KEY_ID_MAX, &s->peer);
    const uint8_t *peer_public = at + CLAIM;
    (void)crypto_kx_keypair(h->public, h->secret);

    /* The stream's header must be in the transcript that its key depends on, so it is drawn before the key is known
     * and the stream is set up by the rule of init_pull, which is the same for both ends. */
    uint8_t header[HEADER], push_key[32];
    randombytes_buf(header, sizeof header);
    uint8_t *to = put_preamble(h->transcript + SEAL_HELLO_BYTES);
    to = put_claim(to, &s->own);
    to = put(to, h->public, PUBLIC);
    to = put(to, header, HEADER);
    transcript_mac(h, SEAL_HELLO_BYTES + ANSWER_SIGNED, to);
    if (!agree(s, peer_public, push_key, h->pull_key)) return fail(s, m, ERR_AUTH, "a weak public key");
    (void)crypto_secretstream_xchacha20poly1305_init_pull(&s->push, header, push_key);
    sodium_memzero(push_key, sizeof push_key);
    buf_add(out, h->transcript + SEAL_HELLO_BYTES, SEAL_ANSWER_BYTES);
    return SEAL_GREETING;
}

/* Responder: a whole proof is there. */
static enum seal_state check_proof(struct seal *s, struct errmsg *m)
{
    struct handshake *h = &s->h;
    uint8_t none[1], tag;
    (void)crypto_secretstream_xchacha20poly1305_init_pull(&s->pull, h->proof, h->pull_key);
    if (crypto_secretstream_xchacha20poly1305_pull(&s->pull, none, NULL, &tag, h->proof + HEADER, SEAL_OVERHEAD,
                                                   h->transcript, sizeof h->transcript) != 0)
        return fail(s, m, ERR_AUTH, "the other node does not know what it began");
    return open_up(s);
}

/* Initiator: a whole answer is there. */
static enum seal_state prove(struct seal *s, struct buf *out, struct errmsg *m)
{
    struct handshake *h = &s->h;
    const uint8_t *at = h->transcript + SEAL_HELLO_BYTES + LINE;
    if (at[0] != VERSION || at[1] != 0) return fail(s, m, ERR_FOREIGN, "the other node speaks another version");
    if (!transcript_mac_ok(h, SEAL_HELLO_BYTES + ANSWER_SIGNED))
        return fail(s, m, ERR_AUTH, "the other node's cluster secret differs");
    read_claim(at += 2, &s->peer);
    uint8_t push_key[32], pull_key[32];
    const uint8_t *peer_public = at + CLAIM, *header = peer_public + PUBLIC;
    if (!agree(s, peer_public, push_key, pull_key)) return fail(s, m, ERR_AUTH, "a weak public key");
    (void)crypto_secretstream_xchacha20poly1305_init_pull(&s->pull, header, pull_key);
    (void)crypto_secretstream_xchacha20poly1305_init_push(&s->push, h->proof, push_key);
    (void)crypto_secretstream_xchacha20poly1305_push(&s->push, h->proof + HEADER, NULL, NULL, 0, h->transcript,
                                                     sizeof h->transcript, 0);
    sodium_memzero(push_key, sizeof push_key);
    sodium_memzero(pull_key, sizeof pull_key);
    buf_add(out, h->proof, SEAL_PROOF_BYTES);
    return open_up(s);
}

static bool answered(const struct seal *s)
{
    return s->h.transcript[SEAL_HELLO_BYTES] != 0; /* the first byte of an answer that was read or written */
}

enum seal_state seal_feed(struct seal *s, struct cursor *in, struct buf *out, struct errmsg *m)
{
    struct handshake *h = &s->h;
    if (s->state == SEAL_GREETING && s->initiator && cursor_left(in)) {
        uint8_t *flight = h->transcript + SEAL_HELLO_BYTES;
        const bool whole = gather(s, in, flight, SEAL_ANSWER_BYTES);
        if (!line_ok(flight, whole ? LINE : h->got))
            return fail(s, m, ERR_FOREIGN, "it does not answer as a Relevo node (a Redis, or another program?)");
        return whole ? prove(s, out, m) : SEAL_GREETING;
    }
    if (s->state == SEAL_GREETING && !s->initiator && !answered(s) && cursor_left(in)) {
        const bool whole = gather(s, in, h->transcript, SEAL_HELLO_BYTES);
        if (!line_ok(h->transcript, whole ? LINE : h->got)) return fail(s, m, ERR_FOREIGN, "not a node's hello");
        if (!whole || answer(s, out, m) == SEAL_FAILED) return s->state;
    }
    if (s->state == SEAL_GREETING && !s->initiator && answered(s) && gather(s, in, h->proof, SEAL_PROOF_BYTES))
        return check_proof(s, m);
    return s->state;
}

void seal_push(struct seal *s, struct span ad, struct span plain, struct buf *out)
{
    assert(s->state == SEAL_OPEN);
    uint8_t *to = (uint8_t *)buf_room(out, plain.n + SEAL_OVERHEAD);
    (void)crypto_secretstream_xchacha20poly1305_push(&s->push, to, NULL, (const uint8_t *)plain.p, plain.n,
                                                     (const uint8_t *)ad.p, ad.n, 0);
    out->len += plain.n + SEAL_OVERHEAD;
}

bool seal_pull(struct seal *s, struct span ad, struct span sealed, char *to)
{
    assert(s->state == SEAL_OPEN);
    uint8_t tag;
    return sealed.n >= SEAL_OVERHEAD &&
           crypto_secretstream_xchacha20poly1305_pull(&s->pull, (uint8_t *)to, NULL, &tag, (const uint8_t *)sealed.p,
                                                      sealed.n, (const uint8_t *)ad.p, ad.n) == 0;
}
