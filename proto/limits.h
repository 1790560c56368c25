/*
 * limits.h - every limit on what comes from outside, in one place.
 *
 * What a client can size is checked against one of these before anything is allocated for it.
 * PROTOCOL.md lists them; a test holds the two together. Sizes are bytes unless the name says
 * otherwise.
 */
#ifndef AW_LIMITS_H
#define AW_LIMITS_H

#define AW_PROTO_VERSION 1 /* the only version spoken so far */

#define AW_MAX_MESSAGE  (8u << 20) /* one request or reply, SP header not counted */
#define AW_MAX_DEPTH    16         /* nesting of maps and arrays */
#define AW_MAX_ELEMENTS 524288     /* maps, arrays, keys and values: 10,000 statuses fit */

#define AW_MAX_JOBS_PER_SUBMIT 1000
#define AW_MAX_IDS             10000      /* in one request */
#define AW_MAX_PAGE            1000       /* jobs in one reply of list */
#define AW_MAX_CHUNK           (1u << 20) /* bytes of output in one reply */

#define AW_MAX_ID           64 /* text of a future ID, NUL included */
#define AW_TAG_LEN          5
#define AW_MAX_NAME         128
#define AW_MAX_KEY          255
#define AW_MAX_PATH         4095
#define AW_MAX_ARGS         4096       /* strings in argv, or in env */
#define AW_MAX_ARG          131071     /* one of them: the kernel's own limit, less the NUL */
#define AW_MAX_ARGSIZE      (2u << 20) /* argv and env together */
#define AW_MAX_STDIN        (4u << 20)
#define AW_MAX_URL          8192
#define AW_MAX_METHOD       32
#define AW_MAX_HEADERS      256         /* headers of an http job */
#define AW_MAX_HEADERSIZE   (64u << 10) /* all of them together; and of an answer's */
#define AW_MAX_BODY         (4u << 20)
#define AW_MAX_EXPECT       256
#define AW_MAX_REDIRECTS    20
#define AW_MAX_COMMAND      256 /* the command shown in status and list: cut there */
#define AW_MAX_MESSAGE_TEXT 512 /* the sentence that goes with a failed job */

#define AW_MAX_ATTEMPTS       1000000
#define AW_MAX_ATTEMPTS_SHOWN 100 /* of one job, in one reply */
#define AW_MAX_RETRY_ON       64  /* classes and exit codes in one job */

#define AW_MAX_QUEUES     256
#define AW_MAX_QUEUE_NAME 64
#define AW_MAX_RATE       1000000 /* starts in one period of a queue's rate limit */
#define AW_MAX_PARENTS    1000    /* futures that one job waits for, of all kinds */
#define AW_MAX_EDGES      1000000 /* the same, of all jobs that wait, together */

#define AW_MAX_SETS        100000
#define AW_MAX_SET_NAME    128
#define AW_MAX_MEMBERS     10000000 /* of one set */
#define AW_MAX_SETS_OF_JOB 1000     /* that one future can be in */
#define AW_MAX_CONSUMERS   64       /* of one set */
#define AW_MAX_CONSUMER    64       /* the name of one */
#define AW_SET_IDLE_MS     600000   /* a temporary set that nobody reads for so long goes */

#define AW_MAX_CPU       409600     /* percent of one processor: 4,096 processors */
#define AW_MAX_PROCESSES 4194304    /* the kernel's own limit */
#define AW_MAX_FILES     1073741816 /* the same */
#define AW_MAX_LIMITS    8          /* of a job or queue, that a request can name */

#define AW_MAX_EXPLAINED 10 /* futures that explain names, of each kind */

#define AW_MAX_PRIORITY    10 /* the most urgent; AW_MIN_PRIORITY the least */
#define AW_MIN_PRIORITY    -10
#define AW_MAX_SLOTS       4096
#define AW_MAX_DURATION_MS (3650LL * 86400 * 1000) /* ten years */

#define AW_LONG_POLL_MS 30000 /* the longest that one wait or logs request is held */

#define AW_INLINE_OUTPUT (16u << 10) /* per stream: more goes to a spool file */

#endif
