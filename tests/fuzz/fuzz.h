/*
 * fuzz.h - what the harnesses share. Each of them is one LLVMFuzzerTestOneInput(): built with
 * --enable-fuzzing libFuzzer calls it with what it makes up; otherwise replay.c calls it with the
 * files of the corpus.
 *
 * A harness does not only wait for sanitizers to find something: fuzz_check() says what must hold
 * whatever the input is.
 */
#ifndef AW_FUZZ_H
#define AW_FUZZ_H

#include <stdio.h>

#include "proto/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, which makes the input a finding, unless `condition` holds. */
#define fuzz_check(condition, ...)                                                     \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: must hold: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                              \
            fputc('\n', stderr);                                                       \
            abort();                                                                   \
        }                                                                              \
    } while (0)

/* A walk over the input. Behind its end there are zeroes, and nothing. */
struct input {
    const uint8_t *p;
    size_t left;
};

static inline uint8_t input_byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

static inline unsigned input_u16(struct input *in)
{
    unsigned high = input_byte(in);

    return high << 8 | input_byte(in);
}

static inline struct bytes input_take(struct input *in, size_t len)
{
    struct bytes b = bytes_of(in->p, MIN(len, in->left));

    in->p += b.len;
    in->left -= b.len;
    return b;
}

/* Up to the next newline, which is dropped; a line of its own in the input. */
static inline struct bytes input_line(struct input *in)
{
    const uint8_t *end = in->left ? memchr(in->p, '\n', in->left) : NULL;
    struct bytes line = input_take(in, end ? (size_t)(end - in->p) : in->left);

    (void)input_byte(in);
    return line;
}

/*
 * A copy on the heap with nothing behind it, so that a sanitizer sees who reads too far. With
 * `terminated` there is a NUL, which is not counted in `len`.
 */
static inline void *fuzz_copy(struct bytes b, bool terminated)
{
    char *copy = malloc(b.len + terminated + (b.len == 0 && !terminated));

    fuzz_check(copy != NULL, "no memory");
    if (b.len)
        memcpy(copy, b.data, b.len);
    if (terminated)
        copy[b.len] = '\0';
    return copy;
}

#endif
