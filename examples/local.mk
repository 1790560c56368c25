# Examples of libaw's use: what a user would write, built and run by tests/e2e/examples.test. They
# see the headers as they are installed, and nothing else of this tree.

EXAMPLES = examples/sync examples/event_loop examples/web
check_PROGRAMS += $(EXAMPLES)
EXAMPLES_CPPFLAGS = -D_GNU_SOURCE -I$(top_srcdir)/client $(CLIENT_CPPFLAGS) $(LIBEVENT_CFLAGS)
EXAMPLES_CFLAGS = $(AM_CFLAGS) -Wno-write-strings # argv is often written down
examples_sync_CFLAGS = $(EXAMPLES_CFLAGS)
examples_event_loop_CFLAGS = $(EXAMPLES_CFLAGS)
examples_web_CFLAGS = $(EXAMPLES_CFLAGS)

examples_sync_CPPFLAGS = $(EXAMPLES_CPPFLAGS)
examples_sync_LDADD = client/libaw.la
examples_event_loop_CPPFLAGS = $(EXAMPLES_CPPFLAGS)
examples_event_loop_LDADD = client/libaw.la $(LIBEVENT_LIBS)
examples_web_CPPFLAGS = $(EXAMPLES_CPPFLAGS)
examples_web_LDADD = client/libaw.la $(LIBEVENT_LIBS) -levent_extra
