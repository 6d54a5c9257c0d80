#include "server/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Bool cli_wants_help(int argc, char **argv, const char *text)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(text, stdout);
            return 1;
        }
    return 0;
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("relevo: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return CLI_FAILED;
}

int cli_misuse(const char *text)
{
    (void)fputs(text, stderr);
    return CLI_USAGE;
}
