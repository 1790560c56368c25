/*
 * outcome.h - how an attempt at a job ended: what a worker tells and the engine records.
 */
#ifndef AW_OUTCOME_H
#define AW_OUTCOME_H

#include "proto/messages.h"

enum { STREAM_STDOUT, STREAM_STDERR, N_STREAMS };

/* What an attempt wrote to one stream. */
struct output {
    uint64_t size;     /* bytes in all */
    struct bytes data; /* all of them, when they are few enough to travel; else empty and: */
    bool spooled;      /* they are in the spool file of this attempt and stream (spool.h) */
};

struct outcome {
    enum aw_class class;  /* AW_CLASS_NONE: it succeeded */
    bool stopped;         /* it ended because it was told to stop: counts as cancelled */
    bool unbegun;         /* nothing of it ever began, or will: it can wait in the queue again */
    int exit_code;        /* NO_EXIT_CODE: none */
    int signal;           /* 0: none */
    unsigned http_status; /* of the last answer; 0: none */
    int64_t started_us;   /* 0: it never started */
    int64_t ended_us;
    uint64_t cpu_user_us, cpu_sys_us, max_rss_kib;
    struct output output[N_STREAMS];
    char message[AW_MAX_MESSAGE_TEXT]; /* a sentence when there is something to say, else "" */
};

#endif
