/*
 * copy.h - protocol structs, which point into a message, to API structs, which own their texts.
 *
 * Everything that is handed out is one block of memory: the struct, then its texts. The fields are
 * taken from the lists in messages.h, so that one that is added there and not in aw.h does not
 * compile.
 */
#ifndef AW_CLIENT_COPY_H
#define AW_CLIENT_COPY_H

#include "client/aw.h"
#include "proto/messages.h"

/*
 * IDs that go into one request. A reply may have AW_MAX_ELEMENTS values: 10,000 statuses with all
 * their fields would be more.
 */
#define IDS_AT_ONCE 2000

/* Lists are chains of what single replies brought: as a rule there is one link. */
#define DECLARE_LIST(list, item) \
    struct aw_##list {           \
        struct aw_##list *next;  \
        size_t n;                \
        struct aw_##item v[];    \
    };

DECLARE_LIST(statuses, status)
DECLARE_LIST(outcomes, outcome)
DECLARE_LIST(attempts, attempt)
DECLARE_LIST(sets, set)
DECLARE_LIST(queues, queue)
DECLARE_LIST(users, user)

/*
 * NULL: out of memory. If `next_page` is not empty, a copy of it that belongs to the list is given
 * back.
 */
struct aw_statuses *statuses_copy(const struct job_status *v, size_t n, struct bytes next_page,
                                  const char **ret_next);
struct aw_outcomes *outcomes_copy(const struct id_result *v, size_t n);
struct aw_attempts *attempts_copy(const struct attempt_status *v, size_t n);
struct aw_result *result_copy(const struct result_rep *rep, uint64_t offset);
/* Gives a result another, malloc'ed, piece of output; takes it. */
void result_attach(struct aw_result *result, char *data, size_t len, bool eof);

/* A reply must have one item for each ID that was asked for: else AW_ERR_PROTOCOL. */
AW_MUSTCHECK enum aw_err count_check(enum op op, size_t got, size_t n, struct aw_error *err);

/* For a copy that is NULL. Returns the constant, so that it is seen to be none of the ways to
 * AW_OK. */
AW_MUSTCHECK static inline enum aw_err list_failed(enum op op, struct aw_error *err)
{
    aw_fail(err, AW_ERR_NO_MEMORY, "%s: out of memory", op_info(op)->name);
    return AW_ERR_NO_MEMORY;
}

struct aw_chunk *chunk_copy(const struct logs_rep *rep);
struct aw_backup *backup_copy(const struct backup_rep *rep);
struct aw_hello *hello_copy(const struct hello_rep *rep);
struct aw_stats *stats_copy(const struct stats_rep *rep);

/* What is out of range is for the daemon to refuse: it says what would be right. */
static inline struct limits limits_from(const struct aw_limits *from)
{
    return (struct limits){
        .memory = from->memory,
        .cpu = from->cpu,
        .cpu_time_ms = (uint64_t)from->cpu_time_ms,
        .processes = from->processes,
        .files = from->files,
        .file_size = from->file_size,
        .nice = (uint64_t)from->nice,
        .io_priority = (uint64_t)from->io_priority,
    };
}

#endif
