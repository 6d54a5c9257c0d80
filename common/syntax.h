/* The syntax strings of command rows, read into trees: the arity and the arguments in COMMAND DOCS come out of them.
 *
 *     sequence = alternative { "|" alternative }
 *     alternative = { item }
 *     item = [ name "=" ] ( word | "[" sequence "]" | "{" sequence "}" ) [ "@" version ] [ "@-" version ] [ "+" | "*" ]
 *     word = text [ "(" [ type ] [ "#" number ] ")" ]
 *
 * A word that begins with a lower-case letter is a value, any other a literal. What stands in "[]" may be absent; "+"
 * repeats. A literal before a value is the value's token ("EX seconds"); one that opens a group of several is the group's
 * ("[LIMIT offset count]"). A group with a name stays a group, were it of one item.
 *
 * The rest says what Redis's COMMAND DOCS tell and clients use: the name of a literal or of a group ("condition=[NX|XX]"),
 * the type of a value where it does not follow from its name ("start(integer)"), which of the command's key specifications
 * finds it ("#1"), the versions that brought it and that advise against it ("[GET]@6.2.0"). With "*" something repeats that
 * may also be absent, which Redis's COMMAND DOCS keep to themselves. */
#pragma once

#include "common/buf.h"
#include "common/span.h"

enum syntax_kind {
    SYNTAX_VALUE,   /* something of the client's own */
    SYNTAX_LITERAL, /* a word that stands for itself */
    SYNTAX_ONEOF,
    SYNTAX_BLOCK, /* several, in this order */
};

struct syntax {
    enum syntax_kind kind;
    struct span text;                          /* of a value or literal; borrowed from the syntax string */
    struct span token;                         /* the literal in front of it; p is NULL: none */
    struct span name, type, since, deprecated; /* as the string gives them; p is NULL: it does not */
    int key_spec;                              /* index of its key specification; -1: not given */
    bool optional, repeated;
    bool may_lack;       /* repeated by "*" */
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

/* The string without its annotations, as people write syntax: "key [NX|XX] {score member}+". */
void syntax_plain(const char *text, struct buf *to);
