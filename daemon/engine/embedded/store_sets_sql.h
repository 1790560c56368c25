/*
 * store_sets_sql.h - the part of the schema, and the statements, that keep sets. A part of
 * store_sql.h, which includes it.
 *
 *   bag         one row for each set: its head. (A set by any other name: SET is SQL's.) Its ID is
 *               never given out again. complete_us: of a named one that is complete, from when on
 *               it is kept for a while.
 *   member      what is in a set, by position: 1, 2, ... without a gap; by number the other way
 *               round. Once it has ended, its place in the order of completion (until then 0), how
 *               it ended, and its times, which all stay when the job's record goes.
 *   completion  the order in which members ended: place 1, 2, ... without a gap, position. Rows
 *               are added in the transaction that records the end, and never changed.
 *   consumer    how far each reader of a set has come.
 *   doomed      sets that are gone, and whose members' rows are still to go.
 *
 * A row of job with the flag STORE_IN_SET may be a member; one without it is none.
 */
#ifndef AW_STORE_SETS_SQL_H
#define AW_STORE_SETS_SQL_H

#define STORE_IN_SET (1u << 24) /* in a job's row */

#define STORE_SCHEMA_1_SETS                                                                     \
    "CREATE TABLE bag (id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL,"             \
    " temporary INTEGER NOT NULL, name TEXT NOT NULL, closed INTEGER NOT NULL DEFAULT 0,"       \
    " n_members INTEGER NOT NULL DEFAULT 0, n_ended INTEGER NOT NULL DEFAULT 0,"                \
    " n_failed INTEGER NOT NULL DEFAULT 0, created_us INTEGER NOT NULL,"                        \
    " closed_us INTEGER NOT NULL DEFAULT 0, first_us INTEGER NOT NULL DEFAULT 0,"               \
    " last_us INTEGER NOT NULL DEFAULT 0, complete_us INTEGER, UNIQUE (uid, temporary, name));" \
    "CREATE INDEX bag_complete ON bag (complete_us) WHERE complete_us IS NOT NULL;"             \
    "CREATE TABLE member (bag INTEGER, position INTEGER, number INTEGER NOT NULL,"              \
    " place INTEGER NOT NULL DEFAULT 0, state INTEGER, class INTEGER, ended_us INTEGER,"        \
    " wait_us INTEGER, run_us INTEGER, total_us INTEGER, PRIMARY KEY (bag, position))"          \
    " WITHOUT ROWID;"                                                                           \
    "CREATE UNIQUE INDEX member_number ON member (number, bag);"                                \
    "CREATE TABLE completion (bag INTEGER, place INTEGER, position INTEGER NOT NULL,"           \
    " PRIMARY KEY (bag, place)) WITHOUT ROWID;"                                                 \
    "CREATE TABLE consumer (bag INTEGER, name TEXT, cursor INTEGER NOT NULL,"                   \
    " PRIMARY KEY (bag, name)) WITHOUT ROWID;"                                                  \
    "CREATE TABLE doomed (bag INTEGER PRIMARY KEY);"

/* The columns of struct set_info, in the order in which they are read. */
#define STORE_SET_COLUMNS                                                                        \
    "id, uid, temporary, closed, n_members, n_ended, n_failed, created_us, closed_us, first_us," \
    " last_us, name"

#define STORE_SETS_SQL_MAP(X)                                                                    \
    X(SET_FIND,                                                                                  \
      "SELECT " STORE_SET_COLUMNS " FROM bag WHERE uid = ? AND temporary = ? AND name = ?")      \
    X(SET_BY_ID, "SELECT " STORE_SET_COLUMNS " FROM bag WHERE id = ?")                           \
    X(SET_LIST, "SELECT " STORE_SET_COLUMNS " FROM bag WHERE uid = ?1 AND temporary = 0"         \
                " AND name >= ?2 AND name > ?3 ORDER BY name")                                   \
    X(SET_COUNT, "SELECT count(*) FROM bag")                                                     \
    X(SET_MAKE, "INSERT INTO bag (uid, temporary, name, created_us) VALUES (?, ?, ?, ?)")        \
    X(SET_SAVE,                                                                                  \
      "UPDATE bag SET closed = ?2, n_members = ?3, n_ended = ?4, n_failed = ?5, closed_us = ?6," \
      " first_us = ?7, last_us = ?8, complete_us = ?9 WHERE id = ?1")                            \
    X(SET_DELETE, "DELETE FROM bag WHERE id = ?")                                                \
    X(SET_COMPLETE, "SELECT id FROM bag WHERE complete_us <= ? ORDER BY complete_us LIMIT 1")    \
    X(SET_NEXT_COMPLETE, "SELECT min(complete_us) FROM bag WHERE complete_us IS NOT NULL")       \
    X(MEMBER_ADD, "INSERT INTO member (bag, position, number) VALUES (?, ?, ?)"                  \
                  " ON CONFLICT DO NOTHING")                                                     \
    X(MEMBER_FIND, "SELECT place, state FROM member WHERE number = ? AND bag = ?")               \
    X(MEMBER_COUNT, "SELECT count(*) FROM (SELECT 1 FROM member JOIN bag ON id = bag"            \
                    " WHERE number = ? LIMIT ?)")                                                \
    X(MEMBER_OF, "SELECT bag, position FROM member WHERE number = ? AND bag > ?"                 \
                 " ORDER BY bag LIMIT 1")                                                        \
    X(MEMBER_END,                                                                                \
      "UPDATE member SET place = ?3, state = ?4, class = ?5, ended_us = ?6, wait_us = ?7,"       \
      " run_us = ?8, total_us = ?9 WHERE bag = ?1 AND position = ?2 AND place = 0")              \
    X(MEMBER_MARK, "UPDATE job SET flags = flags | ? WHERE number = ?")                          \
    X(MEMBER_JOB, "SELECT state, class, uid, flags, created_us, due_us, started_us, ended_us"    \
                  " FROM job WHERE number = ?")                                                  \
    X(MEMBER_PAGE, "SELECT j.*, m.number, m.place, m.state, m.class, m.ended_us FROM member m"   \
                   " LEFT JOIN (SELECT " STORE_RECORD_COLUMNS " FROM job) j"                     \
                   " ON j.number = m.number"                                                     \
                   " WHERE m.bag = ? AND m.position > ? ORDER BY m.position LIMIT ?")            \
    X(MEMBER_TIMES, "SELECT position, place, wait_us, run_us, total_us FROM member"              \
                    " WHERE bag = ? AND position > ? ORDER BY position LIMIT ?")                 \
    X(COMPLETION_ADD, "INSERT INTO completion VALUES (?, ?, ?)")                                 \
    X(COMPLETION_PAGE, "SELECT j.*, m.number, m.place, m.state, m.class, m.ended_us"             \
                       " FROM completion c"                                                      \
                       " JOIN member m ON m.bag = c.bag AND m.position = c.position"             \
                       " LEFT JOIN (SELECT " STORE_RECORD_COLUMNS " FROM job) j"                 \
                       " ON j.number = m.number"                                                 \
                       " WHERE c.bag = ? AND c.place > ? ORDER BY c.place LIMIT ?")              \
    X(CURSOR_FIND, "SELECT cursor FROM consumer WHERE bag = ? AND name = ?")                     \
    X(CURSOR_COUNT, "SELECT count(*) FROM consumer WHERE bag = ?")                               \
    X(CURSOR_MOVE, "INSERT INTO consumer VALUES (?1, ?2, ?3)"                                    \
                   " ON CONFLICT DO UPDATE SET cursor = ?3")                                     \
    X(CURSOR_DELETE, "DELETE FROM consumer WHERE bag = ?")                                       \
    X(DOOMED_ADD, "INSERT INTO doomed VALUES (?)")                                               \
    X(DOOMED_FIRST, "SELECT bag FROM doomed LIMIT 1")                                            \
    X(DOOMED_DELETE, "DELETE FROM doomed WHERE bag = ?")                                         \
    X(DOOMED_MEMBERS, "DELETE FROM member WHERE bag = ?1 AND position < ?2 +"                    \
                      " (SELECT min(position) FROM member WHERE bag = ?1)")                      \
    X(DOOMED_COMPLETIONS, "DELETE FROM completion WHERE bag = ?1 AND place < ?2 +"               \
                          " (SELECT min(place) FROM completion WHERE bag = ?1)")

#endif
