# The runner: no nng, no msgpack, no SQLite, no libsystemd, no threads.

noinst_LTLIBRARIES += daemon/runner/librunner.la
pkglibexec_PROGRAMS += daemon/runner/aw-runner
dist_man_MANS += daemon/runner/aw-runner.8

daemon_runner_librunner_la_SOURCES = \
	daemon/log.c daemon/log.h \
	daemon/spool.c daemon/spool.h \
	daemon/runner/cgroup.c daemon/runner/cgroup.h \
	daemon/runner/cgroup_dir.c daemon/runner/cgroup_dir.h \
	daemon/runner/cgroup_find.c daemon/runner/cgroup_find.h \
	daemon/runner/cgroup_home.c daemon/runner/cgroup_home.h \
	daemon/runner/clean.c daemon/runner/clean.h \
	daemon/runner/clone_into.c daemon/runner/clone_into.h \
	daemon/runner/identity.c daemon/runner/identity.h \
	daemon/runner/job.c daemon/runner/job.h \
	daemon/runner/launch.c daemon/runner/launch.h \
	daemon/runner/output.c daemon/runner/output.h \
	daemon/runner/peer.c daemon/runner/peer.h \
	daemon/runner/proc.c daemon/runner/proc.h \
	daemon/runner/reactor.c daemon/runner/reactor.h \
	daemon/runner/rlimits.c daemon/runner/rlimits.h \
	daemon/runner/runner.c daemon/runner/runner.h \
	daemon/runner/spawn.c daemon/runner/spawn.h \
	daemon/runner/supervise.c daemon/runner/supervise.h \
	daemon/runner/tree.c daemon/runner/tree.h
daemon_runner_librunner_la_CPPFLAGS = $(AM_CPPFLAGS)
daemon_runner_librunner_la_LIBTOOLFLAGS = $(STATIC_ONLY)
daemon_runner_librunner_la_LIBADD = proto/librunnerwire.la proto/libbase.la

daemon_runner_aw_runner_SOURCES = daemon/runner/main.c
daemon_runner_aw_runner_LDFLAGS = $(PROGRAM_LINK)
daemon_runner_aw_runner_LDADD = daemon/runner/librunner.la
