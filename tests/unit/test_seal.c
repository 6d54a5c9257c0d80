#include <criterion/criterion.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replication/seal.h"

/* Two ends and what lies between them. */
struct pair {
    struct seal_keys *initiator_keys, *responder_keys;
    struct seal_claim initiator_claim, responder_claim;
    struct seal_memory memory;
    struct seal *initiator, *responder;
    struct buf to_responder, to_initiator;
};

#define KEY_A       "relevo-cluster-key-v1 a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define KEY_B       "relevo-cluster-key-v1 b AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
#define KEY_A_OTHER "relevo-cluster-key-v1 a AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"

static struct seal_keys *keys_of(const char *text)
{
    struct seal_keys *k = NULL;
    struct errmsg m;
    cr_assert_eq(seal_keys_parse(span_str(text), &k, &m), ERR_OK, "%s", m.text);
    return k;
}

static void pair_open(struct pair *p, const char *initiator_keys, const char *responder_keys)
{
    memset(p, 0, sizeof *p);
    p->initiator_keys = initiator_keys ? keys_of(initiator_keys) : seal_keys_none();
    p->responder_keys = responder_keys ? keys_of(responder_keys) : seal_keys_none();
    memcpy(p->initiator_claim.node_id, "initiator-------", 16);
    memcpy(p->responder_claim.node_id, "responder-------", 16);
    p->initiator_claim.epoch = 7;
    p->responder_claim.epoch = UINT64_C(0x123456789abcdef0);
    p->initiator = seal_initiate(p->initiator_keys, &p->initiator_claim, &p->to_responder);
    p->responder = seal_respond(p->responder_keys, &p->responder_claim, &p->memory);
}

static void pair_close(struct pair *p)
{
    seal_free(p->initiator);
    seal_free(p->responder);
    seal_keys_free(p->initiator_keys);
    seal_keys_free(p->responder_keys);
    buf_free(&p->to_responder);
    buf_free(&p->to_initiator);
}

/* Give everything in @from to @s, @step bytes at a time. */
static enum seal_state deliver(struct seal *s, struct buf *from, struct buf *out, size_t step)
{
    struct errmsg m;
    enum seal_state state = seal_state(s);
    for (size_t at = 0; at < from->len && state != SEAL_FAILED; at += step) {
        const size_t n = from->len - at < step ? from->len - at : step;
        struct cursor in = cursor_of(span_of(from->p + at, n));
        state = seal_feed(s, &in, out, &m);
        cr_assert(state != SEAL_GREETING || cursor_left(&in) == 0, "what is not taken belongs to the stream");
    }
    from->len = 0;
    return state;
}

static void shake_hands(struct pair *p, size_t step)
{
    cr_assert_eq(deliver(p->responder, &p->to_responder, &p->to_initiator, step), SEAL_GREETING);
    cr_assert_eq(deliver(p->initiator, &p->to_initiator, &p->to_responder, step), SEAL_OPEN);
    cr_assert_eq(deliver(p->responder, &p->to_responder, &p->to_initiator, step), SEAL_OPEN);
}

static void expect_passes(struct seal *from, struct seal *to, struct span plain)
{
    struct buf sealed = {0};
    char opened[64];
    seal_push(from, SPAN("beside"), plain, &sealed);
    cr_assert_eq(sealed.len, plain.n + SEAL_OVERHEAD);
    cr_assert(seal_pull(to, SPAN("beside"), buf_span(&sealed), opened));
    cr_assert(span_eq(span_of(opened, plain.n), plain));
    buf_free(&sealed);
}

Test(seal, two_members_agree_and_learn_who_the_other_is)
{
    struct pair p;
    pair_open(&p, KEY_A, KEY_A);
    shake_hands(&p, SIZE_MAX / 2);
    cr_assert(memcmp(seal_peer(p.initiator)->node_id, "responder-------", 16) == 0);
    cr_assert(memcmp(seal_peer(p.responder)->node_id, "initiator-------", 16) == 0);
    cr_assert_eq(seal_peer(p.initiator)->epoch, UINT64_C(0x123456789abcdef0));
    cr_assert_eq(seal_peer(p.responder)->epoch, 7);
    expect_passes(p.initiator, p.responder, SPAN("from the one who dialed"));
    expect_passes(p.responder, p.initiator, SPAN("from the one who was dialed"));
    expect_passes(p.responder, p.initiator, SPAN(""));
    pair_close(&p);
}

Test(seal, the_handshake_may_arrive_byte_by_byte)
{
    struct pair p;
    pair_open(&p, KEY_A, KEY_A);
    shake_hands(&p, 1);
    expect_passes(p.initiator, p.responder, SPAN("x"));
    pair_close(&p);
}

Test(seal, nodes_without_a_secret_agree_among_themselves_and_with_nobody_else)
{
    struct pair p;
    pair_open(&p, NULL, NULL);
    shake_hands(&p, SIZE_MAX / 2);
    pair_close(&p);
    pair_open(&p, NULL, KEY_A);
    cr_assert_eq(deliver(p.responder, &p.to_responder, &p.to_initiator, 1000), SEAL_FAILED);
    cr_assert_eq(p.to_initiator.len, 0);
    pair_close(&p);
    pair_open(&p, KEY_A, NULL);
    cr_assert_eq(deliver(p.responder, &p.to_responder, &p.to_initiator, 1000), SEAL_FAILED);
    pair_close(&p);
}

Test(seal, a_wrong_key_gets_no_answer)
{
    struct pair p;
    pair_open(&p, KEY_A_OTHER, KEY_A);
    cr_assert_eq(deliver(p.responder, &p.to_responder, &p.to_initiator, 1000), SEAL_FAILED);
    cr_assert_eq(p.to_initiator.len, 0);
    pair_close(&p);
}

Test(seal, a_key_is_rotated_while_both_are_accepted)
{
    struct pair p;
    pair_open(&p, KEY_B KEY_A, KEY_A KEY_B);
    shake_hands(&p, SIZE_MAX / 2);
    pair_close(&p);
}

Test(seal, noise_is_refused_at_its_first_wrong_byte)
{
    struct pair p;
    struct errmsg m;
    for (unsigned at = 0; at < 10; at++) {
        pair_open(&p, KEY_A, KEY_A);
        p.to_responder.p[at] = (char)(p.to_responder.p[at] ^ 1);
        struct cursor in = cursor_of(span_of(p.to_responder.p, at + 1));
        cr_assert_eq(seal_feed(p.responder, &in, &p.to_initiator, &m), SEAL_FAILED);
        cr_assert_eq(p.to_initiator.len, 0);
        pair_close(&p);
    }
}

Test(seal, a_redis_that_answers_with_an_error_is_recognised)
{
    struct pair p;
    struct errmsg m;
    pair_open(&p, KEY_A, KEY_A);
    cr_assert_eq((unsigned char)p.to_responder.p[0], SEAL_FIRST_BYTE);
    cr_assert(memchr(p.to_responder.p, '\r', 10) && p.to_responder.p[9] == '\n');
    struct cursor in = cursor_of(SPAN("-ERR unknown command"));
    cr_assert_eq(seal_feed(p.initiator, &in, &p.to_responder, &m), SEAL_FAILED);
    cr_assert(strstr(m.text, "Redis"));
    pair_close(&p);
}

Test(seal, no_bit_of_the_handshake_can_be_changed)
{
    const size_t sizes[] = {SEAL_HELLO_BYTES, SEAL_ANSWER_BYTES, SEAL_PROOF_BYTES};
    for (unsigned flight = 0; flight < 3; flight++)
        for (size_t at = 0; at < sizes[flight]; at++) {
            struct pair p;
            pair_open(&p, KEY_A, KEY_A);
            struct buf *hello = &p.to_responder, *answer = &p.to_initiator;
            enum seal_state last;
            if (flight == 0) hello->p[at] = (char)(hello->p[at] ^ 0x10);
            last = deliver(p.responder, hello, answer, 1000);
            if (flight > 0) {
                if (flight == 1) answer->p[at] = (char)(answer->p[at] ^ 0x10);
                last = deliver(p.initiator, answer, hello, 1000);
            }
            if (flight > 1) {
                hello->p[at] = (char)(hello->p[at] ^ 0x10);
                last = deliver(p.responder, hello, answer, 1000);
            }
            cr_expect_eq(last, SEAL_FAILED, "flight %u, byte %zu", flight, at);
            pair_close(&p);
        }
}

Test(seal, a_hello_that_is_played_again_opens_nothing)
{
    struct pair p;
    pair_open(&p, KEY_A, KEY_A);
    struct buf recorded = {0};
    buf_add_span(&recorded, buf_span(&p.to_responder));
    shake_hands(&p, SIZE_MAX / 2);

    struct seal *again = seal_respond(p.responder_keys, &p.responder_claim, &p.memory);
    struct cursor in = cursor_of(buf_span(&recorded));
    struct errmsg m;
    cr_assert_eq(seal_feed(again, &in, &p.to_initiator, &m), SEAL_FAILED);
    cr_assert_eq(p.to_initiator.len, 0, "the acceptor remembers it");
    seal_free(again);

    struct seal *forgetful = seal_respond(p.responder_keys, &p.responder_claim, NULL);
    in = cursor_of(buf_span(&recorded));
    cr_assert_eq(seal_feed(forgetful, &in, &p.to_initiator, &m), SEAL_GREETING);
    char noise[SEAL_PROOF_BYTES] = {0};
    in = cursor_of(span_of(noise, sizeof noise));
    cr_assert_eq(seal_feed(forgetful, &in, &p.to_initiator, &m), SEAL_FAILED, "and who cannot prove gets nothing");
    seal_free(forgetful);
    buf_free(&recorded);
    pair_close(&p);
}

Test(seal, an_answer_of_another_connection_is_refused)
{
    struct pair one, two;
    pair_open(&one, KEY_A, KEY_A);
    pair_open(&two, KEY_A, KEY_A);
    (void)deliver(one.responder, &one.to_responder, &one.to_initiator, 1000);
    cr_assert_eq(deliver(two.initiator, &one.to_initiator, &two.to_responder, 1000), SEAL_FAILED);
    pair_close(&one);
    pair_close(&two);
}

Test(seal, sealed_messages_cannot_be_changed_dropped_repeated_or_reordered)
{
    struct pair p;
    char to[16];
    struct buf first = {0}, second = {0};
    for (unsigned trick = 0; trick < 4; trick++) {
        pair_open(&p, KEY_A, KEY_A);
        shake_hands(&p, SIZE_MAX / 2);
        first.len = second.len = 0;
        seal_push(p.initiator, SPAN("ad"), SPAN("first"), &first);
        seal_push(p.initiator, SPAN("ad"), SPAN("second"), &second);
        if (trick == 0) cr_assert_not(seal_pull(p.responder, SPAN("ad"), buf_span(&second), to));
        if (trick == 1) cr_assert_not(seal_pull(p.responder, SPAN("xx"), buf_span(&first), to));
        if (trick == 2) first.p[3] = (char)(first.p[3] ^ 1);
        if (trick == 2) cr_assert_not(seal_pull(p.responder, SPAN("ad"), buf_span(&first), to));
        if (trick == 3) cr_assert(seal_pull(p.responder, SPAN("ad"), buf_span(&first), to));
        if (trick == 3) cr_assert_not(seal_pull(p.responder, SPAN("ad"), buf_span(&first), to));
        cr_assert_not(seal_pull(p.responder, SPAN("ad"), span_of("short", 5), to));
        pair_close(&p);
    }
    buf_free(&first);
    buf_free(&second);
}

Test(seal_keys, a_file_that_says_nonsense_is_refused_with_the_line)
{
    static const char *const refused[] = {
        "",
        "# only a comment\n",
        "relevo-cluster-key-v2 a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "relevo-cluster-key-v1 a AAAA\n",
        "relevo-cluster-key-v1 a\n",
        "relevo-cluster-key-v1  AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "relevo-cluster-key-v1 a/b AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "relevo-cluster-key-v1 aaaaaaaaaaaaaaaaa AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "relevo-cluster-key-v1 a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= more\n",
        "relevo-cluster-key-v1 a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
        KEY_A KEY_A_OTHER,
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct seal_keys *k = NULL;
        struct errmsg m = {0};
        cr_expect_eq(seal_keys_parse(span_str(refused[i]), &k, &m), ERR_INVALID, "%zu", i);
        cr_expect(m.text[0] && !k);
    }
}

Test(seal_keys, a_generated_key_is_private_and_can_be_loaded)
{
    char dir[] = "/tmp/relevo-seal-XXXXXX", path[64];
    cr_assert(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/key", dir);
    struct errmsg m;
    struct stat st;
    struct seal_keys *k;
    cr_assert_eq(seal_keygen(path, &m), ERR_OK);
    cr_assert_eq(seal_keygen(path, &m), ERR_EXISTS, "an existing key is never overwritten");
    cr_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    cr_assert_eq(seal_keys_load(path, &k, &m), ERR_OK, "%s", m.text);
    seal_keys_free(k);

    cr_assert_eq(chmod(path, 0640), 0);
    cr_assert_eq(seal_keys_load(path, &k, &m), ERR_DENIED);
    cr_assert(strstr(m.text, "chmod 600"));
    cr_assert_eq(seal_keys_load(dir, &k, &m), ERR_DENIED, "a directory is no secret file");
    (void)unlink(path);
    cr_assert_eq(seal_keys_load(path, &k, &m), ERR_MISSING);
    (void)rmdir(dir);
}
