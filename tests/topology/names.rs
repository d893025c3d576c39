//! Names of nodes: who resolves them, and that no other resolver is asked.

use std::io::ErrorKind;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nstest::{Net, Node, TestResult, netns_test};
use nstest_tests::driver::Run;

use crate::shell::shows;

/// By getaddrinfo(3).
fn addrs(name: &str) -> Vec<IpAddr> {
    let found = (name, 0).to_socket_addrs();
    let mut addrs: Vec<IpAddr> = found.into_iter().flatten().map(|addr| addr.ip()).collect();
    addrs.sort();
    addrs.dedup();
    addrs
}

fn sorted(mut addrs: Vec<IpAddr>) -> Vec<IpAddr> {
    addrs.sort();
    addrs
}

#[netns_test]
fn every_node_resolves_every_other(a_b: Node, net: Net) -> TestResult {
    let c = net.add_node("C").build()?;
    net.connect(&a_b, &c)?;
    let island = net.add_node("island").build()?;
    let test = net.local();
    for node in [&test, &a_b, &c, &island] {
        for (name, other) in [("a-b", &a_b), ("a_b", &a_b), ("c", &c), ("C", &c), ("test", &test)] {
            let wanted = sorted(other.ips());
            assert_eq!(node.run(|| addrs(name)), wanted, "{name} in {node:?}");
            let elsewhere = node.spawn(move || addrs(name)).join().expect("no panic");
            assert_eq!(elsewhere, wanted, "{name} in {node:?}");
            let shown = shows(node, &format!("getent ahosts {name}"));
            assert!(wanted.iter().all(|ip| shown.contains(&format!("{ip} "))), "{shown}");
        }
    }
    let reverse = shows(&a_b, &format!("getent hosts {}", c.ip()));
    assert_eq!(reverse.split_whitespace().nth(1), Some("c"), "{reverse}");
    assert_eq!(shows(&a_b, "hostname").trim(), "a-b");
    assert_eq!(addrs("localhost").first(), Some(&[127, 0, 0, 1].into()));
    Ok(())
}

/// Look-ups during a change of the network find the names that do not change.
#[netns_test]
fn names_are_found_while_the_world_changes(peer: Node, net: Net) -> TestResult {
    let wanted = sorted(peer.ips());
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let over = std::sync::Arc::clone(&done);
    let looks = peer.spawn(move || {
        let mut looks = 0;
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            assert_eq!(addrs("peer"), wanted, "after {looks} looks");
            looks += 1;
        }
        looks
    });
    let lan = net.add_lan("lan").build()?;
    for nth in 0..10 {
        let node = net.add_node(&format!("passer-by-{nth}")).join(&lan).build()?;
        assert_eq!(addrs(node.name()), sorted(node.ips()));
        node.remove()?;
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    println!("{} looks", looks.join().expect("no panic"));
    Ok(())
}

#[netns_test]
fn an_unknown_name_fails_fast(peer: Node) {
    for name in ["nobody", "www.example.com", "nobody.local", "nobody.test"] {
        let start = Instant::now();
        assert!(addrs(name).is_empty());
        assert!(peer.run(|| addrs(name)).is_empty());
        assert_eq!(shows(&peer, &format!("getent ahosts {name}")), "");
        assert!(start.elapsed() < Duration::from_secs(3), "{name}: {:?}", start.elapsed());
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_names_of_its_own(peer: Node) -> TestResult {
    let start = Instant::now();
    assert_eq!(addrs("peer"), sorted(peer.ips()));
    assert!(shows(&peer, "getent hosts test").contains("test"));
    assert!(addrs("nobody").is_empty());
    assert!(shows(&peer, "getent ahosts www.example.com").is_empty());
    // musl does not notice that no server is there: it waits for the timeout.
    let limit = Duration::from_secs(if cfg!(target_env = "musl") { 3 } else { 1 });
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
    assert!(std::fs::read_to_string("/etc/resolv.conf")?.contains("no name server"));
    assert!(std::fs::read_to_string("/etc/hosts")?.contains("peer"));
    // Only these services look up hosts. Other databases are unchanged.
    let services = std::fs::read_to_string("/etc/nsswitch.conf")?;
    let of_hosts = services.lines().filter(|line| line.starts_with("hosts:"));
    assert_eq!(of_hosts.collect::<Vec<_>>(), ["hosts: files dns"], "{services}");
    let nobody = shows(&peer, "getent passwd nobody");
    assert!(nobody.starts_with("nobody:"), "{nobody}");
    assert!(shows(&peer, "getent group").starts_with("root:"));
    Ok(())
}

/// Runs the fixture on a machine whose /etc is made by a script, which finds a
/// copy of /etc in `$etc`, and may write below /run.
fn on_a_machine_with(script: &str, fixture: &str) -> Run {
    let around = format!(
        "etc=/mnt; mount -t tmpfs none $etc; mkdir $etc/etc; \
         cp -r /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.* /etc/alternatives $etc/etc/; \
         test -e /etc/host.conf && cp /etc/host.conf $etc/etc/; \
         mount -t tmpfs none /run; etc=$etc/etc; \
         echo '127.0.0.1 localhost' > $etc/hosts; echo 'nameserver 192.0.2.53' > $etc/resolv.conf; \
         {script}; mount --bind $etc /etc; exec \"$0\" \"$@\""
    );
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-e", "-c", &around]);
    Run::under(command, &[fixture])
}

#[track_caller]
fn works_with(script: &str) {
    let outcome = on_a_machine_with(script, "names::has_names_of_its_own").run();
    assert!(outcome.status.success(), "{script}: {}", outcome.text());
    let text = outcome.text();
    assert!(text.contains("1 passed") && !text.contains("note:"), "{script}: {text}");
}

#[test]
fn whatever_etc_resolv_conf_and_hosts_are() {
    for script in [
        ":",
        // systemd-resolved: relative, and not started.
        "ln -sf ../run/systemd/resolve/stub-resolv.conf $etc/resolv.conf",
        "mkdir -p /run/systemd/resolve; echo nameserver 192.0.2.53 > /run/systemd/resolve/stub-resolv.conf; \
         ln -sf ../run/systemd/resolve/stub-resolv.conf $etc/resolv.conf",
        // resolvconf: through a directory that is linked into /run.
        "mkdir -p /run/resolvconf $etc/resolvconf; ln -s /run/resolvconf $etc/resolvconf/run; \
         touch /run/resolvconf/resolv.conf; ln -sf resolvconf/run/resolv.conf $etc/resolv.conf",
        "mkdir $etc/resolvconf; ln -s /run/resolvconf $etc/resolvconf/run; \
         ln -sf /etc/resolvconf/run/resolv.conf $etc/resolv.conf",
        // The older name of /run.
        "ln -sf /var/run/NetworkManager/resolv.conf $etc/resolv.conf",
        "ln -sf ../var/run/resolv.conf $etc/resolv.conf",
        // One link after the other, in /etc, in /run, and out again.
        "ln -sf a $etc/resolv.conf; ln -s b $etc/a; ln -s /run/c/d $etc/b",
        "mkdir /run/a /run/b; ln -s /run/b/c /run/a/resolv.conf; ln -sf /run/a/resolv.conf $etc/resolv.conf",
        "mkdir $etc/x; echo > $etc/x/resolv.conf; ln -s /etc/x /run/x; ln -sf /run/x/resolv.conf $etc/resolv.conf",
        // Both in one directory.
        "ln -sf /run/net/resolv.conf $etc/resolv.conf; ln -sf /run/net/hosts $etc/hosts",
        // Toolbox: the files of the machine below; that directory is kept.
        "mkdir -p /run/host/etc; echo > /run/host/etc/hosts; echo > /run/host/etc/resolv.conf; \
         ln -sf /run/host/etc/resolv.conf $etc/resolv.conf; ln -sf /run/host/etc/hosts $etc/hosts",
        // A broken link, a circle of links, and no file.
        "ln -sf /no/where/resolv.conf $etc/resolv.conf",
        "ln -sf resolv.conf $etc/resolv.conf",
        "rm $etc/resolv.conf",
        "rm $etc/hosts",
        "rm $etc/hosts $etc/resolv.conf",
        "rm $etc/hosts; ln -sf /run/systemd/resolve/stub-resolv.conf $etc/resolv.conf",
        // Fedora's authselect; a file without services; links to nowhere.
        "mkdir $etc/authselect; mv $etc/nsswitch.conf $etc/authselect; \
         ln -s /etc/authselect/nsswitch.conf $etc/nsswitch.conf",
        "rm $etc/nsswitch.conf",
        "ln -sf /no/where $etc/nsswitch.conf",
        "ln -sf /run/nsswitch.conf $etc/nsswitch.conf",
        "rm $etc/nsswitch.conf $etc/hosts $etc/resolv.conf",
        "echo 'hosts: mdns resolve [!UNAVAIL=return] files myhostname dns' > $etc/nsswitch.conf",
        // Without `files`, no test would find its peer.
        "printf 'passwd: files\n hosts : dns' > $etc/nsswitch.conf",
    ] {
        works_with(script);
    }
}

/// nscd, resolved and D-Bus listen at paths, which no network namespace hides.
/// This is the machine, with resolvers of its own.
#[test]
#[ignore = "fixture of another test"]
fn listens_where_resolvers_do() {
    let paths = [
        "/var/run/nscd/socket",
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/dbus/system_bus_socket",
        "/run/avahi-daemon/socket",
    ];
    let listeners = paths.map(|path| {
        std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    });
    // They would be asked here; otherwise the test would prove nothing. musl asks no service.
    assert!(addrs("nobody").is_empty());
    let asked = listeners[0].accept().is_ok();
    assert!(asked || cfg!(target_env = "musl"), "glibc asks nscd first");
    while listeners[0].accept().is_ok() {}
    let outcome = Run::of(&["names::has_names_of_its_own"]).run();
    assert!(outcome.status.success(), "{}", outcome.text());
    for (path, listener) in paths.iter().zip(listeners) {
        assert_eq!(
            listener.accept().unwrap_err().kind(),
            ErrorKind::WouldBlock,
            "{path} was asked"
        );
    }
}

#[test]
fn no_look_up_escapes_through_a_socket() {
    for script in [":", "mount -t tmpfs none /var; mkdir /var/run"] {
        on_a_machine_with(script, "names::listens_where_resolvers_do").succeed();
    }
}
