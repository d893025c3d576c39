# Sourced by ./check and .ci/run: named steps with their times. The first step
# that fails ends the script.

# step NAME COMMAND...
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    # Not `if "$@"`: inside a condition, bash ignores `set -e` in functions.
    STEP=$name
    "$@"
    STEP=
    printf '=== %s: ok, %d s\n' "$name" $((SECONDS - start))
}

STEP=
trap '[[ -z $STEP ]] || printf "\n=== FAILED: %s\n" "$STEP" >&2' EXIT
