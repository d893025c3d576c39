//! The libtest binary of the benchmark: one test that is explored, and as many plain tests
//! as it has runs. Each makes the same exchange in the same network.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nstest::{Node, TestResult, netns_test};

/// The longest wait in an explored run. TCP sends lost data again after 200 ms, a
/// SYN after 1 s: here the exchange has failed before, and the test has seen that.
const PATIENCE: Duration = Duration::from_millis(10);

/// The number of words each way. With SYN, its answer, and a FIN each way, 60 points.
const WORDS: usize = 28;

fn exchange(server: &Node, patience: Duration) -> io::Result<()> {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    server.spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut word = [0; 100];
        for _ in 0..WORDS {
            stream.read_exact(&mut word)?;
            stream.write_all(&word)?;
        }
        Ok(())
    });
    let mut client = TcpStream::connect_timeout(&(server.ip(), 7000).into(), patience)?;
    client.set_read_timeout(Some(patience))?;
    for _ in 0..WORDS {
        client.write_all(&[1; 100])?;
        client.read_exact(&mut [0; 100])?;
    }
    Ok(())
}

#[netns_test(explore(drop, duplicate, then reset))]
fn explored(server: Node) -> TestResult {
    // The test passes whatever the fault does.
    let _ = exchange(&server, PATIENCE);
    Ok(())
}

macro_rules! plain {
    ($($module:ident)*) => {$(
        mod $module {
            use nstest::{Node, TestResult, netns_test};

            plain!(@ a b c d e f g h i j k l m n o p q r);
        }
    )*};
    (@ $($name:ident)*) => {$(
        #[netns_test]
        fn $name(server: Node) -> TestResult {
            Ok(super::exchange(&server, std::time::Duration::from_secs(5))?)
        }
    )*};
}

// Ten times 18 tests.
plain!(plain0 plain1 plain2 plain3 plain4 plain5 plain6 plain7 plain8 plain9);
