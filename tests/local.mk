# Tests: unit (Check programs, one for each module) and e2e (scripts that drive the installed
# programs). All of them print TAP. See tests/README.md.

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TEST_EXTENSIONS = .test
TEST_LOG_DRIVER = $(LOG_DRIVER)

# ---- Unit tests ---------------------------------------------------------------------------------
#
# A new one: its name here, and an _LDADD with the library that it tests. Its source is
# tests/unit/test_<module>.c without saying so.

UNIT_TESTS = \
	tests/unit/test_base \
	tests/unit/test_codec \
	tests/unit/test_future_id \
	tests/unit/test_lifecycle \
	tests/unit/test_messages \
	tests/unit/test_protocol_doc \
	tests/unit/test_sp \
	tests/unit/test_text \
	tests/unit/test_validator

BASE_TEST = proto/libbase.la $(CHECK_LIBS)
PROTO_TEST = proto/libproto.la $(CHECK_LIBS)
ENGINE_TEST = daemon/engine/libengine.la proto/libproto.la $(CHECK_LIBS)
DAEMON_TEST = daemon/libdaemon.la daemon/engine/libengine.la proto/libproto.la $(CHECK_LIBS)
RUNNER_TEST = daemon/runner/librunner.la proto/libbase.la $(CHECK_LIBS)

tests_unit_test_base_LDADD = $(BASE_TEST)
tests_unit_test_codec_LDADD = $(PROTO_TEST)
tests_unit_test_future_id_LDADD = $(BASE_TEST)
tests_unit_test_lifecycle_LDADD = $(BASE_TEST)
tests_unit_test_messages_LDADD = $(PROTO_TEST)
tests_unit_test_protocol_doc_LDADD = $(PROTO_TEST)
tests_unit_test_sp_LDADD = $(BASE_TEST)
tests_unit_test_text_LDADD = $(BASE_TEST)
tests_unit_test_validator_LDADD = $(PROTO_TEST)

if HAVE_CHECK
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
