/*
 * ugly_ways.h - what the program `ugly` can do, for it and for those who have it do so.
 *
 * X(name, function, hides): one that hides can be told from another job's processes only by its
 * control group: it has another session, and an empty environment.
 */
#ifndef AW_UGLY_WAYS_H
#define AW_UGLY_WAYS_H

#define UGLY_WAYS(X)                             \
    X("plain", plain, false)                     \
    X("double-fork", double_fork, false)         \
    X("session", session, false)                 \
    X("group", group, false)                     \
    X("daemon", classic_daemon, false)           \
    X("no-death-signal", no_death_signal, false) \
    X("no-environment", no_environment, true)    \
    X("stubborn", stubborn, false)               \
    X("stopped", stopped, false)                 \
    X("closed", closed, false)                   \
    X("bomb", bomb, false)                       \
    X("storm", storm, false)                     \
    X("orphans", many_orphans, false)            \
    X("exec-chain", exec_chain, true)            \
    X("vfork-threads", vfork_threads, false)     \
    X("borrowed-parent", borrowed_parent, false) \
    X("own-subreaper", own_subreaper, false)     \
    X("faceless", faceless, false)               \
    X("everything", everything, true)

#endif
