# Tests: unit (Check programs, one for each module) and e2e (scripts that drive the installed
# programs). All of them print TAP. See tests/README.md.

# Everything goes into the tarball; what a build has left there does not.
EXTRA_DIST += tests
dist-hook:
	cd '$(distdir)' && rm -f $(UNIT_TESTS) $(check_PROGRAMS) $(EXTRA_PROGRAMS) && find tests \( -name '*.o' \
		-o -name '*.a' -o -name '*.l[oa]' -o -name '*.log' -o -name '*.trs' -o -name '*.gc??' \
		-o -name .deps -o -name .libs -o -name .dirstamp \) -prune -exec rm -rf {} +

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TEST_EXTENSIONS = .test
TEST_LOG_DRIVER = $(LOG_DRIVER)
# What hangs is a failure, and does not hang those who wait for it.
TEST_SECONDS = 600
LOG_COMPILER = timeout -k 30 $(TEST_SECONDS)
TEST_LOG_COMPILER = $(LOG_COMPILER)

# Those that take longest begin first, so that at the end none is left over by itself.
SLOW_TESTS = \
	tests/fault/torture.test \
	tests/fault/faults.test \
	tests/ecomarket/ecomarket.test \
	tests/fault/soak.test \
	tests/e2e/lease.test \
	tests/fault/clock.test \
	tests/e2e/identity.test
TESTS += $(SLOW_TESTS)

# config.status leaves stamp-h1 newer than config.h, so that make sees to config.h in each run. What
# depends on it has to wait for that, the unit tests: they would begin when all others have begun.
config-h-is-made: config.h
	$(AM_V_at)test config.h -ot config.status || touch -r config.h stamp-h1
.PHONY: config-h-is-made

# ---- Unit tests ---------------------------------------------------------------------------------
#
# A new one: its name here, and an _LDADD with the library that it tests. Its source is
# tests/unit/test_<module>.c without saying so. The first ones are those that take longest.
#
# What several tests share is compiled once, into a library of its own (check_LIBRARIES); of it each
# test links what it calls.

UNIT_TESTS = \
	tests/unit/test_engine_embedded \
	tests/unit/test_power_loss \
	tests/unit/test_store_schema \
	tests/unit/test_store_space \
	tests/unit/test_addresses \
	tests/unit/test_awctl_args \
	tests/unit/test_awctl_commands \
	tests/unit/test_awctl_limits \
	tests/unit/test_awctl_sets \
	tests/unit/test_awctl_text \
	tests/unit/test_base \
	tests/unit/test_client \
	tests/unit/test_client_completions \
	tests/unit/test_client_connection \
	tests/unit/test_client_doc \
	tests/unit/test_client_errors \
	tests/unit/test_client_gather \
	tests/unit/test_client_faults \
	tests/unit/test_client_loop \
	tests/unit/test_client_on_done \
	tests/unit/test_client_queues \
	tests/unit/test_client_sets \
	tests/unit/test_client_tcp \
	tests/unit/test_client_threads \
	tests/unit/test_codec \
	tests/unit/test_codec_write \
	tests/unit/test_config \
	tests/unit/test_containment \
	tests/unit/test_dirs \
	tests/unit/test_endpoint \
	tests/unit/test_endpoint_limits \
	tests/unit/test_endpoint_listen \
	tests/unit/test_endpoint_stalls \
	tests/unit/test_endpoint_tls \
	tests/unit/test_exec_end \
	tests/unit/test_exec_limits \
	tests/unit/test_exec_restart \
	tests/unit/test_exec_socket \
	tests/unit/test_future_id \
	tests/unit/test_histogram \
	tests/unit/test_http_job \
	tests/unit/test_http_limits \
	tests/unit/test_http_run \
	tests/unit/test_job_check \
	tests/unit/test_job_limits \
	tests/unit/test_job_next \
	tests/unit/test_leases \
	tests/unit/test_lifecycle \
	tests/unit/test_log \
	tests/unit/test_many_ids \
	tests/unit/test_memory \
	tests/unit/test_messages \
	tests/unit/test_notify \
	tests/unit/test_numtable \
	tests/unit/test_offload \
	tests/unit/test_peer_name \
	tests/unit/test_pool \
	tests/unit/test_protocol_doc \
	tests/unit/test_queues \
	tests/unit/test_queues_model \
	tests/unit/test_runner_cgroup \
	tests/unit/test_runner_output \
	tests/unit/test_runner_proc \
	tests/unit/test_runner_wire \
	tests/unit/test_sched \
	tests/unit/test_share \
	tests/unit/test_shares \
	tests/unit/test_sp \
	tests/unit/test_spool \
	tests/unit/test_store \
	tests/unit/test_store_deps \
	tests/unit/test_store_live \
	tests/unit/test_store_log \
	tests/unit/test_text \
	tests/unit/test_turns \
	tests/unit/test_validator \
	tests/unit/test_wakes \
	tests/unit/test_watchdog \
	tests/unit/test_worker_exec \
	tests/unit/test_worker_http \
	tests/unit/test_worker_loop

BASE_TEST = proto/libbase.la $(CHECK_LIBS)
PROTO_TEST = proto/libproto.la $(CHECK_LIBS)
ENGINE_TEST = daemon/engine/libengine.la proto/libproto.la $(CHECK_LIBS)
DAEMON_TEST = daemon/libdaemon.la daemon/engine/libengine.la proto/libproto.la $(CHECK_LIBS)
RUNNER_TEST = daemon/runner/librunner.la proto/libbase.la $(CHECK_LIBS)
WORKER_TEST = daemon/workers/libworkers.la tests/unit/libworkerneeds.a proto/libbase.la \
	$(LIBEVENT_LIBS) $(CHECK_LIBS)

tests_unit_test_base_LDADD = $(BASE_TEST)
check_LIBRARIES += tests/unit/libcodecrig.a
tests_unit_libcodecrig_a_SOURCES = tests/unit/codec_rig.c tests/unit/codec_rig.h
tests_unit_test_codec_LDADD = tests/unit/libcodecrig.a $(PROTO_TEST)
tests_unit_test_codec_write_LDADD = tests/unit/libcodecrig.a $(PROTO_TEST)
tests_unit_test_future_id_LDADD = $(BASE_TEST)
tests_unit_test_http_job_LDADD = $(PROTO_TEST)
tests_unit_test_lifecycle_LDADD = $(BASE_TEST)
tests_unit_test_messages_LDADD = $(PROTO_TEST)
tests_unit_test_job_check_LDADD = $(PROTO_TEST)
tests_unit_test_job_limits_LDADD = $(PROTO_TEST)
tests_unit_test_protocol_doc_LDADD = $(PROTO_TEST)
tests_unit_test_sp_LDADD = $(BASE_TEST)
tests_unit_test_text_LDADD = $(BASE_TEST)
tests_unit_test_validator_LDADD = $(PROTO_TEST)

# The contract of engines, which runs against each of them, and a disk that fails.
ENGINE_CONTRACT = \
	tests/unit/engine_contract.c tests/unit/engine_contract.h \
	tests/unit/engine_backup_rig.h tests/unit/engine_contract_backup.c \
	tests/unit/engine_contract_cache.c \
	tests/unit/engine_contract_cancel.c \
	tests/unit/engine_contract_change.c \
	tests/unit/engine_contract_claims.c \
	tests/unit/engine_contract_limits.c \
	tests/unit/engine_contract_users.c \
	tests/unit/engine_contract_deps.c tests/unit/engine_contract_deps.h \
	tests/unit/engine_contract_deps_many.c \
	tests/unit/engine_contract_queues.c \
	tests/unit/engine_contract_records.c \
	tests/unit/engine_contract_retry.c \
	tests/unit/engine_contract_run.c \
	tests/unit/engine_contract_sets.c \
	tests/unit/engine_contract_sets_read.c \
	tests/unit/engine_contract_submit.c
POWER_LOSS = \
	tests/unit/dice.h \
	tests/unit/power_check.c tests/unit/power_check.h \
	tests/unit/power_facts.c tests/unit/power_facts.h \
	tests/unit/power_work.c tests/unit/power_work.h tests/unit/power_work_private.h \
	tests/unit/power_work_told.c
FAULTY_ALLOC = tests/unit/faulty_alloc.c tests/unit/faulty_alloc.h
CALLOC_FAULTY = -Wl,--wrap=calloc
ENGINE_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(SQLITE_CFLAGS)
check_LIBRARIES += tests/unit/libenginerig.a
tests_unit_libenginerig_a_SOURCES = \
	tests/unit/engine_rig.c tests/unit/engine_rig.h tests/unit/engine_rig_private.h \
	tests/unit/engine_rig_calls.c \
	tests/unit/engine_rig_queues.c \
	tests/unit/engine_rig_sets.c \
	tests/unit/faulty_vfs.c tests/unit/faulty_vfs.h \
	tests/unit/powerloss_vfs.c tests/unit/powerloss_vfs.h
tests_unit_libenginerig_a_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
ENGINE_RIG_TEST = tests/unit/libenginerig.a $(ENGINE_TEST) $(LIBEVENT_LIBS) $(SQLITE_LIBS) -lpthread
tests_unit_test_engine_embedded_SOURCES = tests/unit/test_engine_embedded.c $(ENGINE_CONTRACT) \
	tests/unit/engine_disk.h tests/unit/engine_disk_backup.c tests/unit/engine_disk_deps.c \
	tests/unit/engine_disk_offers.c tests/unit/engine_disk_queues.c \
	tests/unit/engine_disk_sets.c \
	tests/unit/engine_no_memory.c $(FAULTY_ALLOC) tests/unit/private_dir.h
tests_unit_test_engine_embedded_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_engine_embedded_LDFLAGS = $(AM_LDFLAGS) $(CALLOC_FAULTY)
tests_unit_test_engine_embedded_LDADD = $(ENGINE_RIG_TEST)
tests_unit_test_power_loss_SOURCES = tests/unit/test_power_loss.c $(POWER_LOSS)
tests_unit_test_power_loss_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_power_loss_LDADD = $(ENGINE_RIG_TEST)
tests_unit_test_histogram_LDADD = $(ENGINE_TEST)
tests_unit_test_job_next_LDADD = $(ENGINE_TEST)
check_LIBRARIES += tests/unit/libqueuesrig.a
tests_unit_libqueuesrig_a_SOURCES = tests/unit/queues_rig.c tests/unit/queues_rig.h
tests_unit_test_queues_LDADD = tests/unit/libqueuesrig.a $(ENGINE_TEST)
tests_unit_test_queues_model_LDADD = tests/unit/libqueuesrig.a $(ENGINE_TEST)
tests_unit_test_shares_LDADD = tests/unit/libqueuesrig.a $(ENGINE_TEST)
tests_unit_test_numtable_LDADD = $(ENGINE_TEST)
tests_unit_test_pool_LDADD = $(ENGINE_TEST)
tests_unit_test_sched_LDADD = $(ENGINE_TEST)
tests_unit_test_store_SOURCES = tests/unit/test_store.c tests/unit/store_rig.c tests/unit/store_rig.h
tests_unit_test_store_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_store_LDADD = $(ENGINE_TEST) $(LIBEVENT_LIBS) $(SQLITE_LIBS)
tests_unit_test_store_deps_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_store_deps_LDADD = $(ENGINE_TEST) $(LIBEVENT_LIBS) $(SQLITE_LIBS)
tests_unit_test_store_live_SOURCES = tests/unit/test_store_live.c \
	tests/unit/store_rig.c tests/unit/store_rig.h
tests_unit_test_store_live_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_store_live_LDADD = $(ENGINE_TEST) $(LIBEVENT_LIBS) $(SQLITE_LIBS) -lpthread
tests_unit_test_store_log_SOURCES = tests/unit/test_store_log.c \
	tests/unit/space_rig.c tests/unit/space_rig.h tests/unit/private_dir.h
tests_unit_test_store_log_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_store_log_LDADD = $(ENGINE_RIG_TEST)
tests_unit_test_store_space_SOURCES = tests/unit/test_store_space.c tests/unit/dice.h \
	tests/unit/space_rig.c tests/unit/space_rig.h tests/unit/private_dir.h
tests_unit_test_store_space_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_store_space_LDADD = $(ENGINE_RIG_TEST)
tests_unit_test_store_schema_SOURCES = tests/unit/test_store_schema.c tests/unit/dice.h \
	tests/unit/private_dir.h
tests_unit_test_store_schema_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_test_store_schema_LDADD = $(ENGINE_RIG_TEST)

# libaw against a daemon that does what the test says.
CLIENT_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CLIENT_CPPFLAGS)
check_LIBRARIES += tests/unit/libclientrig.a
tests_unit_libclientrig_a_SOURCES = \
	tests/unit/client_rig.c tests/unit/client_rig.h \
	tests/unit/completions_rig.c tests/unit/completions_rig.h \
	tests/unit/fake_daemon.c tests/unit/fake_daemon.h \
	tests/unit/fake_world.c tests/unit/fake_world.h tests/unit/fake_world_private.h \
	tests/unit/fake_world_jobs.c \
	tests/unit/fake_world_sets.c \
	tests/unit/sets_rig.c tests/unit/sets_rig.h
tests_unit_libclientrig_a_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
CLIENT_TEST = tests/unit/libclientrig.a client/libaw.la proto/libproto.la $(CHECK_LIBS) -lpthread
tests_unit_test_client_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_LDADD = $(CLIENT_TEST)
tests_unit_test_client_errors_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_errors_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_errors_LDADD = $(CLIENT_TEST)
tests_unit_test_client_threads_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_threads_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_threads_LDADD = $(CLIENT_TEST)
tests_unit_test_client_sets_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_sets_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_sets_LDADD = $(CLIENT_TEST)
tests_unit_test_client_queues_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_queues_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_queues_LDADD = $(CLIENT_TEST)
tests_unit_test_client_connection_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_connection_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_connection_LDADD = $(CLIENT_TEST)
tests_unit_test_client_completions_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_completions_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_completions_LDADD = $(CLIENT_TEST)
tests_unit_test_client_gather_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_gather_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_gather_LDADD = $(CLIENT_TEST)
# Calls of the C library that fail, in libaw's own objects only.
WRAPPED = malloc calloc realloc reallocarray strdup strndup socket eventfd timerfd_create epoll_create1 \
	epoll_ctl connect sendmsg recv
tests_unit_test_client_faults_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_faults_LDFLAGS = $(PROGRAM_LINK) -static $(WRAPPED:%=-Wl,--wrap=%)
tests_unit_test_client_faults_LDADD = $(CLIENT_TEST)
tests_unit_test_client_loop_SOURCES = tests/unit/test_client_loop.c tests/unit/loop_rig.h
tests_unit_test_client_loop_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_loop_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_loop_LDADD = $(CLIENT_TEST)
tests_unit_test_client_on_done_SOURCES = tests/unit/test_client_on_done.c tests/unit/loop_rig.h
tests_unit_test_client_on_done_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_on_done_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_on_done_LDADD = $(CLIENT_TEST)
tests_unit_test_awctl_args_CPPFLAGS = $(client_awctl_libawctl_la_CPPFLAGS)
tests_unit_test_awctl_args_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_awctl_args_LDADD = client/awctl/libawctl.la $(CLIENT_TEST) -ldl
tests_unit_test_awctl_text_CPPFLAGS = $(client_awctl_libawctl_la_CPPFLAGS)
tests_unit_test_awctl_text_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_awctl_text_LDADD = client/awctl/libawctl.la $(CLIENT_TEST) -ldl
check_LIBRARIES += tests/unit/libawctlrig.a
tests_unit_libawctlrig_a_SOURCES = tests/unit/awctl_rig.c tests/unit/awctl_rig.h
tests_unit_libawctlrig_a_CPPFLAGS = $(AM_CPPFLAGS) \
	-DAWCTL_BUILT='"$(abs_top_builddir)/client/awctl/awctl"'
AWCTL_TEST = tests/unit/libawctlrig.a tests/unit/libclientrig.a $(PROTO_TEST) -lpthread
tests_unit_test_awctl_commands_LDADD = $(AWCTL_TEST)
EXTRA_tests_unit_test_awctl_commands_DEPENDENCIES = client/awctl/awctl
tests_unit_test_awctl_limits_LDADD = $(AWCTL_TEST)
EXTRA_tests_unit_test_awctl_limits_DEPENDENCIES = client/awctl/awctl
tests_unit_test_awctl_sets_SOURCES = tests/unit/test_awctl_sets.c \
	tests/unit/awctl_daemon.c tests/unit/awctl_daemon.h
tests_unit_test_awctl_sets_LDADD = $(AWCTL_TEST)
EXTRA_tests_unit_test_awctl_sets_DEPENDENCIES = client/awctl/awctl
tests_unit_test_client_doc_CPPFLAGS = $(client_awctl_libawctl_la_CPPFLAGS)
tests_unit_test_client_doc_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_doc_LDADD = client/awctl/libawctl.la $(CLIENT_TEST) -ldl
tests_unit_test_client_tcp_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS) $(NNG_CFLAGS) \
	-DAW_MODULE_BUILT='"$(abs_top_builddir)/client/.libs"'
tests_unit_test_client_tcp_LDFLAGS = $(PROGRAM_LINK) -static
tests_unit_test_client_tcp_LDADD = $(CLIENT_TEST) $(NNG_LIBS)
EXTRA_tests_unit_test_client_tcp_DEPENDENCIES = client/libaw-nng.la

# The daemon's edges.
EDGE_TEST = daemon/libedge.la $(CHECK_LIBS)
EDGE_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
ENDPOINT_TEST = tests/unit/sp_client.h tests/unit/tls_client.h
tests_unit_test_addresses_LDADD = $(EDGE_TEST)
tests_unit_test_config_LDADD = $(EDGE_TEST)
tests_unit_test_dirs_LDADD = $(EDGE_TEST)
ENDPOINT_RIG = tests/unit/endpoint_rig.h $(ENDPOINT_TEST)
tests_unit_test_endpoint_SOURCES = tests/unit/test_endpoint.c $(ENDPOINT_RIG)
tests_unit_test_endpoint_CPPFLAGS = $(EDGE_TEST_CPPFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_endpoint_LDADD = $(EDGE_TEST) $(OPENSSL_LIBS)
tests_unit_test_endpoint_limits_SOURCES = tests/unit/test_endpoint_limits.c $(ENDPOINT_RIG)
tests_unit_test_endpoint_limits_CPPFLAGS = $(EDGE_TEST_CPPFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_endpoint_limits_LDADD = $(EDGE_TEST) $(OPENSSL_LIBS)
tests_unit_test_endpoint_listen_SOURCES = tests/unit/test_endpoint_listen.c $(ENDPOINT_TEST)
tests_unit_test_endpoint_listen_CPPFLAGS = $(EDGE_TEST_CPPFLAGS) $(NNG_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_endpoint_listen_LDADD = $(EDGE_TEST) $(NNG_LIBS) $(OPENSSL_LIBS)
tests_unit_test_endpoint_stalls_SOURCES = tests/unit/test_endpoint_stalls.c $(ENDPOINT_RIG)
tests_unit_test_endpoint_stalls_CPPFLAGS = $(EDGE_TEST_CPPFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_endpoint_stalls_LDADD = $(EDGE_TEST) $(OPENSSL_LIBS)
tests_unit_test_endpoint_tls_SOURCES = tests/unit/test_endpoint_tls.c $(ENDPOINT_RIG)
tests_unit_test_endpoint_tls_CPPFLAGS = $(EDGE_TEST_CPPFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_endpoint_tls_LDADD = $(EDGE_TEST) $(OPENSSL_LIBS)
tests_unit_test_log_LDADD = $(EDGE_TEST)
tests_unit_test_notify_LDADD = $(EDGE_TEST)
tests_unit_test_offload_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_unit_test_offload_LDADD = $(EDGE_TEST)
tests_unit_test_memory_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_unit_test_memory_LDADD = $(EDGE_TEST)
tests_unit_test_peer_name_CPPFLAGS = $(EDGE_TEST_CPPFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_peer_name_LDADD = $(EDGE_TEST) $(OPENSSL_LIBS)
tests_unit_test_share_LDADD = $(EDGE_TEST)
tests_unit_test_watchdog_SOURCES = tests/unit/test_watchdog.c $(ENDPOINT_TEST)
tests_unit_test_watchdog_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_unit_test_watchdog_LDADD = $(EDGE_TEST)

tests_unit_test_runner_cgroup_LDADD = $(RUNNER_TEST)
tests_unit_test_runner_output_LDADD = $(RUNNER_TEST)
tests_unit_test_runner_proc_LDADD = $(RUNNER_TEST)
tests_unit_test_runner_wire_LDADD = proto/librunnerwire.la $(BASE_TEST)
tests_unit_test_spool_LDADD = $(RUNNER_TEST)
tests_unit_test_worker_loop_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_unit_test_worker_loop_LDADD = $(WORKER_TEST)

# The daemon's own modules, with an engine that does what the test says.
tests_unit_test_leases_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_unit_test_leases_LDADD = $(DAEMON_TEST) $(LIBEVENT_LIBS)
tests_unit_test_many_ids_SOURCES = tests/unit/test_many_ids.c \
	tests/unit/dispatch_rig.c tests/unit/dispatch_rig.h $(FAULTY_ALLOC)
tests_unit_test_many_ids_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_unit_test_many_ids_LDFLAGS = $(AM_LDFLAGS) $(CALLOC_FAULTY)
tests_unit_test_many_ids_LDADD = $(DAEMON_TEST) $(LIBEVENT_LIBS)
tests_unit_test_wakes_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_unit_test_wakes_LDADD = $(DAEMON_TEST) $(LIBEVENT_LIBS)
# Like the daemon it has epoll_wait.c.
tests_unit_test_turns_SOURCES = tests/unit/test_turns.c daemon/epoll_wait.c
tests_unit_test_turns_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_unit_test_turns_LDADD = $(DAEMON_TEST) $(LIBEVENT_LIBS)

# What the workers need of the daemon.
check_LIBRARIES += tests/unit/libworkerneeds.a
tests_unit_libworkerneeds_a_SOURCES = daemon/addresses.c daemon/inbox.c daemon/log.c daemon/offload.c \
	daemon/spool.c
tests_unit_libworkerneeds_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)

# The exec worker with a real runner.
EXEC_RIG_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) \
	-DAW_RUNNER_BUILT='"$(abs_top_builddir)/daemon/runner/aw-runner"'
check_LIBRARIES += tests/unit/libexecrig.a
tests_unit_libexecrig_a_SOURCES = tests/unit/exec_rig.c tests/unit/exec_rig.h
tests_unit_libexecrig_a_CPPFLAGS = $(EXEC_RIG_CPPFLAGS)
EXEC_TEST = tests/unit/libexecrig.a $(WORKER_TEST)
tests_unit_test_worker_exec_CPPFLAGS = $(EXEC_RIG_CPPFLAGS)
tests_unit_test_worker_exec_LDADD = $(EXEC_TEST)
EXTRA_tests_unit_test_worker_exec_DEPENDENCIES = daemon/runner/aw-runner
tests_unit_test_exec_end_CPPFLAGS = $(EXEC_RIG_CPPFLAGS)
tests_unit_test_exec_end_LDADD = $(EXEC_TEST)
EXTRA_tests_unit_test_exec_end_DEPENDENCIES = daemon/runner/aw-runner
tests_unit_test_exec_limits_CPPFLAGS = $(EXEC_RIG_CPPFLAGS)
tests_unit_test_exec_limits_LDADD = $(EXEC_TEST)
EXTRA_tests_unit_test_exec_limits_DEPENDENCIES = daemon/runner/aw-runner
check_PROGRAMS += tests/unit/ugly
tests_unit_ugly_SOURCES = tests/unit/ugly.c tests/unit/ugly_ways.h
tests_unit_ugly_LDADD = -lpthread
# What it does to be ugly, ThreadSanitizer does not survive; and it is no part of what is tested.
tests_unit_ugly_CFLAGS = $(AM_CFLAGS) -fno-sanitize=all
tests_unit_ugly_LDFLAGS = $(AM_LDFLAGS) -fno-sanitize=all
tests_unit_test_containment_SOURCES = tests/unit/test_containment.c tests/unit/ugly_ways.h
tests_unit_test_containment_CPPFLAGS = $(EXEC_RIG_CPPFLAGS) \
	-DAW_UGLY_BUILT='"$(abs_top_builddir)/tests/unit/ugly"'
tests_unit_test_containment_LDADD = $(EXEC_TEST)
EXTRA_tests_unit_test_containment_DEPENDENCIES = daemon/runner/aw-runner tests/unit/ugly
tests_unit_test_exec_restart_CPPFLAGS = $(EXEC_RIG_CPPFLAGS)
tests_unit_test_exec_restart_LDADD = $(EXEC_TEST)
EXTRA_tests_unit_test_exec_restart_DEPENDENCIES = daemon/runner/aw-runner
tests_unit_test_exec_socket_CPPFLAGS = $(EXEC_RIG_CPPFLAGS)
tests_unit_test_exec_socket_LDADD = $(EXEC_TEST)
EXTRA_tests_unit_test_exec_socket_DEPENDENCIES = daemon/runner/aw-runner

# The http worker with a web server on the same loop.
check_LIBRARIES += tests/unit/libhttprig.a
tests_unit_libhttprig_a_SOURCES = tests/unit/http_rig.c tests/unit/http_rig.h
tests_unit_libhttprig_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
HTTP_TEST = tests/unit/libhttprig.a proto/libproto.la $(WORKER_TEST) -levent_extra -lpthread
tests_unit_test_worker_http_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_unit_test_worker_http_LDADD = $(HTTP_TEST)
tests_unit_test_http_limits_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_unit_test_http_limits_LDADD = $(HTTP_TEST)
tests_unit_test_http_run_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_unit_test_http_run_LDADD = $(HTTP_TEST)

if HAVE_CHECK
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif

# ---- Fuzzers ------------------------------------------------------------------------------------
#
# A new one: its name here, an _LDADD, and some inputs in tests/fuzz/corpus/<name>/. Its source is
# tests/fuzz/fuzz_<name>.c. `make check` replays the corpora; `make fuzz` looks for new inputs, in
# a build of its own made with clang.

FUZZ_TESTS = \
	tests/fuzz/fuzz_client \
	tests/fuzz/fuzz_codec \
	tests/fuzz/fuzz_config \
	tests/fuzz/fuzz_dispatch \
	tests/fuzz/fuzz_endpoint \
	tests/fuzz/fuzz_exec \
	tests/fuzz/fuzz_http_job \
	tests/fuzz/fuzz_peer \
	tests/fuzz/fuzz_runner \
	tests/fuzz/fuzz_text
check_PROGRAMS += $(FUZZ_TESTS)

if FUZZING
FUZZ_REPLAY =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
check_LIBRARIES += tests/fuzz/libreplay.a
tests_fuzz_libreplay_a_SOURCES = tests/fuzz/replay.c
FUZZ_REPLAY = tests/fuzz/libreplay.a
FUZZ_LINK = $(AM_LDFLAGS)
TESTS += $(FUZZ_TESTS)
endif

tests_fuzz_fuzz_client_SOURCES = tests/fuzz/fuzz_client.c tests/fuzz/hostile_daemon.c \
	tests/fuzz/hostile_daemon.h
tests_fuzz_fuzz_client_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_fuzz_fuzz_client_LDFLAGS = $(FUZZ_LINK) -static
tests_fuzz_fuzz_client_LDADD = $(FUZZ_REPLAY) client/libaw.la proto/libproto.la -lpthread
tests_fuzz_fuzz_codec_SOURCES = tests/fuzz/fuzz_codec.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_codec_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_codec_LDADD = $(FUZZ_REPLAY) proto/libproto.la
tests_fuzz_fuzz_config_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_config_LDADD = $(FUZZ_REPLAY) daemon/libedge.la
tests_fuzz_fuzz_dispatch_SOURCES = tests/fuzz/fuzz_dispatch.c tests/fuzz/fuzz_workers.c
tests_fuzz_fuzz_dispatch_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_fuzz_fuzz_dispatch_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_dispatch_LDADD = $(FUZZ_REPLAY) daemon/libdaemon.la
tests_fuzz_fuzz_endpoint_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_fuzz_fuzz_endpoint_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_endpoint_LDADD = $(FUZZ_REPLAY) daemon/libedge.la
tests_fuzz_fuzz_exec_CPPFLAGS = $(EDGE_TEST_CPPFLAGS)
tests_fuzz_fuzz_exec_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_exec_LDADD = $(FUZZ_REPLAY) daemon/workers/libworkers.la \
	tests/unit/libworkerneeds.a proto/libproto.la $(LIBEVENT_LIBS)
tests_fuzz_fuzz_http_job_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_http_job_LDADD = $(FUZZ_REPLAY) proto/libproto.la
tests_fuzz_fuzz_peer_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_peer_LDADD = $(FUZZ_REPLAY) daemon/runner/librunner.la
tests_fuzz_fuzz_runner_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_runner_LDADD = $(FUZZ_REPLAY) proto/librunnerwire.la proto/libbase.la
tests_fuzz_fuzz_text_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_text_LDADD = $(FUZZ_REPLAY) daemon/libedge.la proto/libproto.la -lm

FUZZ_SECONDS = 60
FUZZ = $(FUZZ_TESTS:tests/fuzz/fuzz_%=%)
CLANG = clang

if FUZZING
fuzz: $(FUZZ:%=tests/fuzz/fuzz_%)
	$(AM_V_at)$(srcdir)/tests/fuzz/run '$(FUZZ_SECONDS)' $(FUZZ)
else
fuzz:
	$(AM_V_at)command -v $(CLANG) >/dev/null \
		|| { echo 'make fuzz needs clang (Debian: clang), or CLANG=PROGRAM'; exit 1; }
	$(AM_V_at)mkdir -p fuzz && cd fuzz && { test -e config.status \
		|| $(abs_top_srcdir)/configure --quiet --enable-fuzzing CC='$(CLANG)'; }
	$(AM_V_at)cd fuzz && $(MAKE) $(AM_MAKEFLAGS) AW_WARNINGS= fuzz
endif

.PHONY: fuzz

# ---- End to end ---------------------------------------------------------------------------------
#
# Scripts called *.test that print TAP and drive the programs as they are installed, in stage/ of
# the build directory. They find them by the variables below; tests/e2e/lib.sh does that for them.

E2E_TESTS = \
	tests/e2e/as_completed.test \
	tests/e2e/backup.test \
	tests/e2e/client.test \
	tests/e2e/control.test \
	tests/e2e/deps.test \
	tests/e2e/examples.test \
	tests/e2e/futures.test \
	tests/e2e/hostile.test \
	tests/e2e/http.test \
	tests/e2e/jobs.test \
	tests/e2e/json.test \
	tests/e2e/many.test \
	tests/e2e/permissions.test \
	tests/e2e/queues.test \
	tests/e2e/limits.test \
	tests/e2e/queues_cli.test \
	tests/e2e/restart.test \
	tests/e2e/retry.test \
	tests/e2e/scale.test \
	tests/e2e/sets.test \
	tests/e2e/sets_cli.test \
	tests/e2e/space.test \
	tests/e2e/tcp.test \
	tests/e2e/upgrade.test \
	tests/e2e/quotas.test \
	tests/e2e/users.test \
	tests/e2e/verify.test \
	tests/e2e/waits.test \
	tests/fault/backup_full.test \
	tests/fault/bad_store.test \
	tests/fault/disk_full.test \
	tests/fault/hostile.test \
	tests/fault/runner_killed.test \
	tests/fault/vanished.test
TESTS += $(E2E_TESTS)

# What lib.sh reads JSON with. It is no part of what is tested, and starts faster without sanitizers.
check_PROGRAMS += tests/e2e/json_field
tests_e2e_json_field_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_e2e_json_field_CFLAGS = $(AM_CFLAGS) -fno-sanitize=all
tests_e2e_json_field_LDFLAGS = $(AM_LDFLAGS) -fno-sanitize=all
tests_e2e_json_field_LDADD = $(JANSSON_LIBS)

# libaw's futures in threads and in an event loop, for examples.test.
check_PROGRAMS += tests/e2e/futures_threads
tests_e2e_futures_threads_CPPFLAGS = $(AM_CPPFLAGS) $(CLIENT_CPPFLAGS)
tests_e2e_futures_threads_LDADD = client/libaw.la -lpthread

# A client that is nothing but nng's REQ.
check_PROGRAMS += tests/e2e/nng_client
tests_e2e_nng_client_CPPFLAGS = $(AM_CPPFLAGS) $(NNG_CFLAGS)
tests_e2e_nng_client_LDADD = $(NNG_LIBS)

# The crowd of hostile.test.
check_PROGRAMS += tests/fault/hostile
tests_fault_hostile_SOURCES = \
	tests/fault/hostile.c tests/fault/hostile.h \
	tests/fault/hostile_crowd.c \
	tests/fault/hostile_honest.c \
	tests/fault/hostile_script.c \
	tests/fault/watch_proc.c tests/fault/watch_proc.h
tests_fault_hostile_LDADD = proto/libproto.la

# What torture.test has run, and what shows it to be there.
check_PROGRAMS += tests/fault/torture_job

# Calls of the C library that fail: loaded into the installed programs, before the C library and the
# sanitizers, so that it must be without the latter itself.
check_LTLIBRARIES = tests/fault/faults.la
tests_fault_faults_la_SOURCES = tests/fault/faults.c tests/fault/faults.h tests/fault/faults_calls.c \
	tests/fault/faults_clock.c
tests_fault_faults_la_CFLAGS = $(AM_CFLAGS) -fno-sanitize=all -U_FORTIFY_SOURCE -fvisibility=default
tests_fault_faults_la_LDFLAGS = $(AW_LDFLAGS) -fno-sanitize=all -module -avoid-version -shared \
	-rpath /nowhere
tests_fault_faults_la_LIBADD = -ldl

# A shop, and a program that loads its page by libaw.
ECOMARKET = tests/ecomarket/server tests/ecomarket/dashboard
check_PROGRAMS += $(ECOMARKET)
tests_ecomarket_server_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_ecomarket_server_LDADD = $(LIBEVENT_LIBS) -levent_extra
tests_ecomarket_dashboard_SOURCES = \
	tests/ecomarket/dashboard.c tests/ecomarket/dashboard.h \
	tests/ecomarket/load.c \
	tests/ecomarket/print.c \
	tests/ecomarket/progressive.c \
	tests/ecomarket/steps.c \
	tests/ecomarket/strategies.c
tests_ecomarket_dashboard_CPPFLAGS = $(AM_CPPFLAGS) $(CLIENT_CPPFLAGS)
tests_ecomarket_dashboard_LDADD = client/libaw.la

# Sanitizers keep less of what was freed than they would, which saves a sixth of the time.
AM_TESTS_ENVIRONMENT = \
	ASAN_OPTIONS="quarantine_size_mb=16$${ASAN_OPTIONS:+:$$ASAN_OPTIONS}"; export ASAN_OPTIONS; \
	TSAN_OPTIONS="suppressions=$(abs_top_srcdir)/tests/tsan.supp$${TSAN_OPTIONS:+:$$TSAN_OPTIONS}"; \
	export TSAN_OPTIONS; \
	AWD_STAGE='$(abs_builddir)/stage'; export AWD_STAGE; \
	AWD_BINDIR="$$AWD_STAGE$(bindir)"; export AWD_BINDIR; \
	AWD_SBINDIR="$$AWD_STAGE$(sbindir)"; export AWD_SBINDIR; \
	AWD_LIBDIR="$$AWD_STAGE$(libdir)"; export AWD_LIBDIR; \
	AWD_LIBEXECDIR="$$AWD_STAGE$(pkglibexecdir)"; export AWD_LIBEXECDIR; \
	AWD_BUILDDIR='$(abs_builddir)'; export AWD_BUILDDIR; \
	AWD_TOP_SRCDIR='$(abs_top_srcdir)'; export AWD_TOP_SRCDIR;

stage.stamp: $(bin_PROGRAMS) $(sbin_PROGRAMS) $(pkglibexec_PROGRAMS) $(lib_LTLIBRARIES) \
		$(pkglib_LTLIBRARIES)
	@rm -rf stage $@
	$(AM_V_GEN)$(MAKE) $(AM_MAKEFLAGS) install DESTDIR='$(abs_builddir)/stage' >stage.log 2>&1 \
		|| { cat stage.log; exit 1; }
	@touch $@

# A real C source tree, compiled through awd while that is killed again and again.
check-real: stage.stamp
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/fault/real_tree.sh '$(SRC)'

.PHONY: check-real

# The power goes, at more places than make check has time for.
POINTS = 1000
power-loss: tests/unit/test_power_loss tests/unit/test_store_space
	$(AM_V_at)POWER_LOSS_POINTS='$(POINTS)' tests/unit/test_power_loss
	$(AM_V_at)POWER_LOSS_POINTS='$(POINTS)' CK_RUN_CASE=faults tests/unit/test_store_space

.PHONY: power-loss

# Clients of all kinds, while awd and aw-runner are killed: TORTURE_KILLS=1000 for a long one.
torture: stage.stamp tests/fault/torture_job
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) TORTURE_SEED='$(TORTURE_SEED)' TORTURE_KILLS='$(TORTURE_KILLS)' \
		TORTURE_SECONDS='$(TORTURE_SECONDS)' $(srcdir)/tests/fault/torture.test

.PHONY: torture

# Bad clients in greater numbers, and for longer, than in make check.
hostile: stage.stamp tests/fault/hostile
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) HOSTILE_CONNECTIONS='$(or $(HOSTILE_CONNECTIONS),10000)' \
		HOSTILE_SECONDS='$(or $(HOSTILE_SECONDS),10)' HOSTILE_ACT='$(HOSTILE_ACT)' \
		$(srcdir)/tests/fault/hostile.test

.PHONY: hostile

# Mixed load for twenty minutes; from ten on memory, store and spool are judged.
soak: stage.stamp
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) SOAK_SECONDS='$(or $(SOAK_SECONDS),1200)' \
		$(srcdir)/tests/fault/soak.test

.PHONY: soak

# All faults at all points; make check takes a sample of them.
faults: stage.stamp tests/fault/faults.la
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) FAULTS_SEED='$(FAULTS_SEED)' FAULTS_SAMPLE='$(FAULTS_SAMPLE)' \
		FAULTS_SECONDS='$(or $(FAULTS_SECONDS),100000)' FAULTS_KINDS='$(FAULTS_KINDS)' \
		FAULTS_POINT='$(FAULTS_POINT)' $(srcdir)/tests/fault/faults.test

.PHONY: faults

# Unit tests and corpora under valgrind. Programs that take their time take twenty times as long.
VALGRIND = valgrind
VALGRIND_FLAGS = --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
	--error-exitcode=99
VALGRIND_TESTS = $(UNIT_TESTS) $(FUZZ_TESTS)
check-valgrind:
	$(AM_V_at)command -v $(VALGRIND) >/dev/null \
		|| { echo 'make check-valgrind needs valgrind'; exit 1; }
	$(AM_V_at)CK_TIMEOUT_MULTIPLIER=20 $(MAKE) $(AM_MAKEFLAGS) check-TESTS \
		TESTS='$(VALGRIND_TESTS)' \
		LOG_COMPILER='$(LIBTOOL) --quiet --mode=execute $(VALGRIND) $(VALGRIND_FLAGS)'

# End-to-end tests with awd and aw-runner under valgrind: half an hour. What a fault library is loaded
# into, and what takes its time by itself, is left out.
VALGRIND_PROGRAM_TESTS = $(E2E_TESTS) tests/e2e/identity.test tests/fault/clock.test \
	tests/fault/torture.test
check-valgrind-programs: stage.stamp tests/e2e/json_field tests/fault/torture_job tests/fault/hostile
	$(AM_V_at)command -v $(VALGRIND) >/dev/null \
		|| { echo 'make check-valgrind-programs needs valgrind'; exit 1; }
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) VALGRIND='$(VALGRIND)' VALGRIND_FLAGS='$(VALGRIND_FLAGS)' \
		$(srcdir)/tests/fault/valgrind $(VALGRIND_PROGRAM_TESTS)

.PHONY: check-valgrind check-valgrind-programs

# The table that README.md has.
ecomarket: stage.stamp $(ECOMARKET)
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/ecomarket/show

.PHONY: ecomarket

stage: stage.stamp tests/e2e/json_field
check_DATA = stage.stamp config-h-is-made
CLEANFILES += stage.stamp stage.log

clean-local:
	rm -rf stage stage-valgrind systemd-root fuzz tests/fault/torture.found tests/fault/faults.found
	-find . -name '*.gc??' -exec rm -f {} + 2>/dev/null # others remove folders meanwhile

distclean-local:
	rm -f systemd-root*

# ---- Lint ---------------------------------------------------------------------------------------

LINT_CPPFLAGS = -std=gnu17 -D_GNU_SOURCE -include config.h -I$(abs_top_srcdir) -I$(abs_builddir) \
	-idirafter $(abs_top_srcdir)/proto -idirafter $(abs_top_srcdir)/client \
	-DAW_RUNNER_PATH=\"x\" -DAW_PKGLIBDIR=\"x\" \
	-DAW_MODULE_BUILT=\"x\" -DAW_RUNNER_BUILT=\"x\" -DAW_UGLY_BUILT=\"x\" -DAWCTL_BUILT=\"x\" \
	$(LIBEVENT_CFLAGS) $(NNG_CFLAGS) $(MSGPACK_CFLAGS) $(SQLITE_CFLAGS) $(SMARTCOLS_CFLAGS) \
	$(JANSSON_CFLAGS) $(INIH_CFLAGS) $(SYSTEMD_CFLAGS) $(CHECK_CFLAGS)

lint:
	$(AM_V_at)LINT_CPPFLAGS="$(LINT_CPPFLAGS)" $(srcdir)/tests/lint/run $(CHECKS)

# The counters are in the objects' folders; `make coverage` adds up what `make check` has run.
if COVERAGE
coverage: check
	$(AM_V_at)$(srcdir)/tests/lint/coverage '$(abs_top_srcdir)'
endif

# ---- Under a real systemd -----------------------------------------------------------------------

check-systemd: stage.stamp
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/systemd/run '$(abs_builddir)/systemd-root'

# ---- With control groups ------------------------------------------------------------------------

CGROUP_TESTS = test_worker_exec test_exec_end test_exec_restart test_exec_limits test_containment

check-cgroup: daemon/runner/aw-runner tests/unit/ugly $(CGROUP_TESTS:%=tests/unit/%)
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/cgroup/run '$(abs_builddir)' $(CGROUP_TESTS)

.PHONY: stage lint coverage check-systemd check-cgroup
