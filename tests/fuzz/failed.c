#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/target.h"

_Noreturn void fuzz_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: required: %s\n", file, line, what);
    abort();
}
