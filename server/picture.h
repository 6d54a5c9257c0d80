/* What LOLWUT shows: two runners at the hand-over of the baton, on the lanes of a track, in braille dots. Each picture is of
 * another moment, and of other runners. Pure. */
#pragma once

#include <stdint.h>

#include "common/buf.h"

enum { PICTURE_COLUMNS = 64, PICTURE_ROWS = 12 };

/* The same @seed gives the same picture: PICTURE_ROWS lines of PICTURE_COLUMNS characters. */
void picture_draw(uint64_t seed, struct buf *to);
