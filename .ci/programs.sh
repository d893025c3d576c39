# Sourced by ./check: the programs that a step starts.

# provide LIST: installs what this machine lacks of a list in the form of .ci/programs:
# Debian packages as root, and cargo's programs. As an ordinary user, and where there is
# no apt-get, it ends the script with one message that lists what to install.
provide() {
    local list=$1 program source lines="" packages=() crates=() name
    while read -r program source; do
        [[ -n $program ]] && ! is_installed "$program" || continue
        name=${source#cargo:}
        lines+="  $program"$'\n'
        if [[ $name == "$source" ]]; then
            [[ " ${packages[*]} " == *" $name "* ]] || packages+=("$name")
        else
            [[ " ${crates[*]} " == *" $name "* ]] || crates+=("$name")
        fi
    done < <(sort -u <<<"$list")
    if ((${#packages[@]})) && ! { ((EUID == 0)) && command -v apt-get >/dev/null; }; then
        printf 'error: this machine lacks programs that the tests start:\n%s' "$lines"
        printf 'Install them, then run this command again. On Debian and Ubuntu:\n'
        printf '  sudo apt-get install %s\n' "${packages[*]}"
        ((${#crates[@]} == 0)) || printf '  cargo install --locked %s\n' "${crates[*]}"
        exit 1
    fi >&2
    ((${#packages[@]} == 0)) || step "install ${packages[*]}" install_packages "${packages[@]}"
    ((${#crates[@]} == 0)) || step "install ${crates[*]}" install_crates "${crates[@]}"
}

is_installed() {
    command -v "$1" >/dev/null && return
    # Debian has a directory for each version of PostgreSQL.
    compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # While this file is there, a server that is installed is not started as a service.
    local policy=/usr/sbin/policy-rc.d
    (
        if [[ ! -e $policy ]]; then
            trap 'rm -f $policy' EXIT
            printf '#!/bin/sh\nexit 101\n' >$policy
            chmod +x $policy
        fi
        apt-get install -y -qq --no-install-recommends "$@"
    )
}

# Unoptimised: that takes one minute instead of five, and the tests start them seldom.
install_crates() {
    env -u CARGO_TARGET_DIR cargo install --locked --debug --config 'profile.dev.debug=false' "$@"
}
