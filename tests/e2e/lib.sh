# lib.sh - for end-to-end tests: a private daemon, TAP, and waiting without luck. Source it with
#
#     . "${0%/*}/lib.sh"
#
# then declare functions and run them, one sentence each:
#
#     check "an unknown ID is told from an expired one" unknown_id
#     finish
#
# Each check runs in a subshell with `set -e`: the first command that fails ends it, and what it
# printed is shown. All share one daemon directory, $DIR; awctl finds the daemon there by itself.
# Whatever runs from $DIR when the script ends is killed.
# shellcheck shell=bash

set -u
: "${AWD_BINDIR:?run this by make check, or set AWD_BINDIR and AWD_SBINDIR}" "${AWD_SBINDIR:?}"
PATH=$AWD_BINDIR:$AWD_SBINDIR:$PATH
LD_LIBRARY_PATH=${AWD_LIBDIR:-}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PATH LD_LIBRARY_PATH

# A short path: a Unix socket's name has 107 bytes at most.
TMP=$(mktemp -d /tmp/awd-test.XXXXXX)
DIR=$TMP/d
mkdir -m 700 "$DIR"
AWD_SOCKET=$DIR/awd.sock
export TMP DIR AWD_SOCKET
N=0
FAILED=0
AWD_PID=

say()
{
    printf '%s\n' "$*" >&2
}

fail()
{
    say "$*"
    return 1
}

# not COMMAND...: it fails. (A `!` would not end the check when it succeeds.)
not()
{
    ! "$@"
}

# is GOT WANT [WHAT]: two strings are the same.
is()
{
    [ "$1" = "$2" ] || fail "${3:-value} is '$1', not '$2'"
}

# like GOT PATTERN [WHAT]: a string matches a shell pattern.
like()
{
    # shellcheck disable=SC2254 # it is a pattern
    case $1 in
    $2) ;;
    *) fail "${3:-value} is '$1', which is not like '$2'" ;;
    esac
}

# exits CODE COMMAND...: it does exit with this code. Its output is kept in $TMP/out, $TMP/err.
exits()
{
    local want=$1 got=0

    shift
    "$@" >"$TMP/out" 2>"$TMP/err" || got=$?
    [ "$got" = "$want" ] && return
    cat "$TMP/out" "$TMP/err" >&2
    fail "$* exited with $got, not $want"
}

# exited CODE PID: a process that was started in the background ends with this code. (A bare `wait`
# would wait for awd, too.)
exited()
{
    local got=0

    wait "$2" || got=$?
    is "$got" "$1" "the exit code"
}

# json KEY: that value of each line, which is a JSON object; strings as they are.
json()
{
    "${AWD_BUILDDIR:-${AWD_BINDIR%/stage/*}}/tests/e2e/json_field" "$1"
}

# field KEY ID: a field of a job, as awctl status --json knows it.
field()
{
    awctl status --json "$2" | json "$1"
}

# stat_of KEY: a figure of the daemon.
stat_of()
{
    awctl stats --json | json "$1"
}

# state_is STATE ID: for eventually.
state_is()
{
    [ "$(field state "$2")" = "$1" ]
}

# alive PID: a process is there, and no zombie.
alive()
{
    case $(ps -o stat= -p "$1" 2>/dev/null) in '' | Z*) return 1 ;; esac
}

gone()
{
    ! alive "$1"
}

# eventually SECONDS COMMAND...: tries it 20 times a second until it succeeds.
eventually()
{
    local n=$(($1 * 20))

    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $((n -= 1)) -gt 0 ] || {
            fail "in vain: $*"
            return
        }
        sleep 0.05
    done
}

# awd_start [OPTION...]: starts awd on $DIR and waits until it answers. Its log is $TMP/awd.log.
awd_start()
{
    awd --dir "$DIR" ${AWD_LIBEXECDIR:+--runner-path "$AWD_LIBEXECDIR/aw-runner"} "$@" </dev/null >>"$TMP/awd.log" 2>&1 &
    AWD_PID=$!
    echo $AWD_PID >"$TMP/awd.pid"
    awd_ready
}

awd_ready()
{
    local n=600

    until awctl ping >/dev/null 2>&1; do
        kill -0 "$(cat "$TMP/awd.pid")" 2>/dev/null || {
            cat "$TMP/awd.log" >&2
            fail "awd has ended"
            return
        }
        [ $((n -= 1)) -gt 0 ] || {
            fail "awd does not answer"
            return
        }
        sleep 0.05
    done
}

# awd_kill [SIGNAL]: ends it (KILL, unless said otherwise) and waits until it is gone.
awd_kill()
{
    kill "-${1:-KILL}" "$(cat "$TMP/awd.pid")"
    eventually 30 awd_gone
}

# A zombie counts as gone once all of its threads are: until then they hold its lock.
awd_gone()
{
    local pid state

    pid=$(cat "$TMP/awd.pid")
    state=$(ps -o stat= -p "$pid") || return 0
    case $state in Z*) [ "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" -le 1 ] ;; *) return 1 ;; esac
}

# Processes whose command line or working directory is in our private directory.
ours()
{
    local every pid

    # What looks is not among them: it starts later.
    every=(/proc/[0-9]*)
    for pid in $({
        find "${every[@]/%//cwd}" -maxdepth 0 -lname "$TMP*"
        grep -lF -f - "${every[@]/%//cmdline}" <<<"$TMP"
    } 2>/dev/null | cut -d / -f 3 | sort -u); do
        case $pid in "$$" | "$BASHPID") ;; *) echo "$pid" ;; esac
    done
}

cleanup()
{
    local pids

    trap - EXIT
    timeout 10 awctl shutdown --kill >/dev/null 2>&1
    pids=$(ours)
    # shellcheck disable=SC2086 # several
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null
    rm -rf "$TMP"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# check SENTENCE FUNCTION [ARGUMENT...]
check()
{
    local sentence=$1 rc

    shift
    N=$((N + 1))
    (
        set -e
        "$@"
    ) >"$TMP/check.log" 2>&1
    rc=$?
    AWD_PID=$(cat "$TMP/awd.pid" 2>/dev/null)
    if [ $rc -eq 0 ]; then
        echo "ok $N - $sentence"
    elif [ $rc -eq 77 ]; then
        echo "ok $N - $sentence # SKIP $(tail -n 1 "$TMP/check.log")"
    else
        echo "not ok $N - $sentence"
        tail -n 60 "$TMP/check.log" | sed 's/^/# /'
        [ ! -e "$TMP/awd.log" ] || tail -n 20 "$TMP/awd.log" | sed 's/^/# awd: /'
        FAILED=$((FAILED + 1))
    fi
}

# needs PROGRAM...: skips the whole script when one is not here.
needs()
{
    local program

    for program; do
        command -v "$program" >/dev/null || {
            echo "1..0 # SKIP $program is not here"
            exit 0
        }
    done
}

# skip REASON: within a check, when what it needs is not here.
skip()
{
    echo "$*"
    exit 77
}

# In a build with sanitizers the programs' log says what they have found.
no_findings()
{
    not grep -E -A 20 '(ERROR|WARNING): .*Sanitizer|runtime error' "$TMP/awd.log"
}

finish()
{
    # How the daemon goes down belongs to what is looked at.
    if [ -e "$TMP/awd.pid" ] && ! awd_gone; then
        check "awd goes down when asked" awd_kill TERM
    fi
    [ ! -e "$TMP/awd.log" ] || check "nothing was found by sanitizers" no_findings
    echo "1..$N"
    exit $((FAILED > 0))
}
