//! TLS secrets in the capture.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use nstest::{Node, netns_test};
use nstest_tests::driver::Run;
use rustls::pki_types::PrivateKeyDer;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream,
};

use crate::record::tshark;

/// A line of SSLKEYLOGFILE.
const LINE: &str = "CLIENT_RANDOM 0011 2233\n";

#[netns_test]
#[ignore = "fixture of another test"]
fn logs_a_secret(_server: Node) {
    if let Some(path) = std::env::var_os("SSLKEYLOGFILE") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(LINE.as_bytes()).unwrap();
    }
    panic!("leaves a record");
}

/// The output of the fixture, and its capture.
fn capture(record: &str) -> (String, Vec<u8>) {
    let run = Run::of(&["secrets::logs_a_secret"]).env("NSTEST_RECORD", record);
    let text = run.run().whole_text();
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in "));
    let path = path.unwrap_or_else(|| panic!("without a record:\n{text}"));
    let capture = std::fs::read(format!("{path}/capture.pcapng")).unwrap();
    let events = std::fs::read_to_string(format!("{path}/events.jsonl")).unwrap();
    (events, capture)
}

/// The types and bodies of its blocks.
fn blocks(mut capture: &[u8]) -> Vec<(u32, &[u8])> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let mut blocks = Vec::new();
    while !capture.is_empty() {
        let (block, rest) = capture.split_at(number(&capture[4..]) as usize);
        blocks.push((number(block), &block[8..block.len() - 4]));
        capture = rest;
    }
    blocks
}

#[test]
fn secrets_are_recorded_on_request() {
    let (events, with) = capture("failed,tls");
    let secrets: Vec<&[u8]> =
        blocks(&with).into_iter().filter(|(kind, _)| *kind == 10).map(|(_, body)| body).collect();
    let expected =
        [&0x544c_534b_u32.to_le_bytes(), &(LINE.len() as u32).to_le_bytes(), LINE.as_bytes()];
    assert_eq!(secrets, [expected.concat()]); // its length is a multiple of 4
    assert!(events.contains("contains TLS secrets"), "{events}");
    let (events, without) = capture("failed");
    assert!(blocks(&without).iter().all(|(kind, _)| *kind != 10));
    assert!(!events.contains("TLS secrets"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn encrypts(client: Node, server: Node) {
    let made = rcgen::generate_simple_self_signed(["server".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.key_log = Arc::new(rustls::KeyLogFile::new());
    let accepts =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000")).unwrap();
    let accepts = Arc::new(accepts.unwrap());
    let serving = std::thread::spawn(move || {
        let mut tcp = listener.accept().unwrap().0;
        let mut tls = ServerConnection::new(accepts).unwrap();
        let mut request = [0; 14];
        Stream::new(&mut tls, &mut tcp).read_exact(&mut request).unwrap();
        assert_eq!(&request, b"GET /x HTTP/1.");
    });
    let mut tcp = client.run(|| TcpStream::connect((server.ip(), 7000))).unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), "server".try_into().unwrap()).unwrap();
    Stream::new(&mut tls, &mut tcp).write_all(b"GET /x HTTP/1.1\r\n\r\n").unwrap();
    serving.join().unwrap();
    panic!("leaves a record");
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs tshark; run ./check test")]
fn tshark_decrypts_a_connection_of_rustls() {
    let text =
        Run::of(&["secrets::encrypts"]).env("NSTEST_RECORD", "failed,tls").run().whole_text();
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in ")).unwrap();
    let capture = Path::new(path).join("capture.pcapng");
    let shown = tshark(&capture, &["-d", "tcp.port==7000,tls", "-Y", "http"]);
    assert!(shown.contains("GET /x HTTP/1.1"), "{shown}");
}
