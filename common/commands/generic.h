/* Handlers of the commands on keys of any type. Their rows are in keys.c. */
#pragma once

#include "common/call.h"

/* expire.c */
void key_expire(struct call *c);
void key_pexpire(struct call *c);
void key_expireat(struct call *c);
void key_pexpireat(struct call *c);
void key_ttl(struct call *c);
void key_pttl(struct call *c);
void key_expiretime(struct call *c);
void key_pexpiretime(struct call *c);
void key_persist(struct call *c);

/* keyspace.c */
/* The number of a database as an argument. False: the error was replied. */
MUST_USE bool keyspace_take_database(struct call *c, struct span s, unsigned *db);

void keyspace_select(struct call *c);
void keyspace_dbsize(struct call *c);
void keyspace_flushdb(struct call *c);
void keyspace_flushall(struct call *c);
void keyspace_swapdb(struct call *c);
void keyspace_keys(struct call *c);
void keyspace_scan(struct call *c);
void keyspace_randomkey(struct call *c);
