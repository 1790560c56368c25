#include "client/awctl/awctl.h"

#define MAX_WORD 32

/*
 * Damerau-Levenshtein distance (optimal string alignment): how many letters were left out, added,
 * replaced, or swapped with their neighbour. Words of up to MAX_WORD letters.
 */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t d[MAX_WORD + 1][MAX_WORD + 1];

    for (size_t i = 0; i <= la; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= la; i++)
        for (size_t j = 1; j <= lb; j++) {
            size_t replace = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            d[i][j] = MIN(replace, MIN(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[la][lb];
}

const char *suggest(const char *word, const char *const *names, size_t n)
{
    size_t len = strlen(word), best = len / 3 + 2; /* more mistakes than that: another word */
    const char *found = NULL;

    if (len == 0 || len > MAX_WORD)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = strlen(names[i]) > MAX_WORD ? best : distance(word, names[i]);

        if (d < best) {
            best = d;
            found = names[i];
        }
    }
    return found;
}
