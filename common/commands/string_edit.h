/* Handlers of the commands that change a string in place, or take it for a number. Their rows are in strings.c. */
#pragma once

struct call;

void string_append(struct call *c);
void string_setrange(struct call *c);
void string_getrange(struct call *c);
void string_incr(struct call *c);
void string_decr(struct call *c);
void string_incrby(struct call *c);
void string_decrby(struct call *c);
void string_incrbyfloat(struct call *c);
