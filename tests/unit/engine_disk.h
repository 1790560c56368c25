/*
 * engine_disk.h - tests of the embedded engine on a disk that fails: those that are not in
 * test_engine_embedded.c, which brings the fixture.
 */
#ifndef AW_ENGINE_DISK_H
#define AW_ENGINE_DISK_H

#include "tests/unit/engine_rig.h"

void disk_deps_add(TCase *tc);

#endif
