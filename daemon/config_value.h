/*
 * config_value.h - one value of the configuration, by its kind. Part of config.c.
 */
#ifndef AW_CONFIG_VALUE_H
#define AW_CONFIG_VALUE_H

#include "daemon/config.h"

enum config_kind {
    CONFIG_INT,
    CONFIG_SLOTS,
    CONFIG_MODE,
    CONFIG_DURATION,
    CONFIG_SIZE,
    CONFIG_BOOL,
    CONFIG_SWITCH,
    CONFIG_LEVEL,
    CONFIG_NAME,
    CONFIG_PATH,
    CONFIG_LIST,
};

/* A line of CONFIG_MAP. */
struct config_key {
    const char *name;
    const char *def;
    const char *argument;
    const char *text;
    int64_t min, max;
    size_t offset;
    enum config_kind kind;
    bool reload;
};

/* All keys, in the table's order. */
extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* NULL: no such key. Dashes count as underscores. */
const struct config_key *config_key_find(const char *name, size_t len);

/* The key that was perhaps meant; NULL when none is near. */
const struct config_key *config_key_near(const char *name, size_t len);

/* What SLOTS, MODE and SWITCH hold while they are "auto". */
#define CONFIG_AUTO INT64_C(-1)

/*
 * Sets a value from its text; a LIST gets one more. "" leaves a PATH, NAME or LIST without one.
 * AW_ERR_INVALID says what would be right ("must be a number from 1 to 1000"), and nothing more.
 */
AW_MUSTCHECK enum aw_err value_set(const struct config_key *key, struct config *config,
                                   const char *text, struct aw_error *err);

/* Frees what it holds, and leaves a list empty. */
void value_clear(const struct config_key *key, struct config *config);

bool value_same(const struct config_key *key, const struct config *a, const struct config *b);

/* Swaps the values of two configs. */
void value_swap(const struct config_key *key, struct config *a, struct config *b);

/* Bytes of a line of the file, its end not counted: as inih is built. */
#define CONFIG_MAX_LINE 198

/*
 * As it would stand in the file: "key = value" lines. A text that would be read as another one, or
 * not at all (only flags and the environment have such), stands in a comment that says so.
 */
void value_print(const struct config_key *key, const struct config *config, FILE *out);

/* The start of a text, as a part of a comment. */
void comment_print(const char *text, FILE *out);

/* ---- config_file.c --------------------------------------------------------------------------- */

/* Sets what the file says, and marks it in seen[] (by index in config_keys). */
AW_MUSTCHECK enum aw_err config_file_read(const char *path, struct config *config, bool *seen,
                                          struct aw_error *err);

/* ---- config_paths.c -------------------------------------------------------------------------- */

/* Where the file is unless --config says so; to be freed. NULL: out of memory, or no home. */
char *config_default_file(const struct config *config);

/* Fills what is still empty or auto. */
AW_MUSTCHECK enum aw_err config_fill(struct config *config, struct aw_error *err);

#endif
