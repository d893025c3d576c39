//! The command that installs a package on this distribution (os-release(5)).

use crate::sys::regular_file;

/// Installs pasta. Its package has the same name everywhere.
pub(super) fn install_pasta() -> String {
    let release = ["/etc/os-release", "/usr/lib/os-release"]
        .into_iter()
        .map(regular_file::read)
        .find(|text| !text.is_empty());
    match installer(&release.unwrap_or_default()) {
        Some(installer) => format!("{installer} passt"),
        None => "install pasta: the package is `passt`".to_owned(),
    }
}

/// The beginning of the command.
fn installer(release: &str) -> Option<&'static str> {
    let value = |key: &str| {
        release.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name == key).then(|| value.trim_matches('"'))
        })
    };
    let own = value("ID").into_iter();
    own.chain(value("ID_LIKE").into_iter().flat_map(str::split_whitespace)).find_map(
        |id| match id {
            "debian" | "ubuntu" => Some("sudo apt-get install"),
            "fedora" | "rhel" | "centos" => Some("sudo dnf install"),
            "arch" => Some("sudo pacman -S"),
            "alpine" => Some("sudo apk add"),
            "suse" | "opensuse" => Some("sudo zypper install"),
            "nixos" => Some("nix-shell -p"),
            _ => None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_known_by_their_names_and_those_of_their_parents() {
        for (release, command) in [
            ("PRETTY_NAME=\"Debian\"\nID=debian\n", Some("sudo apt-get install")),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some("sudo apt-get install")),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Some("sudo dnf install")),
            ("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", Some("sudo zypper install")),
            ("ID=alpine\n", Some("sudo apk add")),
            ("ID=lfs\n", None),
            ("", None),
        ] {
            assert_eq!(installer(release), command, "{release}");
        }
    }
}
