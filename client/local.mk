# The library, its second transport (loaded only for tcp), and awctl on top of the library.

lib_LTLIBRARIES += client/libaw.la
pkglib_LTLIBRARIES += client/libaw-nng.la
include_HEADERS += client/aw.h
bin_PROGRAMS += client/awctl/awctl
dist_man_MANS += client/libaw.3 client/awctl/awctl.1
EXTRA_DIST += client/libaw.map

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = client/libaw.pc

client_libaw_la_SOURCES = client/aw.h client/libaw.c
client_libaw_la_DEPENDENCIES = proto/libproto.la client/libaw.map
client_libaw_la_LIBADD = proto/libproto.la -lpthread
client_libaw_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(srcdir)/client/libaw.map

client_libaw_nng_la_SOURCES = client/transport_nng.c
client_libaw_nng_la_CPPFLAGS = $(AM_CPPFLAGS) $(NNG_CFLAGS)
client_libaw_nng_la_LIBADD = proto/libbase.la $(NNG_LIBS)
client_libaw_nng_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared

client_awctl_awctl_SOURCES = client/awctl/main.c
client_awctl_awctl_CPPFLAGS = $(AM_CPPFLAGS) $(SMARTCOLS_CFLAGS) $(JANSSON_CFLAGS)
client_awctl_awctl_LDFLAGS = $(PROGRAM_LINK)
client_awctl_awctl_LDADD = client/libaw.la proto/libproto.la $(SMARTCOLS_LIBS) $(JANSSON_LIBS)
