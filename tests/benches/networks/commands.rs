//! The same networks by `ip -batch`, as in shell scripts, with named namespaces in
//! /run/netns, which belongs to the test.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, TcpListener};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns};

use nstest_tests::floor::{ipv4, ipv6};
use nstest_tests::programs::find;

/// Named namespaces. Dropping them removes the names.
pub(crate) struct Named {
    names: Vec<String>,
    places: Vec<File>,
}

impl Named {
    /// Two nodes on one veth pair.
    pub(crate) fn pair() -> Self {
        let mut script = String::new();
        add(&mut script, &["n0", "n1"]);
        script += "link add eth0 netns n0 type veth peer name eth0 netns n1\n";
        Self::make(&script, 2, &["n0", "n1"])
    }

    /// Nodes on a bridge.
    pub(crate) fn bridge(count: usize) -> Self {
        let mut names: Vec<String> = (0..count).map(|nth| format!("n{nth}")).collect();
        names.push("switch".to_owned());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut script = String::new();
        add(&mut script, &names);
        for nth in 0..count {
            script +=
                &format!("link add p{nth} netns switch type veth peer name eth0 netns n{nth}\n");
        }
        ip(&[], &script);
        let mut script = "link add lan type bridge\nlink set lan up\n".to_owned();
        for nth in 0..count {
            script += &format!("link set p{nth} master lan up\n");
        }
        ip(&["-netns", "switch"], &script);
        Self::make("", count, &names)
    }

    fn make(script: &str, nodes: usize, names: &[&str]) -> Self {
        if !script.is_empty() {
            ip(&[], script);
        }
        for nth in 0..nodes {
            let (v4, v6) = (ipv4(nth), ipv6(nth));
            let script = format!(
                "link set lo up\nlink set eth0 up\naddr add {v4}/24 dev eth0\n\
                 addr add {v6}/64 dev eth0 nodad\nlink show eth0\n"
            );
            ip(&["-netns", &format!("n{nth}")], &script);
        }
        let open = |nth| File::open(format!("/run/netns/n{nth}")).expect("a named namespace");
        let places: Vec<File> = (0..2).map(open).collect();
        setns(&places[0], CloneFlags::CLONE_NEWNET).expect("setns");
        Self { names: names.iter().map(|name| (*name).to_owned()).collect(), places }
    }

    /// Binds in the second node, and returns to the first.
    pub(crate) fn listen(&self, ip: IpAddr) -> TcpListener {
        setns(&self.places[1], CloneFlags::CLONE_NEWNET).expect("setns");
        let listener = TcpListener::bind((ip, 7000)).expect("bind");
        setns(&self.places[0], CloneFlags::CLONE_NEWNET).expect("setns");
        listener
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let lines: Vec<_> = self.names.iter().map(|name| format!("netns del {name}\n")).collect();
        ip(&[], &lines.concat());
    }
}

/// Without the settings, every first connection over IPv6 takes a second.
fn add(script: &mut String, names: &[&str]) {
    for name in names {
        *script += &format!(
            "netns add {name}\nnetns exec {name} sysctl -qw net.ipv6.conf.all.accept_dad=0 \
             net.ipv6.conf.default.accept_dad=0\n"
        );
    }
}

fn ip(arguments: &[&str], script: &str) {
    let mut ip = Command::new(find("ip"))
        .args(arguments)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("ip starts");
    ip.stdin.take().expect("piped").write_all(script.as_bytes()).expect("ip reads");
    assert!(ip.wait().expect("ip ends").success(), "ip {arguments:?} -batch:\n{script}");
}
