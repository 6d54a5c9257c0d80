/* Syntax strings of command rows.
 *
 *     sequence = alternative { "|" alternative }
 *     alternative = { item }
 *     item = ( word | "[" sequence "]" | "{" sequence "}" ) [ "+" ]
 *
 * A word that begins with a lower-case letter is a value, any other a literal. */
#include "common/command.h"

#include <assert.h>

static const char *skip_spaces(const char *at)
{
    while (*at == ' ') at++;
    return at;
}

static struct syntax_size measure_sequence(const char **at);

/* One item: a word or a group, repeated perhaps. */
static struct syntax_size measure_item(const char **at)
{
    struct syntax_size size = {1, false};
    if (**at == '[' || **at == '{') {
        const bool optional = **at == '[';
        (*at)++;
        size = measure_sequence(at);
        assert(**at == (optional ? ']' : '}'));
        (*at)++;
        if (optional) size = (struct syntax_size){0, true};
    } else {
        assert(**at && !strchr("]}|+", **at));
        while (**at && !strchr(" []{}|+", **at)) (*at)++;
    }
    if (**at == '+') {
        size.more = true;
        (*at)++;
    }
    return size;
}

static struct syntax_size measure_alternative(const char **at)
{
    struct syntax_size sum = {0, false};
    for (*at = skip_spaces(*at); **at && !strchr("]}|", **at); *at = skip_spaces(*at)) {
        const struct syntax_size item = measure_item(at);
        sum.least += item.least;
        sum.more |= item.more;
    }
    return sum;
}

static struct syntax_size measure_sequence(const char **at)
{
    struct syntax_size size = measure_alternative(at);
    while (**at == '|') {
        (*at)++;
        const struct syntax_size other = measure_alternative(at);
        size.more |= other.more || other.least != size.least;
        if (other.least < size.least) size.least = other.least;
    }
    return size;
}

struct syntax_size syntax_measure(const char *syntax)
{
    const char *at = syntax;
    const struct syntax_size size = measure_sequence(&at);
    assert(*at == '\0');
    return size;
}
