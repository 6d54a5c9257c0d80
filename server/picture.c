#include "server/picture.h"

#include <math.h>

/* A braille character is a cell of 2 x 4 dots; U+2800 and a bit for each dot. */
enum { WIDTH = 2 * PICTURE_COLUMNS, HEIGHT = 4 * PICTURE_ROWS, GROUND = HEIGHT - 7 };

struct canvas {
    uint8_t dots[HEIGHT][WIDTH];
};

struct point {
    double x, y;
};

static void dot(struct canvas *c, double x, double y)
{
    const int column = (int)lround(x), row = (int)lround(y);
    if (column >= 0 && column < WIDTH && row >= 0 && row < HEIGHT) c->dots[row][column] = 1;
}

static void line(struct canvas *c, struct point a, struct point b)
{
    const double longer = fmax(fabs(b.x - a.x), fabs(b.y - a.y));
    const int steps = (int)ceil(longer) + 1;
    for (int i = 0; i <= steps; i++) dot(c, a.x + (b.x - a.x) * i / steps, a.y + (b.y - a.y) * i / steps);
}

static void disc(struct canvas *c, struct point at, double radius)
{
    for (double y = -radius; y <= radius; y++)
        for (double x = -radius; x <= radius; x++)
            if (x * x + y * y <= radius * radius + 0.5) dot(c, at.x + x, at.y + y);
}

/* From @from, @length dots away at an angle from straight down, forwards positive. */
static struct point limb(struct point from, double degrees, double length)
{
    const double r = degrees * 3.14159265358979 / 180;
    return (struct point){from.x + sin(r) * length, from.y + cos(r) * length};
}

/* An arm or a leg of two parts. Returns its end. */
static struct point bent(struct canvas *c, struct point from, double upper, double lower, double length)
{
    const struct point joint = limb(from, upper, length), end = limb(joint, lower, length);
    line(c, from, joint);
    line(c, joint, end);
    return end;
}

struct runner {
    double x, size, phase; /* phase: of the stride, 0 .. 2 pi */
    double lean;           /* degrees */
    double reach;          /* angle of the arm that gives or takes */
};

/* Returns the hand that gives or takes. */
static struct point draw_runner(struct canvas *c, const struct runner *r)
{
    const double leg = r->size * 0.26, arm = r->size * 0.17, swing = sin(r->phase);
    const struct point hip = {r->x, GROUND - 2 * leg * 0.93}, shoulder = limb(hip, 180 - r->lean, r->size * 0.32),
                       head = limb(shoulder, 180 - r->lean / 2, r->size * 0.15);
    line(c, hip, shoulder);
    disc(c, head, r->size * 0.075);
    (void)bent(c, hip, 45 * swing, 45 * swing - 20 - 25 * (1 - swing), leg);
    (void)bent(c, hip, -45 * swing, -45 * swing - 20 - 25 * (1 + swing), leg);
    (void)bent(c, shoulder, -50 * swing, -50 * swing + 80, arm);
    return bent(c, shoulder, r->reach, r->reach + (r->reach > 0 ? 12 : -12), arm);
}

/* Lanes that come together far behind the runners, and the marks of the zone. */
static void draw_track(struct canvas *c, double shift)
{
    for (int lane = 0; lane < 3; lane++)
        for (int x = 0; x < WIDTH; x++)
            if (lane || x % 2) dot(c, x, GROUND + 1 + lane * 2.5);
    for (double x = fmod(shift, 16); x < WIDTH; x += 16)
        line(c, (struct point){x, GROUND + 2}, (struct point){x - 3, GROUND + 6});
}

static void put_cell(const struct canvas *c, int row, int column, struct buf *to)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    unsigned cell = 0;
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 2; x++)
            if (c->dots[row * 4 + y][column * 2 + x]) cell |= bits[y][x];
    const char text[3] = {(char)0xe2, (char)(0xa0 | cell >> 6), (char)(0x80 | (cell & 0x3f))};
    buf_add(to, text, sizeof text);
}

/* A number in [0, 1) out of bits of the seed. */
static double part(uint64_t seed, unsigned which) { return (double)(seed >> 8 * which & 0xff) / 256; }

void picture_draw(uint64_t seed, struct buf *to)
{
    struct canvas c = {{{0}}};
    const double middle = WIDTH / 2.0 + 8 * (part(seed, 0) - 0.5);
    const struct runner giver = {middle - 17, 36 + 3 * part(seed, 1), 6.28 * part(seed, 2), 14, 78},
                        taker = {middle + 15, 36 + 3 * part(seed, 3), 6.28 * part(seed, 4), 18, -66};
    draw_track(&c, 16 * part(seed, 5));
    const struct point from = draw_runner(&c, &giver), into = draw_runner(&c, &taker);
    line(&c, from, into); /* the baton is in both hands */
    line(&c, (struct point){from.x, from.y - 1}, (struct point){into.x, into.y - 1});
    for (int row = 0; row < PICTURE_ROWS; row++) {
        for (int column = 0; column < PICTURE_COLUMNS; column++) put_cell(&c, row, column, to);
        buf_add_char(to, '\n');
    }
}
