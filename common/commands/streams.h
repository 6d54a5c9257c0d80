/* What the files of the stream commands share, and their handlers. The rows are in streams.c. */
#pragma once

#include "common/call.h"
#include "common/types/stream.h"

enum { STREAM_ID_TEXT = 2 * NUM_I64_MAX_TEXT + 1 };

/* stream_args.c: IDs and what else the commands take and answer. */

/* "ms" (the other part is @seq then) or "ms-seq", no sign. */
bool stream_parse_id(struct span s, uint64_t seq, struct stream_id *id);
/* The same; "ms-*" too if @auto_seq is not NULL, and says so there. False: the error was replied. */
MUST_USE bool stream_take_id(struct call *c, struct span s, uint64_t seq, struct stream_id *id, bool *auto_seq);
/* The same with "-" and "+". */
MUST_USE bool stream_take_any_id(struct call *c, struct span s, uint64_t seq, struct stream_id *id);
/* One end of a range: "-", "+", or an ID, with "(" outside the range. */
MUST_USE bool stream_take_start(struct call *c, struct span s, struct stream_id *id);
MUST_USE bool stream_take_end(struct call *c, struct span s, struct stream_id *id);

struct span stream_id_text(struct stream_id id, char text[STREAM_ID_TEXT]);
void stream_reply_id(struct reply *r, struct stream_id id);
/* The entry that the iterator just gave, as [id, [field, value, ...]]. */
void stream_reply_entry(struct reply *r, struct stream_iter *i, struct stream_id id, uint64_t fields);
/* One entry by its ID; false (nothing was replied) if it is not there. */
bool stream_reply_one(struct reply *r, const struct stream *s, struct stream_id id);

/* The stream at a key; *s is NULL if there is none. False: the error was replied. */
MUST_USE bool stream_find(struct call *c, struct span key, enum intent intent, struct stream **s);
/* Stream and group, or the error that there are none. */
MUST_USE bool stream_find_group(struct call *c, struct span key, struct span name, enum intent intent,
                                struct stream **s, struct stream_group **g);

/* Effects of giving entries to consumers: what a consumer has pending, and how far the group has read. */
void stream_effect_claim(struct call *c, struct span key, const struct stream_group *g, struct stream_id id,
                         const struct stream_pending *p);
void stream_effect_group(struct call *c, struct span key, const struct stream_group *g);
void stream_effect_consumer(struct call *c, struct span key, const struct stream_group *g, struct span name);

/* What XADD and XTRIM take before the ID or at all. */
struct stream_trim_args {
    bool given, approximate, create, id_given;
    struct stream_trim trim;
};
/* From argv[@at] on; for XADD (*@id_at is not NULL) up to the ID, whose index goes there. */
MUST_USE bool stream_take_trim(struct call *c, size_t at, size_t *id_at, struct stream_trim_args *a);

/* stream_read.c */
void stream_xread(struct call *c);
void stream_xreadgroup(struct call *c);

/* stream_group.c */
extern const struct command stream_group_commands[];
void stream_xack(struct call *c);
void stream_xpending(struct call *c);

/* stream_claim.c */
void stream_xclaim(struct call *c);
void stream_xautoclaim(struct call *c);

/* stream_info.c */
extern const struct command stream_info_commands[];
