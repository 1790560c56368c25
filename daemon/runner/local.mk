# The runner: no nng, no msgpack, no SQLite, no threads.

noinst_LTLIBRARIES += daemon/runner/librunner.la
pkglibexec_PROGRAMS += daemon/runner/aw-runner
dist_man_MANS += daemon/runner/aw-runner.8

daemon_runner_librunner_la_SOURCES = \
	daemon/runner/runner.c daemon/runner/runner.h
daemon_runner_librunner_la_LIBTOOLFLAGS = $(STATIC_ONLY)
daemon_runner_librunner_la_LIBADD = proto/libbase.la

daemon_runner_aw_runner_SOURCES = daemon/runner/main.c
daemon_runner_aw_runner_LDFLAGS = $(PROGRAM_LINK)
daemon_runner_aw_runner_LDADD = daemon/runner/librunner.la
