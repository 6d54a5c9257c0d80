/* Handlers of BITFIELD and BITFIELD_RO; the rows stand in bitmaps.c. */
#pragma once

struct call;

void bitfield_run(struct call *c);
void bitfield_run_readonly(struct call *c);
