/* One end of one connection's handshake, and the encrypted stream that it leads to. No socket, no clock.
 *
 *      initiator                                          responder
 *      hello:  line, version, key id, node id,
 *              epoch, ephemeral key, MAC          ---->   MAC first; only then the curve
 *                                                 <----   answer: line, version, node id, epoch,
 *                                                         ephemeral key, stream header, MAC over both
 *      proof:  stream header, sealed nothing
 *              (bound to the transcript)          ---->   now the initiator is known to be alive
 *
 * Two keys are derived from the cluster secret: one for the MACs (keyed BLAKE2b), one that is mixed with the session
 * keys of crypto_kx and the hash of the transcript. The streams are crypto_secretstream_xchacha20poly1305, one each way.
 * What this proves is membership of the cluster; the node id is what the member claims.
 *
 * A recorded hello that is played again gets an answer that its player cannot read, and no more: the session is open
 * only after the proof. An acceptor can also remember hellos (struct seal_memory) and stay silent.
 *
 * All flights have a fixed size, so that nothing is allocated for a stranger: SEAL_GREETING_MAX bytes in all. */
#pragma once

#include "common/buf.h"
#include "replication/seal_keys.h"

enum {
    SEAL_FIRST_BYTE = 0xf5, /* not ASCII: no RESP, no inline command; and no TLS record type */
    SEAL_HELLO_BYTES = 116,
    SEAL_ANSWER_BYTES = 124,
    SEAL_PROOF_BYTES = 41,
    SEAL_GREETING_MAX =
        SEAL_HELLO_BYTES + SEAL_PROOF_BYTES, /* what a responder ever reads before it knows the peer */
    SEAL_OVERHEAD = 17,                      /* that sealing adds to a message */
};

/* The last hellos that an acceptor took, against replay. Zero-initialised is empty. */
enum { SEAL_MEMORY = 512 };
struct seal_memory {
    uint64_t mark[SEAL_MEMORY];
    unsigned next;
};

/* What each end says of itself in the clear. */
struct seal_claim {
    uint8_t node_id[16];
    uint64_t epoch;
};

enum seal_state {
    SEAL_GREETING, /* more bytes are needed */
    SEAL_OPEN,     /* the peer is a member; seal_push() and seal_pull() work */
    SEAL_FAILED,   /* the connection is to be closed without a word */
};

struct seal;

/* @keys are borrowed until the handshake is over. The initiator's hello is put into @out. */
struct seal *seal_initiate(const struct seal_keys *keys, const struct seal_claim *own, struct buf *out);

/* @memory may be NULL; else borrowed until the handshake is over. */
struct seal *seal_respond(const struct seal_keys *keys, const struct seal_claim *own, struct seal_memory *memory);

/* Wipes. NULL is a no-op. */
void seal_free(struct seal *s);

/* Take what the handshake needs from the front of @in (never more), append what is to be sent to @out.
 * On SEAL_FAILED @m says why:
 *         ERR_AUTH     the secret is not the same, or the bytes were tampered with or replayed
 *         ERR_FOREIGN  the other end is no Relevo (a Redis answers with an error), or of another version */
enum seal_state seal_feed(struct seal *s, struct cursor *in, struct buf *out, struct errmsg *m);

enum seal_state seal_state(const struct seal *s);

/* The peer's claim; valid when open. */
const struct seal_claim *seal_peer(const struct seal *s);

/* Seal @plain, bound to @ad (which travels beside it), and append n + SEAL_OVERHEAD bytes to @out. */
void seal_push(struct seal *s, struct span ad, struct span plain, struct buf *out);

/* Open @sealed into @to, which has room for sealed.n - SEAL_OVERHEAD bytes. False: not from the peer, or out of order;
 * the connection is to be closed. */
MUST_USE bool seal_pull(struct seal *s, struct span ad, struct span sealed, char *to);
