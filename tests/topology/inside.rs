//! Code in a node: closures, threads, futures, tasks.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use nstest::{Net, Node, TestResult, eventually, eventually_async, netns_test};

use crate::shell::here;

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").expect("read the hostname").trim().into()
}

fn devices() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net").expect("read /sys").flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[netns_test]
fn sockets_stay_where_they_were_made(peer: Node) -> TestResult {
    let home = here();
    let (listener, there) = peer.run(|| (TcpListener::bind((peer.ip(), 7000)), here()));
    assert_ne!(there, home);
    assert_eq!(here(), home);
    let (_stream, from) = {
        let _client = TcpStream::connect((peer.ip(), 7000))?;
        listener?.accept()?
    };
    assert_eq!(from.ip().to_string(), "10.0.2.1");
    // The test's own node has no such address.
    assert!(TcpListener::bind((peer.ip(), 7000)).is_err());
    Ok(())
}

#[netns_test]
fn visits_nest_and_lead_back(a: Node, b: Node, net: Net) {
    let home = here();
    let (in_a, in_b) = (a.run(here), b.run(here));
    a.run(|| {
        assert_eq!(here(), in_a);
        b.run(|| {
            assert_eq!(here(), in_b);
            net.local().run(|| assert_eq!(here(), home));
            a.run(|| assert_eq!(here(), in_a));
            assert_eq!(here(), in_b);
        });
        assert_eq!(here(), in_a);
    });
    assert_eq!(here(), home);
}

#[netns_test]
fn a_panic_comes_back_from_a_visit(peer: Node) {
    let home = here();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        peer.run(|| std::panic::panic_any(42));
    }));
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&42));
    assert_eq!(here(), home);
}

#[netns_test]
fn many_threads_visit_at_once(a: Node, b: Node) {
    let home = here();
    let (in_a, in_b) = (a.run(here), b.run(here));
    std::thread::scope(|scope| {
        for nth in 0..8 {
            let (a, b, home, in_a, in_b) = (&a, &b, &home, &in_a, &in_b);
            scope.spawn(move || {
                for _ in 0..200 {
                    let (node, there) = if nth % 2 == 0 { (a, in_a) } else { (b, in_b) };
                    assert_eq!(node.run(here), *there);
                    assert_eq!(here(), *home);
                }
            });
        }
    });
}

#[netns_test]
fn a_thread_lives_in_its_node(peer: Node, net: Net) -> TestResult {
    let home = (here(), hostname(), devices());
    assert_eq!((home.1.as_str(), &home.2), ("test", &vec!["eth0".to_owned(), "lo".into()]));
    net.connect(&peer, &net.local())?;
    let seen = || (here(), hostname(), devices());
    let (there, its_own) = peer
        .spawn(move || (seen(), std::thread::spawn(seen).join().expect("no panic")))
        .join()
        .expect("no panic");
    assert_eq!(there, its_own, "what a thread starts is there, too");
    assert_eq!(
        there,
        (peer.run(here), "peer".into(), vec!["eth0".into(), "eth1".into(), "lo".into()])
    );
    assert_eq!((here(), hostname()), (home.0, home.1));
    Ok(())
}

/// The interfaces in /proc/net and /proc/self/net, whose names libraries have built in.
fn proc_net() -> [Vec<String>; 2] {
    ["/proc/net/dev", "/proc/self/net/dev"].map(|path| {
        let text = std::fs::read_to_string(path).expect("read /proc");
        let mut names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.trim().to_owned())
            .collect();
        names.sort();
        names
    })
}

#[netns_test]
async fn proc_net_shows_the_node(peer: Node, net: Net) -> TestResult {
    let home = proc_net();
    assert_eq!(home[0], ["eth0", "lo"]);
    let elsewhere = net.add_lan("elsewhere").build()?;
    let lonely = net.add_node("lonely").build()?;
    peer.join(&elsewhere)?;
    let in_peer = ["eth0", "eth1", "lo"].map(str::to_owned).to_vec();
    let in_peer = [in_peer.clone(), in_peer];
    assert_eq!(peer.spawn(proc_net).join().expect("no panic"), in_peer);
    let nested = || std::thread::spawn(proc_net).join().expect("no panic");
    assert_eq!(peer.spawn(nested).join().expect("no panic"), in_peer);
    assert_eq!(peer.spawn_async(async { proc_net() }).await?, in_peer);
    let blocking = async { tokio::task::spawn_blocking(proc_net).await };
    assert_eq!(peer.spawn_async(blocking).await??, in_peer);
    let only = vec!["lo".to_owned()];
    assert_eq!(lonely.spawn(proc_net).join().expect("no panic"), [only.clone(), only]);
    // A thread that visits a node finds its network in /proc/thread-self.
    let text = peer.run(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?;
    assert!(text.contains("eth1"), "{text}");
    assert_eq!(proc_net(), home);
    let output = peer.command("cat").arg("/proc/net/dev").output()?;
    assert!(String::from_utf8_lossy(&output.stdout).contains("eth1"));
    Ok(())
}

/// Reports in which network it is dropped.
struct Tells(std::sync::mpsc::Sender<PathBuf>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(here());
    }
}

#[netns_test]
async fn a_scoped_future_is_polled_and_dropped_in_its_node(peer: Node) -> TestResult {
    let (home, there) = (here(), peer.run(here));
    let (send, dropped) = std::sync::mpsc::channel();
    let tells = Tells(send.clone());
    let polled = peer.scope(async {
        let _tells = tells;
        let first = here();
        tokio::task::yield_now().await;
        (first, here())
    });
    assert_eq!(polled.await, (there.clone(), there.clone()));
    assert_eq!(dropped.recv()?, there);
    let tells = Tells(send);
    let hangs = peer.scope(async move {
        let _tells = tells;
        std::future::pending::<()>().await;
    });
    assert!(tokio::time::timeout(Duration::from_millis(5), hangs).await.is_err());
    assert_eq!(dropped.recv()?, there, "cancelled there");
    assert_eq!(here(), home);
    Ok(())
}

#[netns_test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scoped_future_moves_between_threads(a: Node, b: Node) -> TestResult {
    let home = here();
    let mut tasks = Vec::new();
    for nth in 0..16 {
        let node = if nth % 2 == 0 { a.clone() } else { b.clone() };
        tasks.push(tokio::spawn(async move {
            let there = node.run(here);
            let inner = there.clone();
            let work = async move {
                for _ in 0..100 {
                    assert_eq!(here(), inner);
                    tokio::task::yield_now().await;
                }
            };
            node.scope(work).await;
            (here(), there)
        }));
    }
    for task in tasks {
        let (after, there) = task.await?;
        assert_eq!(after, home);
        assert_ne!(there, home);
    }
    Ok(())
}

#[netns_test]
async fn a_scoped_connection_is_the_nodes(a: Node, b: Node) -> TestResult {
    let listener = a.scope(tokio::net::TcpListener::bind(("0.0.0.0", 7000))).await?;
    let client = b.scope(tokio::net::TcpStream::connect(("a", 7000))).await?;
    let (_stream, from) = listener.accept().await?;
    assert_eq!(from.ip(), b.ip());
    drop(client);
    Ok(())
}

/// Threads that start inside of a scope and outlive it are not in the node.
#[netns_test(flavor = "multi_thread", worker_threads = 2)]
async fn code_after_a_scope_runs_in_the_tests_node(peer: Node) -> TestResult {
    let home = here();
    peer.scope(async {
        // The first blocking call of the runtime starts its thread.
        tokio::task::spawn_blocking(here).await.expect("no panic");
        tokio::spawn(std::future::ready(())).await.expect("no panic");
    })
    .await;
    for _ in 0..50 {
        assert_eq!(tokio::task::spawn_blocking(here).await?, home);
        assert_eq!(tokio::spawn(async { here() }).await?, home);
    }
    Ok(())
}

#[netns_test]
async fn code_after_a_scope_runs_in_the_tests_node_on_one_thread(peer: Node) -> TestResult {
    let home = here();
    peer.scope(async { tokio::task::spawn_blocking(here).await.expect("no panic") }).await;
    assert_eq!(tokio::task::spawn_blocking(here).await?, home);
    Ok(())
}

#[netns_test]
#[should_panic(expected = "Use `scope(future).await`")]
fn a_future_out_of_run_is_refused(peer: Node) {
    drop(peer.run(|| async { 1 }));
}

#[netns_test]
async fn a_task_and_all_that_it_starts_live_in_the_node(peer: Node, net: Net) -> TestResult {
    let there = peer.run(here);
    let seen = peer
        .spawn_async(async {
            let blocking = tokio::task::spawn_blocking(|| (here(), hostname(), devices()));
            let spawned = tokio::spawn(async { here() });
            (blocking.await, spawned.await, here())
        })
        .await?;
    let devices = vec!["eth0".to_owned(), "lo".into()];
    assert_eq!(seen.0?, (there.clone(), "peer".into(), devices));
    assert_eq!((seen.1?, seen.2), (there.clone(), there));
    assert_eq!(net.local().spawn_async(async { here() }).await?, here());
    Ok(())
}

#[netns_test]
async fn a_server_in_one_node_and_a_client_in_another(a: Node, b: Node) -> TestResult {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = a.spawn_async(async {
        let listener = tokio::net::TcpListener::bind(("::", 7000)).await?;
        let (mut stream, from) = listener.accept().await?;
        stream.write_all(b"hello").await?;
        std::io::Result::Ok(from)
    });
    a.wait_listening_async(7000).await?;
    let client = b.spawn_async(async {
        let mut text = String::new();
        tokio::net::TcpStream::connect(("a", 7000)).await?.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    });
    assert_eq!(client.await??, "hello");
    let from = server.await??.ip().to_canonical();
    assert!(b.ips().contains(&from), "{from}");
    Ok(())
}

#[netns_test]
fn a_panic_that_is_joined_is_the_joiners_affair(peer: Node) {
    let panicked = peer.spawn(|| panic!("joined")).join().unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"joined"));
}

#[netns_test]
async fn a_panic_that_is_awaited_is_the_awaiters_affair(peer: Node) {
    let task = peer.spawn_async(async { panic!("awaited") });
    assert!(task.await.unwrap_err().is_panic());
    let task = peer.spawn_async(std::future::pending::<()>());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

#[netns_test]
fn a_panic_in_a_thread_is_seen_by_those_who_wait(peer: Node) -> TestResult {
    let thread = peer.spawn(|| panic!("later"));
    eventually(Duration::from_secs(10), || thread.is_finished())?;
    assert!(thread.join().is_err());
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn nodes_have_names_for_ip_netns(a: Node, b: Node) {
    use crate::shell::shows;
    let list = shows(&a, "ip netns list");
    for name in ["test", "a", "b"] {
        assert!(list.lines().any(|line| line.split(' ').next() == Some(name)), "{list}");
    }
    let exec = shows(&a, "ip netns exec b ip -oneline -4 address show eth0");
    assert!(exec.contains(&b.ip().to_string()), "{exec}");
}

/// The server runs on the thread that also waits.
#[netns_test]
async fn a_check_of_eventually_async_may_await(peer: Node) -> TestResult {
    use tokio::net::{TcpListener, TcpStream};
    let connect = async || peer.scope(TcpStream::connect(("10.0.2.1", 7000))).await;
    let mut looks = 0;
    let server = tokio::spawn(async {
        // After a failed look-up only.
        let first = eventually_async(Duration::from_secs(10), async || {
            tokio::task::yield_now().await;
            TcpStream::connect(("127.0.0.1", 6999)).await
        });
        first.await.map_err(std::io::Error::other)?;
        let listener = TcpListener::bind(("10.0.2.1", 7000)).await?;
        listener.accept().await?;
        std::io::Result::Ok(())
    });
    let mut herald = None;
    let client = eventually_async(Duration::from_secs(10), async || {
        looks += 1;
        let answer = connect().await;
        if herald.is_none() {
            herald = Some(TcpListener::bind(("127.0.0.1", 6999)).await?);
        }
        answer
    });
    drop(client.await?);
    server.await??;
    assert!(looks > 1);
    // A condition that never becomes true, and a poll that never ends, reach the deadline.
    let start = std::time::Instant::now();
    let limit = Duration::from_millis(20);
    let error = eventually_async(limit, async || None::<()>).await.unwrap_err();
    assert!(format!("{error:?}").contains("20ms for the closure at tests/topology/inside.rs"));
    let error = eventually_async(limit, std::future::pending::<bool>).await.unwrap_err();
    assert!(
        format!("{error:?}").contains("the last call of the closure did not return"),
        "{error:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
    Ok(())
}
