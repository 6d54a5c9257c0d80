/* Memory for everything that this project allocates: malloc() that does not fail.
 *
 * A data store that cannot allocate cannot keep its promises, so running out of memory ends the process with a
 * message, and lengths that come from outside are checked against a limit before they reach these functions. Any thread;
 * any pointer may be freed on any thread. */
#pragma once

#include <stddef.h>

/* @n bytes, uninitialised. @n may be 0. The caller owns them, and ends them by mem_free(). */
void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));

/* @count times @size bytes, zeroed; the product is checked. */
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* As realloc(). @p may be NULL. */
void *mem_realloc(void *p, size_t n) __attribute__((returns_nonnull));

/* A copy of the @n bytes at @p. */
void *mem_dup(const void *p, size_t n) __attribute__((returns_nonnull));

/* NULL is a no-op. */
void mem_free(void *p);

/* Bytes that the allocator really set aside for @p, its rounding included; 0 for NULL. */
size_t mem_size(const void *p);

#define MEM_NEW(type) ((type *)mem_zalloc(1, sizeof(type)))
