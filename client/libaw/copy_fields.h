/*
 * copy_fields.h - how copy.h's promise is kept: functions that copy a struct, made from its list.
 *
 * DEFINE_COPY(name, from, to, LIST) makes, for `struct from` of the protocol and `struct to` of the
 * API, name_texts(): the bytes that its texts take; and name_fill(): the copy, whose texts go to
 * *next, which moves on. Members of `to` that are in no list are zeroed.
 *
 * DEFINE_LIST(list, item, name, from) makes, for lists of what DEFINE_COPY(name, from, aw_##item,
 * ...) copies, list_make(): a block with n of them (NULL: out of memory), and with `room` more
 * bytes for texts, of which *ret_room, which may be left out, tells; and the API's functions
 * aw_list_count(), aw_list_at() and aw_list_free(). The list is a chain of blocks, as in
 * DECLARE_LIST() of copy.h.
 */
#ifndef AW_CLIENT_COPY_FIELDS_H
#define AW_CLIENT_COPY_FIELDS_H

#include "client/aw.h"
#include "proto/messages.h"

/* Puts a text behind the others; `*next` is where there is room. */
static inline const char *text_copy(char **next, struct bytes text)
{
    char *to = *next;

    if (text.len)
        memcpy(to, text.data, text.len);
    to[text.len] = '\0';
    *next += text.len + 1;
    return to;
}

static inline struct aw_latency latency_copy(const struct latency *from)
{
    return (struct aw_latency){
        .count = from->count,
        .p50_us = (int64_t)from->p50_us,
        .p95_us = (int64_t)from->p95_us,
        .p99_us = (int64_t)from->p99_us,
        .max_us = (int64_t)from->max_us,
    };
}

static inline struct aw_limits limits_copy(const struct limits *from)
{
    return (struct aw_limits){
        .memory = from->memory,
        .cpu = (uint32_t)from->cpu,
        .cpu_time_ms = (int64_t)from->cpu_time_ms,
        .processes = from->processes,
        .files = from->files,
        .file_size = from->file_size,
        .nice = (int)from->nice,
        .io_priority = (int)from->io_priority,
    };
}

/* The bytes that a struct's texts take, and the struct itself, by its list of fields. */
#define SIZE_U64(name)   0
#define SIZE_I64(name)   0
#define SIZE_BOOL(name)  0
#define SIZE_STATE(name) 0
#define SIZE_CLASS(name) 0
#define SIZE_STR(name)   (from->name.len + 1)
#define SIZE_OBJ(name)   0 /* latency, limits: numbers */

#define COPY_NUMBER(name)     to->name = (__typeof__(to->name))from->name;
#define COPY_U64(name, sub)   COPY_NUMBER(name)
#define COPY_I64(name, sub)   COPY_NUMBER(name)
#define COPY_BOOL(name, sub)  COPY_NUMBER(name)
#define COPY_STATE(name, sub) COPY_NUMBER(name)
#define COPY_CLASS(name, sub) to->error_class = from->name;
#define COPY_STR(name, sub)   to->name = text_copy(next, from->name);
#define COPY_OBJ(name, sub)   to->name = sub##_copy(&from->name);

#define FIELD_SIZE(T, KIND, name, sub, need, min, max, def, text) +SIZE_##KIND(name)
#define FIELD_COPY(T, KIND, name, sub, need, min, max, def, text) COPY_##KIND(name, sub)

#define DEFINE_COPY(name, from_type, to_type, LIST)                                        \
    static size_t name##_texts(const struct from_type *from)                               \
    {                                                                                      \
        (void)from; /* if none of the fields is a text */                                  \
        return (size_t)0 LIST(FIELD_SIZE, _);                                              \
    }                                                                                      \
    static void name##_fill(struct to_type *to, const struct from_type *from, char **next) \
    {                                                                                      \
        memset(to, 0, sizeof(*to)); /* what this protocol does not have (yet) */           \
        (void)next;                                                                        \
        LIST(FIELD_COPY, _)                                                                \
    }

#define DEFINE_LIST(list_name, item, name, from_type)                                        \
    static struct aw_##list_name *list_name##_make(const struct from_type *v, size_t n,      \
                                                   size_t room, char **ret_room)             \
    {                                                                                        \
        size_t size = sizeof(struct aw_##list_name) + n * sizeof(struct aw_##item) + room;   \
        struct aw_##list_name *list;                                                         \
        char *next;                                                                          \
                                                                                             \
        for (size_t i = 0; i < n; i++)                                                       \
            size += name##_texts(&v[i]);                                                     \
        list = malloc(size);                                                                 \
        if (!list)                                                                           \
            return NULL;                                                                     \
        list->next = NULL;                                                                   \
        list->n = n;                                                                         \
        next = (char *)&list->v[n];                                                          \
        for (size_t i = 0; i < n; i++)                                                       \
            name##_fill(&list->v[i], &v[i], &next);                                          \
        if (ret_room)                                                                        \
            *ret_room = next;                                                                \
        return list;                                                                         \
    }                                                                                        \
    size_t aw_##list_name##_count(const struct aw_##list_name *list)                         \
    {                                                                                        \
        size_t n = 0;                                                                        \
                                                                                             \
        for (; list; list = list->next)                                                      \
            n += list->n;                                                                    \
        return n;                                                                            \
    }                                                                                        \
    const struct aw_##item *aw_##list_name##_at(const struct aw_##list_name *list, size_t i) \
    {                                                                                        \
        while (list && i >= list->n) {                                                       \
            i -= list->n;                                                                    \
            list = list->next;                                                               \
        }                                                                                    \
        return list ? &list->v[i] : NULL;                                                    \
    }                                                                                        \
    void aw_##list_name##_free(struct aw_##list_name *list)                                  \
    {                                                                                        \
        while (list) {                                                                       \
            struct aw_##list_name *next = list->next;                                        \
                                                                                             \
            free(list);                                                                      \
            list = next;                                                                     \
        }                                                                                    \
    }

#endif
