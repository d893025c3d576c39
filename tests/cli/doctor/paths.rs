//! Worlds in which a directory or a file is missing, or something else is there.

use nstest_tests::machine_root;

use super::World;

/// Mount namespaces of this user: with a user namespace, and without one as root of the machine.
fn mount_namespaces() -> impl Iterator<Item = World> {
    let of_root = machine_root().then_some("unshare -m");
    of_root.into_iter().chain(["unshare -Urm"]).map(World::within)
}

/// A script that changes to a root directory that has what `/` has, except for these names.
fn root_without(names: &str) -> String {
    format!(
        r#"back=$PWD; mount -t tmpfs none /mnt; cd /mnt
        for path in /*; do
            name=${{path#/}}
            case " mnt {names} " in *" $name "*) continue;; esac
            if [ -L $path ]; then cp -P $path $name
            elif [ -d $path ]; then mkdir $name; mount --rbind $path $name; fi
        done
        mkdir old mnt; pivot_root . old; cd /; umount -l old; cd "$back""#
    )
}

/// As for an ordinary user, the settings of the network are missing, and nothing else.
#[test]
fn a_hidden_proc_sys() {
    for world in mount_namespaces() {
        let world = world.after("mount -t tmpfs -o ro none /proc/sys");
        world
            .doctor()
            .lacks("a /proc that hides the machine's processes, network settings of nodes");
        // Two steps of a test of root need it.
        let ended = world.nstest(&["run", "--", "true"]);
        let said = ended.stderr.matches("could not make /proc/sys/net writable").count();
        assert!(said <= 1 && ended.status == Some(0), "{ended:?}");
    }
}

#[test]
fn no_run() {
    let help = &["sudo mkdir /run", "docker run --tmpfs /run", "podman run --tmpfs", "emptyDir"];
    for (more, cause, help) in [
        ("true", "/run does not exist", &help[..]),
        (
            "ln -s var/missing /run",
            "/run is a link to /var/missing, which does not exist",
            &["sudo mkdir -p /var/missing"],
        ),
        ("touch /run", "/run is not a directory", &["sudo rm /run && sudo mkdir /run"]),
    ] {
        for world in mount_namespaces() {
            let world = world.after(&format!("{}; {more}", root_without("run")));
            world.doctor().names("missing-path", cause, help).is_unusable();
            let ended = world.nstest(&["run", "--", "true"]);
            assert!(ended.stderr.contains(cause) && ended.status == Some(125), "{ended:?}");
        }
    }
}

/// Of a node, in the world of `nstest run`, where nothing is noted.
#[track_caller]
fn finds_names(world: &World) {
    let ended = world.nstest(&["run", "--peers=1", "--", "getent", "hosts", "peer1"]);
    assert!(ended.stdout.ends_with("peer1\n") && ended.stderr.is_empty(), "{ended:?}");
}

/// As in sandboxes that hide files of the machine.
#[test]
fn devices_in_etc() {
    for world in mount_namespaces() {
        let cover = "mount --bind /dev/null /etc";
        let all = "for name in hosts resolv.conf nsswitch.conf os-release";
        let world = world.after(&format!("{all}; do {cover}/$name; done"));
        world.doctor().is_fine();
        finds_names(&world);
    }
}

/// Without a time limit, a program that opens one would wait for ever.
#[test]
fn fifos_in_etc() {
    let world = World::within("timeout -s KILL 60 unshare -Urm").after(
        "mount -t tmpfs none /mnt; mkfifo /mnt/fifo
        for name in hosts resolv.conf nsswitch.conf os-release
            do mount --bind /mnt/fifo /etc/$name; done",
    );
    world.doctor().is_fine();
    finds_names(&world);
}

#[test]
fn no_etc() {
    for world in mount_namespaces() {
        let world = world.after(&root_without("etc"));
        let help = "sudo mkdir /etc && sudo touch /etc/hosts";
        let cause = "/etc does not exist, so a test has no files of its own";
        world.doctor().names("missing-path", cause, &[help]).lacks("names of nodes");
        let ended = world.nstest(&["run", "--peers=1", "--", "true"]);
        for said in ["; the names of nodes do not resolve, ", &format!("; help: {help} ")] {
            assert!(ended.stderr.contains(said), "{said}: {ended:?}");
        }
        let mended = world.after("mkdir /etc");
        mended.doctor().is_fine();
        finds_names(&mended);
    }
}

/// An overlay cannot be made of a directory in which something is mounted by another user
/// namespace.
#[test]
fn no_files_in_etc() {
    for world in mount_namespaces() {
        let world =
            world.after("mount -t tmpfs none /etc; touch /etc/it; mount --bind /dev/null /etc/it");
        let files = "/etc/hosts, /etc/resolv.conf, /etc/nsswitch.conf";
        let touch = format!("touch {}", files.replace(',', ""));
        world
            .doctor()
            .names("missing-path", &format!("missing: {files}; "), &[&format!("sudo {touch}")])
            .lacks("names of nodes");
        let mended = world.after(&touch);
        mended.doctor().is_fine();
        finds_names(&mended);
    }
}

#[test]
fn no_sysfs() {
    let without_sys = root_without("sys");
    let worlds = [
        (without_sys.clone(), "/sys does not exist", "sudo mkdir /sys && "),
        (format!("{without_sys}; mkdir /sys"), "no sysfs is mounted on /sys, ", ""),
        (
            "mount -t tmpfs -o ro none /sys".to_owned(),
            "no sysfs is mounted on /sys (tmpfs is), ",
            "",
        ),
    ];
    for (script, cause, directory) in &worlds {
        for world in mount_namespaces().map(|world| world.after(script)) {
            let help = format!("{directory}sudo mount -t sysfs sysfs /sys");
            let ended = world.doctor();
            ended
                .names("missing-path", cause, &[&help])
                .lacks("a /sys that shows the test's interfaces");
            let ended = world.nstest(&["run", "--", "true"]);
            assert!(ended.stderr.contains(&format!("; help: {help}; ")), "{ended:?}");
            assert_eq!(ended.stderr.matches("help: ").count(), 1, "{ended:?}");
        }
    }
    if machine_root() {
        let mended = format!("{without_sys}; mkdir /sys && mount -t sysfs sysfs /sys");
        World::within("unshare -m").after(&mended).doctor().is_fine();
    }
}
