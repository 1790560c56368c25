/* Other programs that do such things, where they are installed. */
#include "tests/bench/bench.h"

const struct bench_case peer_cases[] = {{0}};
