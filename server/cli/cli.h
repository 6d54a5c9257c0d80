/* The subcommands of the program. Each takes the arguments behind its name and returns the exit code. */
#pragma once

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

int cli_server(int argc, char **argv);
int cli_promote(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_keygen(int argc, char **argv);

/* True if --help stands among the arguments: @text was printed. */
_Bool cli_wants_help(int argc, char **argv, const char *text);

/* "relevo: <message>" on stderr. Both return the exit code. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_misuse(const char *text); /* prints the usage @text */
