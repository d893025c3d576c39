//! criterion: the throughput of a protocol over a slow link.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use criterion::Criterion;
use nstest::Condition;

/// Your protocol: a question and its answer, on one connection.
fn ask(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(b"?")?;
    connection.read_exact(&mut [0])
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut connection = listener.accept()?.0;
    connection.set_nodelay(true)?;
    loop {
        connection.read_exact(&mut [0])?;
        connection.write_all(b"!")?;
    }
}

fn main() -> nstest::Result<()> {
    // First of all: it starts this program again, in namespaces of its own.
    nstest::enter()?;
    let net = nstest::net();
    let server = net.add_node("server").build()?;
    let link = net.connect(&net.local(), &server)?;
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000")).expect("the port is free");
    server.spawn(move || serve(&listener));
    let mut connection = TcpStream::connect((server.ip(), 7000)).expect("it listens");
    connection.set_nodelay(true).expect("an option of TCP");

    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    for (name, delay) in [("direct", 0), ("over a link with 1 ms", 1)] {
        link.condition(Condition::new().delay(Duration::from_millis(delay)))?;
        criterion.bench_function(name, |bench| bench.iter(|| ask(&mut connection).unwrap()));
    }
    criterion.final_summary();
    Ok(())
}
