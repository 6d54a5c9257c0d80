/* Arguments that nobody may read who looks on: passwords in AUTH, HELLO, CONFIG SET, ACL SETUSER, MIGRATE. Whoever shows a
 * request to others (the slow log, MONITOR, log lines) asks here. Pure. */
#pragma once

#include "common/command.h"

/* @argv[i] as others may see it: itself, or REDACTED. */
#define REDACTED SPAN("(redacted)")
struct span redact_argument(const struct command_entry *command, const struct span *argv, size_t i);
