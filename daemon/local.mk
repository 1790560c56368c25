# The daemon: libedge is where it meets the world, libengine decides and remembers, libworkers runs
# jobs, libdaemon is everything else, awd is main().

noinst_LTLIBRARIES += daemon/libedge.la daemon/engine/libengine.la daemon/workers/libworkers.la \
	daemon/libdaemon.la
sbin_PROGRAMS += daemon/awd
dist_man_MANS += daemon/awd.8 daemon/awd.conf.5

# The endpoint, the configuration, addresses, the log, systemd, directories, other threads.
daemon_libedge_la_SOURCES = \
	daemon/access.c daemon/access.h \
	daemon/addresses.c daemon/addresses.h \
	daemon/config.c daemon/config.h \
	daemon/config_file.c \
	daemon/config_paths.c \
	daemon/config_value.c daemon/config_value.h \
	daemon/dirs.c daemon/dirs.h \
	daemon/endpoint.c daemon/endpoint.h \
	daemon/inbox.c daemon/inbox.h \
	daemon/log.c daemon/log.h \
	daemon/log_journal.c daemon/log_journal.h \
	daemon/memory.c daemon/memory.h \
	daemon/notify.c daemon/notify.h \
	daemon/offload.c daemon/offload.h \
	daemon/share.c daemon/share.h \
	daemon/watchdog.c daemon/watchdog.h \
	daemon/transports/stream.c daemon/transports/stream_private.h \
	daemon/transports/stream_accept.c \
	daemon/transports/stream_read.c \
	daemon/transports/listener.c daemon/transports/listener.h \
	daemon/transports/key_file.c daemon/transports/key_file.h \
	daemon/transports/peer_name.c daemon/transports/peer_name.h \
	daemon/transports/tls.c daemon/transports/tls.h \
	daemon/transports/transport.h
daemon_libedge_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(OPENSSL_CFLAGS) $(INIH_CFLAGS) \
	$(SYSTEMD_CFLAGS)
daemon_libedge_la_LIBTOOLFLAGS = $(STATIC_ONLY)
daemon_libedge_la_LIBADD = proto/libproto.la $(LIBEVENT_LIBS) $(OPENSSL_LIBS) $(INIH_LIBS) \
	$(SYSTEMD_LIBS) -lpthread

daemon_engine_libengine_la_SOURCES = \
	daemon/engine/engine.h \
	daemon/engine/histogram.c daemon/engine/histogram.h \
	daemon/engine/job_next.c daemon/engine/job_next.h \
	daemon/engine/offline.h \
	daemon/engine/numtable.c daemon/engine/numtable.h \
	daemon/engine/outcome.h \
	daemon/engine/pool.c daemon/engine/pool.h \
	daemon/engine/embedded/accounts.c daemon/engine/embedded/accounts.h \
	daemon/engine/embedded/deps.c daemon/engine/embedded/deps.h \
	daemon/engine/embedded/embedded.c daemon/engine/embedded/embedded.h \
	daemon/engine/embedded/embedded_accounts.c \
	daemon/engine/embedded/embedded_backup.c \
	daemon/engine/embedded/embedded_calls.c \
	daemon/engine/embedded/embedded_change.c \
	daemon/engine/embedded/embedded_explain.c \
	daemon/engine/embedded/embedded_queues.c \
	daemon/engine/embedded/embedded_submit.c \
	daemon/engine/embedded/embedded_cancel.c \
	daemon/engine/embedded/embedded_deps.c \
	daemon/engine/embedded/embedded_private.h \
	daemon/engine/embedded/embedded_reads.c \
	daemon/engine/embedded/embedded_set_calls.c \
	daemon/engine/embedded/embedded_sets.c \
	daemon/engine/embedded/embedded_remove.c \
	daemon/engine/embedded/policies.c daemon/engine/embedded/policies.h \
	daemon/engine/embedded/live.h \
	daemon/engine/embedded/queues.c daemon/engine/embedded/queues.h \
	daemon/engine/embedded/queues_ahead.c \
	daemon/engine/embedded/queues_private.h \
	daemon/engine/embedded/sched.c daemon/engine/embedded/sched.h \
	daemon/engine/embedded/sets.c daemon/engine/embedded/sets.h \
	daemon/engine/embedded/shares.c daemon/engine/embedded/shares.h \
	daemon/engine/embedded/store.c daemon/engine/embedded/store.h \
	daemon/engine/embedded/store_accounts.c daemon/engine/embedded/store_accounts.h \
	daemon/engine/embedded/store_backup.c \
	daemon/engine/embedded/store_check.c \
	daemon/engine/embedded/store_check_rows.c \
	daemon/engine/embedded/store_check_sql.h \
	daemon/engine/embedded/store_db.c \
	daemon/engine/embedded/store_deps.c \
	daemon/engine/embedded/store_effects.h \
	daemon/engine/embedded/store_live.c \
	daemon/engine/embedded/store_log.c \
	daemon/engine/embedded/store_log_file.c \
	daemon/engine/embedded/store_offline.c daemon/engine/embedded/store_offline.h \
	daemon/engine/embedded/store_ops.h \
	daemon/engine/embedded/store_private.h \
	daemon/engine/embedded/store_queues.c \
	daemon/engine/embedded/store_read.c \
	daemon/engine/embedded/store_records.h \
	daemon/engine/embedded/store_remove.c \
	daemon/engine/embedded/store_rows.c daemon/engine/embedded/store_rows.h \
	daemon/engine/embedded/store_schema.c daemon/engine/embedded/store_schema.h \
	daemon/engine/embedded/store_set_ops.h \
	daemon/engine/embedded/store_sets.c daemon/engine/embedded/store_sets.h \
	daemon/engine/embedded/store_sets_join.c \
	daemon/engine/embedded/store_sets_read.c \
	daemon/engine/embedded/store_sets_remove.c \
	daemon/engine/embedded/store_sets_sql.h \
	daemon/engine/embedded/store_space.c \
	daemon/engine/embedded/store_sql.h \
	daemon/engine/embedded/store_submit.c \
	daemon/engine/embedded/store_write.c
daemon_engine_libengine_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(SQLITE_CFLAGS)
daemon_engine_libengine_la_LIBTOOLFLAGS = $(STATIC_ONLY)
daemon_engine_libengine_la_LIBADD = proto/libproto.la $(LIBEVENT_LIBS) $(SQLITE_LIBS) -lpthread

daemon_workers_libworkers_la_SOURCES = \
	daemon/workers/attempt.c daemon/workers/attempt.h \
	daemon/workers/exec.c daemon/workers/exec.h \
	daemon/workers/http.c daemon/workers/http.h daemon/workers/http_private.h \
	daemon/workers/http_curl.c daemon/workers/http_curl.h \
	daemon/workers/http_multi.c \
	daemon/workers/http_request.c \
	daemon/workers/http_stream.c daemon/workers/http_stream.h \
	daemon/workers/http_verdict.c \
	daemon/workers/noop.c \
	daemon/workers/runner_link.c daemon/workers/runner_link.h \
	daemon/workers/runner_start.c daemon/workers/runner_start.h \
	daemon/workers/sleep.c \
	daemon/workers/worker.h
daemon_workers_libworkers_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(CURL_CFLAGS)
daemon_workers_libworkers_la_LIBTOOLFLAGS = $(STATIC_ONLY)
daemon_workers_libworkers_la_LIBADD = proto/librunnerwire.la $(LIBEVENT_LIBS)

daemon_libdaemon_la_SOURCES = \
	daemon/backup_file.c daemon/backup_file.h \
	daemon/dispatch.c daemon/dispatch.h \
	daemon/giveback.c daemon/giveback.h \
	daemon/leases.c daemon/leases.h \
	daemon/restore.c daemon/restore.h \
	daemon/running.c daemon/running.h daemon/running_private.h \
	daemon/running_ahead.c \
	daemon/running_end.c \
	daemon/server.c daemon/server.h \
	daemon/spool.c daemon/spool.h \
	daemon/sweep.c daemon/sweep.h \
	daemon/timer.h \
	daemon/turns.c daemon/turns.h \
	daemon/verify.c daemon/verify.h \
	daemon/watches.c daemon/watches.h \
	daemon/ops/attempts.c \
	daemon/ops/backup.c \
	daemon/ops/cancel.c \
	daemon/ops/change.c \
	daemon/ops/drain.c \
	daemon/ops/explain.c \
	daemon/ops/forget.c \
	daemon/ops/hello.c \
	daemon/ops/ids.c daemon/ops/ids.h \
	daemon/ops/list.c \
	daemon/ops/logs.c \
	daemon/ops/output.c daemon/ops/output.h \
	daemon/ops/queues.c \
	daemon/ops/result.c \
	daemon/ops/results.c daemon/ops/results.h \
	daemon/ops/retry.c \
	daemon/ops/set_add.c \
	daemon/ops/set_cancel.c \
	daemon/ops/set_forget.c \
	daemon/ops/set_name.h \
	daemon/ops/set_read.c \
	daemon/ops/set_walk.c daemon/ops/set_walk.h \
	daemon/ops/set_watch.c daemon/ops/set_watch.h \
	daemon/ops/sets.c \
	daemon/ops/shutdown.c \
	daemon/ops/slots.c \
	daemon/ops/stats.c \
	daemon/ops/status.c \
	daemon/ops/statuses.c daemon/ops/statuses.h \
	daemon/ops/submit.c \
	daemon/ops/submit_jobs.c daemon/ops/submit_jobs.h \
	daemon/ops/users.c \
	daemon/ops/view.c daemon/ops/view.h \
	daemon/ops/wait.c daemon/ops/wait.h \
	daemon/ops/wait_set.c \
	daemon/ops/wakes.c daemon/ops/wakes.h
daemon_libdaemon_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
daemon_libdaemon_la_LIBTOOLFLAGS = $(STATIC_ONLY)
daemon_libdaemon_la_LIBADD = daemon/engine/libengine.la daemon/workers/libworkers.la \
	daemon/libedge.la proto/libproto.la $(LIBEVENT_LIBS) -lpthread

# epoll_wait.c replaces a function of the C library for the whole program: never put it in a library.
daemon_awd_SOURCES = daemon/main.c daemon/epoll_wait.c
daemon_awd_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
daemon_awd_LDFLAGS = $(PROGRAM_LINK)
daemon_awd_LDADD = daemon/libdaemon.la
