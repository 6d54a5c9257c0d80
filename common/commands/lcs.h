/* The handler of LCS; its row stands in strings.c. */
#pragma once

struct call;

void string_lcs(struct call *c);
