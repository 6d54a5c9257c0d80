#include "server/redact.h"

#include "server/config.h"

/* Does a word stand @back arguments before, not before argument @from? */
static bool follows(const struct span *argv, size_t i, size_t from, size_t back, const char *word)
{
    return i >= from + back && span_is(argv[i - back], word);
}

static bool hides_auth(const struct span *argv, size_t i)
{
    (void)argv;
    return i >= 1;
}

static bool hides_hello(const struct span *argv, size_t i)
{
    return follows(argv, i, 2, 1, "auth") || follows(argv, i, 2, 2, "auth");
}

/* The values of secret settings. */
static bool hides_config(const struct span *argv, size_t i)
{
    enum setting id;
    return i >= 3 && i % 2 && config_find(argv[i - 1], &id) && config_row(id)->flags & SETTING_SECRET;
}

static bool hides_user(const struct span *argv, size_t i)
{
    (void)argv;
    return i >= 2;
}

/* Its options begin behind host, port, key, database and timeout. */
static bool hides_migrate(const struct span *argv, size_t i)
{
    return follows(argv, i, 6, 1, "auth") || follows(argv, i, 6, 1, "auth2") || follows(argv, i, 6, 2, "auth2");
}

struct span redact_argument(const struct command_entry *command, const struct span *argv, size_t i)
{
    static const struct {
        const char *command;
        bool (*hides)(const struct span *argv, size_t i);
    } rules[] = {
        {"auth", hides_auth},        {"hello", hides_hello},     {"config|set", hides_config},
        {"acl|setuser", hides_user}, {"migrate", hides_migrate},
    };
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        if (strcmp(command->name, rules[r].command) == 0 && rules[r].hides(argv, i)) return REDACTED;
    return argv[i];
}
