# What daemon and client share. libbase has no dependencies; libproto is the only user of msgpack.

noinst_LTLIBRARIES += proto/libbase.la proto/libproto.la proto/librunnerwire.la
include_HEADERS += proto/aw_codes.h

proto_libbase_la_SOURCES = \
	proto/aw_codes.h \
	proto/base.c proto/base.h \
	proto/future_id.c proto/future_id.h \
	proto/job_limits.c proto/job_limits.h \
	proto/lifecycle.c proto/lifecycle.h \
	proto/limits.h \
	proto/schema.h \
	proto/sp.c proto/sp.h \
	proto/text.c proto/text.h
proto_libbase_la_LIBADD = -lm

proto_libproto_la_SOURCES = \
	proto/codec.c proto/codec.h \
	proto/http_job.c proto/http_job.h \
	proto/messages.c proto/messages.h \
	proto/values.c proto/values.h
proto_libproto_la_CPPFLAGS = $(AM_CPPFLAGS) $(MSGPACK_CFLAGS)
proto_libproto_la_LIBADD = proto/libbase.la $(MSGPACK_LIBS)

# What awd and aw-runner say to each other: no business of libaw.
proto_librunnerwire_la_SOURCES = \
	proto/runner_sock.c \
	proto/runner_wire.c proto/runner_wire.h
proto_librunnerwire_la_LIBTOOLFLAGS = $(STATIC_ONLY)
