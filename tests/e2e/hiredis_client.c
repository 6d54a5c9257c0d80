/* A client built on hiredis: single commands, a pipeline, binary values, an error. Exits with 0 if all is as it should
 * be; the server's port is the one argument. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int fine, const char *what)
{
    if (fine) return;
    fprintf(stderr, "hiredis_client: %s\n", what);
    exit(1);
}

static redisReply *run(redisContext *c, const char *format, const void *a, size_t a_length)
{
    redisReply *r = redisCommand(c, format, a, a_length);
    check(r != NULL, c->errstr);
    return r;
}

int main(int argc, char **argv)
{
    enum { PIPELINE = 10000 };
    static const char binary[] = "\x00\r\n\xff$5\r\n";

    check(argc == 2, "usage: hiredis_client PORT");
    redisContext *c = redisConnect("127.0.0.1", atoi(argv[1]));
    check(c && !c->err, "cannot connect");

    redisReply *r = run(c, "SET binary %b", binary, sizeof binary);
    check(r->type == REDIS_REPLY_STATUS && !strcmp(r->str, "OK"), "SET");
    freeReplyObject(r);
    r = run(c, "GET binary", NULL, 0);
    check(r->type == REDIS_REPLY_STRING && r->len == sizeof binary && !memcmp(r->str, binary, r->len), "GET");
    freeReplyObject(r);

    for (int i = 0; i < PIPELINE; i++) check(redisAppendCommand(c, "RPUSH list %d", i) == REDIS_OK, "append");
    for (int i = 0; i < PIPELINE; i++) {
        void *reply = NULL;
        check(redisGetReply(c, &reply) == REDIS_OK, "pipeline");
        r = reply;
        check(r->type == REDIS_REPLY_INTEGER && r->integer == i + 1, "RPUSH");
        freeReplyObject(r);
    }
    r = run(c, "LRANGE list 0 -1", NULL, 0);
    check(r->type == REDIS_REPLY_ARRAY && r->elements == PIPELINE, "LRANGE");
    check(atoi(r->element[PIPELINE - 1]->str) == PIPELINE - 1, "last element");
    freeReplyObject(r);
    r = run(c, "INCR list", NULL, 0);
    check(r->type == REDIS_REPLY_ERROR && !strncmp(r->str, "WRONGTYPE", 9), "WRONGTYPE");
    freeReplyObject(r);
    r = run(c, "GET nothing", NULL, 0);
    check(r->type == REDIS_REPLY_NIL, "nil");
    freeReplyObject(r);
    redisFree(c);
    return 0;
}
