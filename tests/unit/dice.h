/*
 * dice.h - random numbers that come again with the same seed.
 */
#ifndef AW_DICE_H
#define AW_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t seed;
};

/* 0 to n - 1. splitmix64: https://prng.di.unimi.it/splitmix64.c */
static inline size_t dice_roll(struct dice *dice, size_t n)
{
    uint64_t z = dice->seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((z ^ (z >> 31)) % n);
}

/* True once in n times. */
static inline bool dice_once_in(struct dice *dice, size_t n)
{
    return dice_roll(dice, n) == 0;
}

#endif
