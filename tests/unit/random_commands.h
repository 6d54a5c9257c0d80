/* Random write commands over all types, for tests that compare data sets. */
#pragma once

#include "tests/unit/engine_fixture.h"
#include "tests/unit/rand.h"

enum { RANDOM_DATABASES = 3 };

/* Execute one command in one of RANDOM_DATABASES databases, on one of about @keys keys of each type; the clock may
 * move. */
void random_command(struct fixture *f, struct rand *r, unsigned keys);

/* The same, but only what Redis 7.0 can hold too: no field of a hash expires. */
void random_command_of_redis7(struct fixture *f, struct rand *r, unsigned keys);
