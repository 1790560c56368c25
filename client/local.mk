# The library, its second transport (loaded only for tcp), and awctl on top of the library.

lib_LTLIBRARIES += client/libaw.la
pkglib_LTLIBRARIES += client/libaw-nng.la
include_HEADERS += client/aw.h
bin_PROGRAMS += client/awctl/awctl
dist_man_MANS += client/libaw.3 client/awctl.1
EXTRA_DIST += client/libaw.map

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = client/completion/awctl

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = client/libaw.pc

client_libaw_la_SOURCES = \
	client/aw.h \
	client/libaw/address.c client/libaw/address.h \
	client/libaw/call.c client/libaw/call.h \
	client/libaw/change.c \
	client/libaw/client.c \
	client/libaw/completions.c client/libaw/completions.h \
	client/libaw/completions_left.c \
	client/libaw/completions_open.c \
	client/libaw/copy.c client/libaw/copy.h client/libaw/copy_fields.h \
	client/libaw/daemon.c \
	client/libaw/future.c client/libaw/future.h \
	client/libaw/gather.c \
	client/libaw/loop.c \
	client/libaw/mux.c client/libaw/mux.h \
	client/libaw/mux_io.c client/libaw/mux_io.h \
	client/libaw/mux_loop.c \
	client/libaw/output.c \
	client/libaw/query.c \
	client/libaw/queues.c \
	client/libaw/sets.c \
	client/libaw/stream.h \
	client/libaw/stream_find.c \
	client/libaw/stream_ipc.c \
	client/libaw/submit.c \
	client/libaw/users.c \
	client/libaw/wait.c \
	client/libaw/watcher.c client/libaw/watcher.h \
	client/libaw/watcher_table.c client/libaw/watcher_table.h
client_libaw_la_CPPFLAGS = $(AM_CPPFLAGS) $(CLIENT_CPPFLAGS)
client_libaw_la_DEPENDENCIES = proto/libproto.la client/libaw.map
client_libaw_la_LIBADD = proto/libproto.la -lpthread -ldl
client_libaw_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(srcdir)/client/libaw.map

client_libaw_nng_la_SOURCES = client/libaw/stream_nng.c
client_libaw_nng_la_CPPFLAGS = $(AM_CPPFLAGS) $(NNG_CFLAGS)
client_libaw_nng_la_LIBADD = proto/libbase.la $(NNG_LIBS) -lpthread
client_libaw_nng_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared

# <aw.h> includes <aw_codes.h>: installed they are neighbours. Not -I, for there is a limits.h.
CLIENT_CPPFLAGS = -idirafter $(top_srcdir)/proto

# awctl without its main(), for the tests. libjansson and libsmartcols are loaded when needed
# (awctl/lazy.h), libaw is linked statically: each library loaded costs every call some 50 us.
noinst_LTLIBRARIES += client/awctl/libawctl.la
client_awctl_libawctl_la_SOURCES = \
	client/awctl/awctl.c client/awctl/awctl.h \
	client/awctl/bar.c client/awctl/bar.h \
	client/awctl/batch.c client/awctl/batch.h \
	client/awctl/cmd_backup.c \
	client/awctl/cmd_change.c \
	client/awctl/cmd_completed.c \
	client/awctl/cmd_daemon.c \
	client/awctl/cmd_explain.c \
	client/awctl/cmd_gather.c \
	client/awctl/cmd_help.c \
	client/awctl/cmd_list.c \
	client/awctl/cmd_logs.c \
	client/awctl/cmd_queue.c \
	client/awctl/cmd_result.c \
	client/awctl/cmd_run.c \
	client/awctl/cmd_set.c \
	client/awctl/cmd_status.c \
	client/awctl/cmd_submit.c \
	client/awctl/cmd_users.c \
	client/awctl/cmd_wait.c client/awctl/follow.c \
	client/awctl/commands.c \
	client/awctl/ids.c \
	client/awctl/jobspec.c client/awctl/jobspec.h \
	client/awctl/json.c \
	client/awctl/lazy.c client/awctl/lazy.h \
	client/awctl/limit_opts.c client/awctl/limit_opts.h \
	client/awctl/options.c client/awctl/options.h \
	client/awctl/print.c client/awctl/print.h \
	client/awctl/suggest.c \
	client/awctl/table.c \
	client/awctl/time.c \
	client/awctl/utf8.c client/awctl/utf8.h \
	client/awctl/verdict.c \
	client/awctl/waiting.c client/awctl/waiting.h
client_awctl_libawctl_la_CPPFLAGS = $(AM_CPPFLAGS) $(CLIENT_CPPFLAGS) $(SMARTCOLS_CFLAGS) \
	$(JANSSON_CFLAGS)
client_awctl_libawctl_la_LIBTOOLFLAGS = $(STATIC_ONLY)

client_awctl_awctl_SOURCES = client/awctl/main.c
client_awctl_awctl_CPPFLAGS = $(client_awctl_libawctl_la_CPPFLAGS)
client_awctl_awctl_LDFLAGS = $(PROGRAM_LINK) -static
client_awctl_awctl_LDADD = client/awctl/libawctl.la client/libaw.la proto/libproto.la -ldl
