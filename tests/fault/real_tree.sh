#!/bin/bash
# A real C source tree is compiled through awd, one job for each file, while awd is killed with -9
# and started again three times. Nothing may be lost or compiled twice, and what comes out must be
# what make makes. Run it by
#
#     make check-real SRC=DIRECTORY
#
# DIRECTORY holds a source tree that `./configure && make`, or `make` alone, can build. It is copied.
# Lua's does; zlib's does not, as its makefile renames what it has compiled.
. "${0%/*}/../e2e/lib.sh"
needs python3 make cc
SRC=${1:?which source tree?}
TREE=$TMP/tree
CC=$(command -v cc)
export SOURCE_DATE_EPOCH=1700000000

# A compiler that notes how it was called (one file a call), then does it.
recorder()
{
    mkdir -p "$TMP/bin" "$TMP/$1"
    cat >"$TMP/bin/cc" <<END
#!/bin/bash
printf '%s\0' "\$PWD" "\$@" >"$TMP/$1/\$\$.\$RANDOM"
exec $CC "\$@"
END
    chmod +x "$TMP/bin/cc"
}

# Programs, libraries and objects, by what is in them.
built()
{
    (cd "$1" && find . -type f -size +3c -exec sh -c 'for f; do
        case $(head -c 4 "$f" | tr -d "\0") in ?ELF | "!<ar") echo "$f" ;; esac; done' sh {} +) | sort
}

by_make()
{
    cp -a "$SRC/." "$TREE"
    cd "$TREE"
    recorder made
    if [ -x configure ] && [ ! -e Makefile ]; then
        ./configure --disable-dependency-tracking CC="$TMP/bin/cc" >"$TMP/configure.log" 2>&1 || fail "$(tail "$TMP/configure.log")"
    fi
    rm -rf "$TMP/made"
    mkdir "$TMP/made"
    make -j2 CC="$TMP/bin/cc" >"$TMP/make.log" 2>&1 || fail "$(tail "$TMP/make.log")"
    cp -a "$TREE" "$TMP/tree.make"
    built "$TMP/tree.make" >"$TMP/built"
    [ -s "$TMP/built" ]
}

# The calls in a record that compiled a file, as jobs, each once. What configure tries is left out.
compiles()
{
    python3 - "$TMP" "$1" <<'END'
import json, os, sys
tmp, record = sys.argv[1:]
env = [f'{name}={os.environ[name]}' for name in ('PATH', 'SOURCE_DATE_EPOCH')]
jobs = {}
for name in sorted(os.listdir(f'{tmp}/{record}')):
    cwd, *args = os.fsdecode(open(f'{tmp}/{record}/{name}', 'rb').read()).split('\0')[:-1]
    if '-c' in args and not any(arg.startswith('conftest') for arg in args):
        job = {'argv': [f'{tmp}/bin/cc-once', *args], 'cwd': cwd, 'env': env}
        jobs[json.dumps(job)] = True
print('\n'.join(jobs))
END
}

# Submits each by itself, as a build tool would; kills awd on the way.
by_awd()
{
    local n=0 total line id

    # A compiler that says for which job it was called.
    printf '#!/bin/sh\necho "$AWD_JOB_ID" >>%s\nexec %s "$@"\n' "$TMP/compiled" "$CC" >"$TMP/bin/cc-once"
    chmod +x "$TMP/bin/cc-once"
    compiles made >"$TMP/jobs"
    total=$(wc -l <"$TMP/jobs")
    [ "$total" -ge 4 ] || fail "only $total files were compiled"
    (cd "$TREE" && xargs -d '\n' rm -f <"$TMP/built")
    is "$(built "$TREE")" "" "what is left of the first build"
    : >"$TMP/ids"
    : >"$TMP/compiled"
    while read -r line; do
        echo "$line" | awctl submit --connect-timeout 60 --batch - >>"$TMP/ids"
        n=$((n + 1))
        if [ $n = $((total / 4)) ] || [ $n = $((total / 2)) ] || [ $n = $((total * 3 / 4)) ]; then
            awd_kill KILL
            awd_start
        fi
    done <"$TMP/jobs"
    awctl wait --timeout 1h - <"$TMP/ids" 2>"$TMP/err" || {
        id=$(awctl list -q --state failed --limit 1)
        awctl status "$id" >&2
        awctl logs --stderr "$id" >&2
        fail "$(wc -l <"$TMP/err") failed"
    }
    is "$(sort -u "$TMP/ids" | wc -l)" "$total" "different futures"
    is "$(sort "$TMP/compiled")" "$(sort "$TMP/ids")" "what was compiled, and how often"
    say "$total files compiled through awd"
}

linked()
{
    cd "$TREE"
    recorder linked
    make -j2 CC="$TMP/bin/cc" >"$TMP/make2.log" 2>&1 || fail "$(tail "$TMP/make2.log")"
    is "$(compiles linked)" "" "what make compiled again"
    is "$(built "$TREE")" "$(cat "$TMP/built")" "what was built"
    while read -r file; do
        cmp "$TREE/$file" "$TMP/tree.make/$file"
    done <"$TMP/built"
    say "$(wc -l <"$TMP/built") objects, libraries and programs are the same"
}

awd_start
check "make compiles it" by_make
check "awd compiles it, killed three times: each file once" by_awd
check "it links to what make made, byte for byte" linked
for log in "$TMP/ids" "$TMP/built"; do
    echo "# $(wc -l <"$log") $(basename "$log")"
done
finish
