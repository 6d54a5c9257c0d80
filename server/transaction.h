/* MULTI .. EXEC of one client: requests that were checked and wait, to be executed in one go.
 *
 *     none --MULTI--> open --EXEC--> none       all executed, one batch of the log; or nothing, if a watched key changed
 *                     open --DISCARD--> none
 *                     open --a request is refused--> broken --EXEC--> none    nothing executed
 *
 * Main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct client;
struct command_entry;
struct request;
struct transaction;

/* MULTI. */
void transaction_begin(struct client *c);
/* Forget the transaction and the watches of @c, if there are any. */
void transaction_discard(struct client *c);
void transaction_free(struct transaction *t); /* NULL is a no-op */

/* Queue a request. False: it is more than the client may send ahead, and the client was closed. */
bool transaction_queue(struct client *c, const struct command_entry *e, const struct request *r);
/* A request was refused instead: EXEC will do nothing. No-op outside of MULTI. */
void transaction_break(struct client *c);

/* Flags of all that is queued, together (enum command_flag); 0 outside of MULTI. */
uint32_t transaction_flags(const struct client *c);
size_t transaction_length(const struct client *c);
size_t transaction_bytes(const struct client *c); /* memory that it takes */

/* EXEC: execute all and reply. The caller is dispatch(). */
void transaction_execute(struct call *call);
