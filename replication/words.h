/* Lines of words, as manifests have them: separated by blanks, in double quotes where a name needs it. Pure. */
#pragma once

#include "common/buf.h"

enum { WORDS_MAX = 64 };

struct words {
    struct span word[WORDS_MAX]; /* point into `text`: valid until the next words_split() */
    size_t count;
    struct buf text;
};

/* Split one line: "..." with \n \r \t \a \b \xHH \" \\, or plain words. False: unbalanced quotes or too many words. */
bool words_split(struct words *w, struct span line);
void words_free(struct words *w);

/* Append @s as one word, quoted if it must be. */
void words_add(struct buf *out, struct span s);
/* The same, always in quotes, as redis-cli shows a string. */
void words_quote(struct buf *out, struct span s);
