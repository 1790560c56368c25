# Benchmarks: figures of awd beside floors and other programs, measured in the same run. Nothing
# judges them; figures go to BENCH_JSON as well, to be compared over time. BENCH_FLAGS: see
# tests/bench/bench.c.

PARTS_BENCHES = tests/bench/bench_endpoint tests/bench/bench_spawn
EXTRA_PROGRAMS = $(PARTS_BENCHES)
CLEANFILES += $(PARTS_BENCHES)

# `make check` sees that all cases run.
check_PROGRAMS += tests/bench/bench
TESTS += tests/bench/bench.test

tests_bench_bench_SOURCES = \
	tests/bench/bench.c tests/bench/bench.h \
	tests/bench/cases_peers.c tests/bench/peers.h \
	tests/bench/cases_run.c \
	tests/bench/cases_scale.c \
	tests/bench/cases_submit.c \
	tests/bench/cases_wait.c \
	tests/bench/floors.c \
	tests/bench/load.c tests/bench/load.h \
	tests/bench/peer_beanstalkd.c \
	tests/bench/peer_gearmand.c \
	tests/bench/peer_redis.c \
	tests/bench/peer_synced.c \
	tests/bench/peer_tools.c \
	tests/bench/rig.c tests/bench/rig.h \
	tests/bench/table.c tests/bench/table.h \
	tests/bench/wire.c tests/bench/wire.h \
	tests/bench/work.c tests/bench/work.h
tests_bench_bench_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS)
tests_bench_bench_LDADD = proto/libproto.la $(SQLITE_LIBS) $(JANSSON_LIBS)

tests_bench_bench_endpoint_SOURCES = tests/bench/bench_endpoint.c
tests_bench_bench_endpoint_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_bench_bench_endpoint_LDADD = daemon/libedge.la

tests_bench_bench_spawn_CPPFLAGS = $(EXEC_RIG_CPPFLAGS)
tests_bench_bench_spawn_LDADD = $(WORKER_TEST)
EXTRA_tests_bench_bench_spawn_DEPENDENCIES = daemon/runner/aw-runner

BENCH_JSON = bench.jsonl
BENCH = $(AM_TESTS_ENVIRONMENT) \
	BENCH_COMMIT=`git -C $(srcdir) rev-parse --short HEAD 2>/dev/null`; export BENCH_COMMIT; \
	./tests/bench/bench
bench: stage.stamp tests/bench/bench
	$(AM_V_at)$(BENCH) --json '$(BENCH_JSON)' $(BENCH_FLAGS)

# With other programs, which get installed if this is Debian and we are root.
bench-peers: stage.stamp tests/bench/bench
	$(AM_V_at)$(srcdir)/tests/bench/install_peers
	$(AM_V_at)$(BENCH) --peers --json '$(BENCH_JSON)' $(BENCH_FLAGS)

# The parts by themselves: the endpoint, and the runner.
bench-parts: $(PARTS_BENCHES)
	$(AM_V_at)for bench in $(PARTS_BENCHES); do echo "$$bench:"; ./$$bench || exit 1; done

# The table of the last run, for README.md.
bench-table: tests/bench/bench
	$(AM_V_at)./tests/bench/bench --markdown '$(BENCH_JSON)'

.PHONY: bench bench-peers bench-parts bench-table
