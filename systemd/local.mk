# Units for the system's manager and for a user's own, and what they need at boot.

SYSTEM_UNITS = systemd/awd.service systemd/awd-runner.service systemd/awd-runner.socket
USER_UNITS = systemd/user/awd.service systemd/user/awd-runner.service \
	systemd/user/awd-runner.socket

dist_doc_DATA += systemd/SECURITY.md

if INSTALL_UNITS
systemunitdir = $(systemdunitdir)/system
userunitdir = $(systemdunitdir)/user
nodist_systemunit_DATA = $(SYSTEM_UNITS)
nodist_userunit_DATA = $(USER_UNITS)
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = systemd/sysusers.d/awd.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
dist_tmpfiles_DATA = systemd/tmpfiles.d/awd.conf
examplesdir = $(docdir)/examples
dist_examples_DATA = systemd/awd-runner-strict.conf
endif

# The programs' places are known only to make, so the units are made here.
systemd/%: systemd/%.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' $< >$@

EXTRA_DIST += $(SYSTEM_UNITS:=.in) $(USER_UNITS:=.in) systemd/sysusers.d/awd.conf \
	systemd/tmpfiles.d/awd.conf systemd/awd-runner-strict.conf systemd/SECURITY.md
CLEANFILES += $(SYSTEM_UNITS) $(USER_UNITS)
