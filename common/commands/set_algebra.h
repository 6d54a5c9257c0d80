/* Handlers of SINTER, SUNION, SDIFF and their relatives; the rows stand in sets.c. */
#pragma once

struct call;

void set_inter(struct call *c);
void set_inter_card(struct call *c);
void set_inter_store(struct call *c);
void set_union(struct call *c);
void set_union_store(struct call *c);
void set_diff(struct call *c);
void set_diff_store(struct call *c);
