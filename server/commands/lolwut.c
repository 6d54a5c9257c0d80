#include <sodium.h>

#include "server/client.h"
#include "server/commands/commands.h"
#include "server/picture.h"
#include "server/server.h"

/* LOLWUT [VERSION version ...]: every version shows the one picture that there is; what stands behind is for others. */
void lolwut_command(struct call *c)
{
    int64_t version;
    uint64_t seed;
    struct buf text = {0};
    if (c->argc >= 3 && span_is(c->argv[1], "version") && !call_int(c, c->argv[2], &version)) return;
    randombytes_buf(&seed, sizeof seed);
    picture_draw(seed, &text);
    buf_printf(&text, "\nFrom hand to hand, and nothing is lost. Relevo ver. %s\n", RELEVO_VERSION);
    reply_verbatim(c->reply, "txt", buf_span(&text));
    buf_free(&text);
}
