/* The open batch: effects of the commands of this turn, on their way into the log. */
#pragma once

#include "common/engine.h"

struct server;

struct journal {
    struct buf batch;
    struct effects effects;
};

void journal_init(struct server *s);
void journal_free(struct server *s);

/* End of a turn: the batch is closed, if there is anything in it. */
void journal_close_batch(struct server *s);
