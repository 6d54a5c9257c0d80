/* The rows of the commands that the engine executes, one array per family, each ended by COMMANDS_END. A family's
 * file defines its array; a new family is one line here and one in engine_add_commands(). */
#pragma once

#include "common/command.h"

extern const struct command string_commands[];
extern const struct command generic_commands[];
extern const struct command list_commands[];
extern const struct command set_commands[];
extern const struct command hash_commands[];
extern const struct command hash_expiry_commands[];
extern const struct command hash_together_commands[];
extern const struct command zset_commands[];
extern const struct command memory_commands[];
extern const struct command stream_commands[];
extern const struct command bitmap_commands[];
extern const struct command hyperloglog_commands[];
extern const struct command geo_commands[];
extern const struct command sort_commands[];
extern const struct command dump_commands[];
extern const struct command cache_commands[];
