#include "server/picture.h"

#include <criterion/criterion.h>

static struct buf text, other;

static void teardown(void)
{
    buf_free(&text);
    buf_free(&other);
}

TestSuite(picture, .fini = teardown);

Test(picture, has_full_lines_of_braille_for_every_seed)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        text.len = 0;
        picture_draw(seed * UINT64_C(0x9e3779b97f4a7c15), &text);
        cr_assert_eq(text.len, (3 * PICTURE_COLUMNS + 1) * PICTURE_ROWS);
        for (size_t i = 0; i < text.len; i++) {
            const size_t column = i % (3 * PICTURE_COLUMNS + 1);
            const uint8_t byte = (uint8_t)text.p[i];
            if (column == 3 * PICTURE_COLUMNS) cr_assert_eq(byte, '\n');
            else if (column % 3 == 0) cr_assert_eq(byte, 0xe2);
            else cr_assert(column % 3 == 1 ? byte >= 0xa0 && byte <= 0xa3 : byte >= 0x80 && byte <= 0xbf);
        }
    }
}

Test(picture, is_the_same_for_the_same_seed_and_another_for_another)
{
    picture_draw(7, &text);
    picture_draw(7, &other);
    cr_expect(span_eq(buf_span(&text), buf_span(&other)));
    other.len = 0;
    picture_draw(UINT64_C(0x123456789abc), &other);
    cr_expect(!span_eq(buf_span(&text), buf_span(&other)));
}
