/* Lines of INFO whose subject does not exist here: monitors expect them, and what they say is the truth. */
#pragma once

#include "common/buf.h"

/* Append those of a section, by its name in lower case; most have some. */
void info_absent(const char *section, struct buf *to);
