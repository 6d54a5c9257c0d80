/* The syntax strings of command rows, read into trees: the arity and the arguments in COMMAND DOCS come out of them.
 *
 *     sequence = alternative { "|" alternative }
 *     alternative = { item }
 *     item = ( word | "[" sequence "]" | "{" sequence "}" ) [ "+" ]
 *
 * A word that begins with a lower-case letter is a value, any other a literal. What stands in "[]" may be absent. A
 * literal before a value is the value's token ("EX seconds"); one that opens a group of several is the group's
 * ("[LIMIT offset count]"). */
#pragma once

#include "common/span.h"

enum syntax_kind {
    SYNTAX_VALUE,   /* something of the client's own */
    SYNTAX_LITERAL, /* a word that stands for itself */
    SYNTAX_ONEOF,
    SYNTAX_BLOCK, /* several, in this order */
};

struct syntax {
    enum syntax_kind kind;
    struct span text;  /* of a value or literal; borrowed from the syntax string */
    struct span token; /* the literal in front of it; p is NULL: none */
    bool optional, repeated;
    bool token_repeated; /* if it is repeated, with its token each time */
    struct syntax *first, *next;
};

/* The string as a list of arguments (siblings by `next`); NULL if it is empty. It is ours, so it is well formed: that
 * is asserted. The caller frees the list. */
struct syntax *syntax_parse(const char *text);
void syntax_free(struct syntax *list);

/* The least number of arguments of a list, and whether there may be more. */
struct syntax_size {
    unsigned least;
    bool more;
};
struct syntax_size syntax_measure(const struct syntax *list);
