/* One fuzz target: the function that libFuzzer calls, and what it needs of bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Feed one input. Aborts (assert, sanitizer) if the code under test misbehaves; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the name says that the code under test is judged, not the target. */
#define REQUIRE(what)                                        \
    do {                                                     \
        if (!(what)) fuzz_failed(#what, __FILE__, __LINE__); \
    } while (0)

_Noreturn void fuzz_failed(const char *what, const char *file, int line);
