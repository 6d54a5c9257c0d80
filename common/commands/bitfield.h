/* Handlers of BITFIELD and BITFIELD_RO; the rows stand in bitmaps.c. */
#pragma once

#include "common/command.h"

struct call;

void bitfield_run(struct call *c);
void bitfield_run_readonly(struct call *c);
/* What BITFIELD does with its key: with nothing but GETs it only reads. */
uint16_t bitfield_key_flags(const struct span *argv, size_t argc);
