# ecomarket.sh - for what is in this folder: lib.sh, the server, the dashboard. Source it with
#
#     . "${0%/*}/ecomarket.sh"
#
# shellcheck shell=bash

. "${0%/*}/../e2e/lib.sh"
ECOMARKET=${AWD_BUILDDIR:?run this by make check, or set AWD_BUILDDIR}/tests/ecomarket

# server_start [OPTION...]: sets $URL, and $CLOSED where nobody listens.
server_start()
{
    local file

    file=$(mktemp -u "$TMP/addresses.XXXXXX")
    "$ECOMARKET/server" "$@" "$file" </dev/null >"$TMP/server.log" 2>&1 &
    SERVER_PID=$!
    eventually 30 test -s "$file" || {
        cat "$TMP/server.log" >&2
        return 1
    }
    { read -r URL && read -r CLOSED; } <"$file"
    export URL CLOSED
}

# Comes back with its exit code.
server_stop()
{
    kill "$SERVER_PID"
    wait "$SERVER_PID"
}

dashboard()
{
    "$ECOMARKET/dashboard" "$@" "$URL" "$CLOSED"
}
