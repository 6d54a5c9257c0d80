#include "common/types/btree_leaf.h"

#include "common/mem.h"

enum { TAG_MAX = 0xffff, TAGS_WORTH_A_REFIT = 1024 };

struct leaf *leaf_new(unsigned room)
{
    struct leaf *l = mem_alloc(leaf_size(room));
    *l = (struct leaf){.room = (uint16_t)room};
    return l;
}

static uint64_t slot_of(const struct leaf *l, uint64_t key, const struct zitem *item)
{
    const uint64_t tag = (key - l->base) >> l->shift;
    assert(key >= l->base && tag <= TAG_MAX && (uintptr_t)item >> 48 == 0);
    return tag << 48 | (uint64_t)(uintptr_t)item;
}

/* First slot in [from, to) that is not below @bound, as plain numbers: the tag decides. */
static unsigned first_not_below(const struct leaf *l, unsigned from, unsigned to, uint64_t bound)
{
    while (from < to) {
        const unsigned middle = (from + to) / 2;
        if (l->slots[middle] < bound) from = middle + 1;
        else to = middle;
    }
    return from;
}

/* Find the slots [*from, *to) among which the items themselves must be asked. */
static void narrow_by_tag(const struct leaf *l, uint64_t key, unsigned *from, unsigned *to)
{
    *from = 0;
    *to = l->n;
    if (l->n == 0) return;
    if (key < l->base) {
        *to = 0;
        return;
    }
    const uint64_t tag = (key - l->base) >> l->shift;
    if (tag > slot_tag(l->slots[l->n - 1])) {
        *from = l->n;
        return;
    }
    *from = first_not_below(l, 0, l->n, tag << 48);
    /* Runs of equal tags are short but for equal scores, so look at the neighbours before searching for the end. */
    unsigned end = *from;
    while (end < l->n && end - *from < 4 && slot_tag(l->slots[end]) == tag) end++;
    if (end - *from == 4 && tag < TAG_MAX) end = first_not_below(l, end, l->n, (tag + 1) << 48);
    if (end - *from == 4 && tag == TAG_MAX) end = l->n;
    *to = end;
}

unsigned leaf_find(const struct leaf *l, const struct probe *p)
{
    unsigned from = 0, to = l->n;
    if (!p->any_key) narrow_by_tag(l, p->key, &from, &to);
    while (from < to) {
        const unsigned middle = (from + to) / 2;
        const struct zitem *item = slot_item(l->slots[middle]);
        if (probe_order(p, key_of(item->score), item) < 0) from = middle + 1;
        else to = middle;
    }
    return from;
}

/* Choose base and shift anew from the items' own scores. */
static void refit(struct leaf *l)
{
    if (l->n == 0) return;
    for (unsigned i = 0; i < l->n; i++) __builtin_prefetch(slot_item(l->slots[i]));
    l->base = key_of(slot_item(l->slots[0])->score);
    l->shift = 0;
    const uint64_t range = key_of(slot_item(l->slots[l->n - 1])->score) - l->base;
    while (range >> l->shift > TAG_MAX) l->shift++;
    for (unsigned i = 0; i < l->n; i++) {
        const struct zitem *item = slot_item(l->slots[i]);
        l->slots[i] = slot_of(l, key_of(item->score), item);
    }
}

static void refit_if_coarse(struct leaf *l)
{
    if (l->n == 0 || l->shift == 0) return;
    if (slot_tag(l->slots[l->n - 1]) - slot_tag(l->slots[0]) < TAGS_WORTH_A_REFIT) refit(l);
}

static void retag(struct leaf *l, unsigned right_shift, uint64_t add)
{
    const uint64_t pointer = (UINT64_C(1) << 48) - 1;
    for (unsigned i = 0; i < l->n; i++) {
        const uint64_t tag = (slot_tag(l->slots[i]) >> right_shift) + add;
        assert(tag <= TAG_MAX);
        l->slots[i] = tag << 48 | (l->slots[i] & pointer);
    }
}

/* Widen the leaf's range so that @key has a tag. Downwards all the room that the tags have left is taken, so that
 * descending keys seldom come here; upwards the shift doubles the range anyway. */
static void widen(struct leaf *l, uint64_t key)
{
    if (l->n == 0) {
        l->base = key;
        l->shift = 0;
        return;
    }
    unsigned wider = 0;
    if (key >= l->base) {
        while ((key - l->base) >> (l->shift + wider) > TAG_MAX) wider++;
        l->shift = (uint8_t)(l->shift + wider);
        if (wider) retag(l, wider, 0);
        return;
    }
    const uint64_t highest = slot_tag(l->slots[l->n - 1]);
    for (;; wider++) {
        const unsigned shift = l->shift + wider;
        const uint64_t spare = TAG_MAX - (highest >> wider), below = l->base >> shift;
        const uint64_t steps = spare < below ? spare : below;
        if (l->base - (steps << shift) > key) continue;
        l->base -= steps << shift;
        l->shift = (uint8_t)shift;
        retag(l, wider, steps);
        return;
    }
}

void leaf_put(struct leaf *l, unsigned at, struct zitem *item)
{
    assert(l->n < l->room && at <= l->n);
    const uint64_t key = key_of(item->score);
    if (l->n == 0 || key < l->base || (key - l->base) >> l->shift > TAG_MAX) widen(l, key);
    memmove(l->slots + at + 1, l->slots + at, (l->n - at) * sizeof *l->slots);
    l->slots[at] = slot_of(l, key, item);
    l->n++;
}

void leaf_cut(struct leaf *l, unsigned at)
{
    assert(at < l->n);
    l->n--;
    memmove(l->slots + at, l->slots + at + 1, (l->n - at) * sizeof *l->slots);
}

void leaf_touch(struct leaf *l, unsigned at)
{
    struct zitem *item = slot_item(l->slots[at]);
    leaf_cut(l, at);
    leaf_put(l, at, item);
}

void leaf_split(struct leaf *l, unsigned from, struct leaf *to)
{
    assert(from <= l->n && to->n == 0 && to->room >= l->n - from);
    to->base = l->base;
    to->shift = l->shift;
    to->n = (uint16_t)(l->n - from);
    memcpy(to->slots, l->slots + from, to->n * sizeof *l->slots);
    l->n = (uint16_t)from;
    refit_if_coarse(l);
    refit_if_coarse(to);
}

void leaf_merge(struct leaf *l, const struct leaf *right)
{
    assert(l->n + right->n <= l->room);
    memcpy(l->slots + l->n, right->slots, right->n * sizeof *l->slots);
    l->n = (uint16_t)(l->n + right->n);
    refit(l);
}

void leaf_check(const struct leaf *l)
{
    assert(l->n <= l->room && l->room <= LEAF_SLOTS && l->shift <= 48);
    for (unsigned i = 0; i < l->n; i++) {
        const struct zitem *item = slot_item(l->slots[i]);
        assert(item->score == item->score);
        assert(slot_of(l, key_of(item->score), item) == l->slots[i]);
        if (i == 0) continue;
        const struct zitem *before = slot_item(l->slots[i - 1]);
        assert(before->score <= item->score);
        assert(before->score < item->score || span_cmp(zitem_member(before), zitem_member(item)) < 0);
        assert(slot_tag(l->slots[i - 1]) <= slot_tag(l->slots[i]));
    }
}
