/* What this program says it is. RELEVO_VERSION comes from the build. */
#pragma once

/* The version of Redis whose commands and replies a client may count on: clients choose features by it. */
#define REDIS_VERSION "7.2.4"
