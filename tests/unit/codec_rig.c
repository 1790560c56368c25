#include "tests/unit/codec_rig.h"

SCHEMA_DEFINE(inner, INNER_FIELDS)
SCHEMA_DEFINE(outer, OUTER_FIELDS)
SCHEMA_DEFINE(needy, NEEDY_FIELDS)
