/*
 * store_check_sql.h - what must never be found in a store: every rule that holds between rows, as
 * a query for those that break it. Rules on one row are in store_check_rows.c.
 */
#ifndef AW_STORE_CHECK_SQL_H
#define AW_STORE_CHECK_SQL_H

#include "daemon/engine/embedded/store_sql.h"

#define CHECK_TEXT_(x) #x
#define CHECK_TEXT(x)  CHECK_TEXT_(x)

/* Sets that are gone leave rows behind for a while: those of sets that are there. */
#define CHECK_SET_IS_THERE " EXISTS (SELECT 1 FROM bag WHERE id = m.bag)"

/* clang-format off */

/* X(sql): gives a sentence for each fault. The name has the schema from which on it holds. */
#define STORE_CHECK_MAP_1(X)                                                                         \
    X("SELECT 'meta: ' || name || ' is missing' FROM (SELECT 'tag' AS name UNION ALL"              \
      " SELECT 'epoch' UNION ALL SELECT 'high') WHERE name NOT IN (SELECT name FROM meta)")        \
    X("SELECT printf('meta: %s is %s', name, quote(value)) FROM meta"                              \
      " WHERE name IN ('epoch', 'high')"                                                           \
      " AND (typeof(value) <> 'integer' OR value NOT BETWEEN 0 AND"                                \
      " iif(name = 'epoch', 8388607, 2305843009213693951))")                                       \
    X("SELECT 'the default queue is missing' WHERE NOT EXISTS"                                     \
      " (SELECT 1 FROM queue WHERE id = " CHECK_TEXT(STORE_DEFAULT_QUEUE) " AND name = 'default')") \
    X("SELECT printf('queue %s: a setting is out of range', name) FROM queue"                      \
      " WHERE length(CAST(name AS BLOB)) NOT BETWEEN 1 AND " CHECK_TEXT(AW_MAX_QUEUE_NAME)         \
      " OR slots NOT BETWEEN 0 AND " CHECK_TEXT(AW_MAX_SLOTS)                                      \
      " OR most NOT BETWEEN 0 AND " CHECK_TEXT(AW_MAX_SLOTS)                                       \
      " OR priority NOT BETWEEN " CHECK_TEXT(AW_MIN_PRIORITY) " AND " CHECK_TEXT(AW_MAX_PRIORITY)  \
      " OR rate NOT BETWEEN 0 AND " CHECK_TEXT(AW_MAX_RATE)                                        \
      " OR paused NOT IN (0, 1) OR draining NOT IN (0, 1) OR (rate > 0 AND rate_ms < 1)")          \
    X("SELECT printf('job %d: there is no queue %d', number, queue) FROM job"                      \
      " WHERE state < 4 AND queue NOT IN (SELECT id FROM queue)")                                  \
    X("SELECT printf('job %d: its specification is missing', number) FROM job"                     \
      " WHERE (flags >> 16) & 1 AND NOT EXISTS"                                                    \
      " (SELECT 1 FROM spec WHERE spec.number = job.number)")                                      \
    X("SELECT printf('specification %d: belongs to no job', number) FROM spec WHERE NOT EXISTS"    \
      " (SELECT 1 FROM job WHERE job.number = spec.number AND (flags >> 16) & 1)")                 \
    X("SELECT printf('job %d: is blocked, and waits for no job', number) FROM job"                 \
      " WHERE state = 1 AND NOT EXISTS (SELECT 1 FROM dep WHERE child = job.number)")              \
    X("SELECT printf('dependency of job %d on job %d: job %d %s', child, parent, child,"           \
      " iif(j.number IS NULL, 'does not exist', 'is not blocked'))"                                \
      " FROM dep LEFT JOIN job j ON j.number = child WHERE j.state IS NOT 1")                      \
    X("SELECT printf('dependency of job %d on job %d: job %d does not exist', child, parent,"      \
      " parent) FROM dep WHERE NOT EXISTS (SELECT 1 FROM job WHERE number = parent)")              \
    X("SELECT printf('dependency of job %d on job %d: of kind %d, or on a later job', child,"      \
      " parent, kind) FROM dep WHERE parent >= child OR kind NOT BETWEEN 0 AND 2")                 \
    X("SELECT printf('output of job %d, attempt %d: there is no such attempt', o.number,"          \
      " o.attempt) FROM output o LEFT JOIN job j ON j.number = o.number"                           \
      " WHERE j.number IS NULL OR o.attempt NOT BETWEEN 1 AND j.attempt"                           \
      " OR o.stream NOT IN (0, 1)")                                                                \
    X("SELECT printf('attempt %d at job %d: %s', a.attempt, a.number, iif(j.number IS NULL,"       \
      " 'the job does not exist', 'was never begun')) FROM attempt a"                              \
      " LEFT JOIN job j ON j.number = a.number"                                                    \
      " WHERE j.number IS NULL OR a.attempt NOT BETWEEN 1 AND j.attempt")                          \
    X("SELECT printf('request of user %d: its answer is cut off', uid) FROM request"               \
      " WHERE length(answer) = 0 OR length(answer) % 8 <> 0")                                      \
    X("SELECT printf('set %d: its head contradicts itself', id) FROM bag"                          \
      " WHERE closed NOT IN (0, 1) OR closed <> (closed_us <> 0)"                                  \
      " OR temporary <> (substr(name, 1, 1) = '~')"                                                \
      " OR (complete_us IS NOT NULL) <> (closed AND n_ended = n_members AND NOT temporary)"        \
      " OR (n_ended > 0) <> (first_us <> 0) OR n_failed > n_ended")                                \
    X("SELECT printf('set %d: has %d members in places up to %d, and says %d', id, n, last, said)" \
      " FROM (SELECT id, n_members AS said,"                                                       \
      " (SELECT count(*) FROM member WHERE bag = id) AS n,"                                        \
      " (SELECT coalesce(min(position), 1) FROM member WHERE bag = id) AS first,"                  \
      " (SELECT coalesce(max(position), 0) FROM member WHERE bag = id) AS last FROM bag)"          \
      " WHERE n <> said OR last <> said OR first <> 1")                                            \
    X("SELECT printf('set %d: has %d completions in places up to %d, and says %d', id, n, last,"   \
      " said) FROM (SELECT id, n_ended AS said,"                                                   \
      " (SELECT count(*) FROM completion WHERE bag = id) AS n,"                                    \
      " (SELECT coalesce(min(place), 1) FROM completion WHERE bag = id) AS first,"                 \
      " (SELECT coalesce(max(place), 0) FROM completion WHERE bag = id) AS last FROM bag)"         \
      " WHERE n <> said OR last <> said OR first <> 1")                                            \
    X("SELECT printf('set %d: has %d members that did not succeed, and says %d', id, n, said)"     \
      " FROM (SELECT id, n_failed AS said, (SELECT count(*) FROM member"                           \
      " WHERE bag = id AND place > 0 AND state IS NOT 4) AS n FROM bag) WHERE n <> said")          \
    X("SELECT printf('set %d: completion %d is not that of member %d', m.bag, m.place,"            \
      " m.position) FROM completion m LEFT JOIN member o"                                          \
      " ON o.bag = m.bag AND o.position = m.position"                                              \
      " WHERE o.place IS NOT m.place AND" CHECK_SET_IS_THERE)                                      \
    X("SELECT printf('set %d: member %d has place %d, which is another''s', m.bag, m.position,"    \
      " m.place) FROM member m LEFT JOIN completion o ON o.bag = m.bag AND o.place = m.place"      \
      " WHERE m.place <> 0 AND o.position IS NOT m.position AND" CHECK_SET_IS_THERE)               \
    X("SELECT printf('set %d: member %d, job %d, is said to have %s, but has %s', m.bag,"          \
      " m.position, m.number, iif(m.place, 'ended', 'not ended'),"                                 \
      " iif(j.state >= 4, iif(m.place, 'ended otherwise', 'ended'), 'not'))"                       \
      " FROM member m JOIN job j ON j.number = m.number"                                           \
      " WHERE ((m.place > 0) <> (j.state >= 4) OR (m.place > 0 AND m.state IS NOT j.state))"       \
      " AND" CHECK_SET_IS_THERE)                                                                   \
    X("SELECT printf('set %d: member %d, job %d, has not ended, and does not exist', m.bag,"       \
      " m.position, m.number) FROM member m WHERE m.place = 0"                                     \
      " AND NOT EXISTS (SELECT 1 FROM job WHERE number = m.number) AND" CHECK_SET_IS_THERE)        \
    X("SELECT printf('set %d: member %d, job %d, does not know that it is one', m.bag,"            \
      " m.position, m.number) FROM member m JOIN job j ON j.number = m.number"                     \
      " WHERE NOT (j.flags >> 24) & 1 AND" CHECK_SET_IS_THERE)                                     \
    X("SELECT printf('set %d: consumer %s has read up to %d of %d', bag, quote(c.name), cursor,"   \
      " n_ended) FROM consumer c JOIN bag ON id = bag WHERE cursor NOT BETWEEN 0 AND n_ended")     \
    X("SELECT DISTINCT printf('set %d: has members, and does not exist', bag) FROM member"         \
      " WHERE bag NOT IN (SELECT id FROM bag) AND bag NOT IN (SELECT bag FROM doomed)")            \
    X("SELECT DISTINCT printf('set %d: has completions, and does not exist', bag)"                 \
      " FROM completion WHERE bag NOT IN (SELECT id FROM bag)"                                     \
      " AND bag NOT IN (SELECT bag FROM doomed)")                                                  \
    X("SELECT printf('set %d: has a consumer, and does not exist', bag) FROM consumer"             \
      " WHERE bag NOT IN (SELECT id FROM bag) AND bag NOT IN (SELECT bag FROM doomed)")            \
    X("SELECT printf('set %d: is being removed, and still there', bag) FROM doomed"                \
      " WHERE bag IN (SELECT id FROM bag)")

#define STORE_CHECK_MAP_2(X)                                                                       \
    X("SELECT printf('queue %s: its limits are not encoded', name) FROM queue"                     \
      " WHERE limits IS NOT NULL AND (typeof(limits) <> 'blob' OR length(limits) = 0)")

#define STORE_CHECK_MAP_3(X)                                                                       \
    X("SELECT printf('user %d: %d records, %d bytes and %d sets more than the account says', uid," \
      " sum(kept), sum(bytes), sum(sets)) FROM (" STORE_ACCOUNTS                                   \
      " UNION ALL SELECT uid, -kept, -bytes, -sets FROM account)"                                  \
      " GROUP BY uid HAVING sum(kept) OR sum(bytes) OR sum(sets)")                                 \
    X("SELECT printf('user %d: has an account of nothing', uid) FROM account"                      \
      " WHERE kept = 0 AND bytes = 0 AND sets = 0")

/* clang-format on */

_Static_assert(STORE_SPEC_APART == 0x10000 && STORE_IN_SET == 0x1000000,
               "the queries above have these bits as numbers");

#endif
