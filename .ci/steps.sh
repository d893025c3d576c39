# Sourced by ./check and .ci/run: prints the name and the time of each step. The first
# step that fails ends the script.

# Most tests wait most of their time, so more of them run than there are cores.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
export NEXTEST_TEST_THREADS=${NEXTEST_TEST_THREADS:-$RUST_TEST_THREADS}

# step NAME COMMAND...
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    # Not in a condition such as `if "$@"`: there, bash ignores `set -e` in functions.
    STEP=$name
    "$@"
    STEP=
    printf '=== %s: ok, %d s\n' "$name" $((SECONDS - start))
}

STEP=
trap '[[ -z $STEP ]] || printf "\n=== FAILED: %s\n" "$STEP" >&2' EXIT
