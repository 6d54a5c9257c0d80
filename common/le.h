/* Little-endian integers at any address, as packed formats have them. */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t le_get_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return le16toh(v);
}

static inline uint32_t le_get_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32toh(v);
}

static inline uint64_t le_get_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

/* Write the lowest @bytes bytes of @v. */
static inline void le_put(void *to, unsigned bytes, uint64_t v)
{
    unsigned char *p = to;
    for (unsigned i = 0; i < bytes; i++, v >>= 8) p[i] = (unsigned char)v;
}
