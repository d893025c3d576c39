//! `report.html` in a browser: what it shows.

mod operation;

use std::fmt::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use nstest::{Node, Packets, TestResult, netns_test};
use nstest_tests::driver::Run;
use serde_json::{Value, json};

use crate::browser::Page;

/// The runner makes a page only after a test has failed. Here it is made of any record.
#[path = "../../../nstest-core/src/evidence/report/mod.rs"]
mod page;

const SAMPLE: &str = include_str!("../../../nstest-core/src/evidence/report/sample.jsonl");

fn sample(hash: &str) -> Page {
    let hints = ["the SYN to server:7000 was dropped by <a fault>".to_owned()];
    let notes = ["no thread waits for this: a note".to_owned()];
    Page::open(&page::report("sample", &hints, &notes, SAMPLE), hash)
}

fn without_hints(title: &str, record: &str) -> String {
    page::report(title, &[], &[], record)
}

/// Asserts that these fields are among those that were found.
#[track_caller]
fn has(found: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[name], value, "{name}");
    }
}

#[track_caller]
fn contains(found: &Value, parts: &[(&str, &str)]) {
    for (name, part) in parts {
        let text = found[*name].as_str().unwrap_or_else(|| panic!("no text {name}: {found}"));
        assert!(text.contains(part), "{name}: {text}");
    }
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn a_record_is_drawn() {
    let found = sample("").run(
        r##"
        await drawn();
        const slanted = (line) => line.getAttribute("y1") !== line.getAttribute("y2");
        return {
            verdict: text("#verdict"), reason: text("#reason"), hints: text("#hints li"), notes: text("#notes li"), rerun: text("#rerun"),
            lanes: text("#lane-head .lane b"),
            crosses: all(".arrow.bad .cross").length, dropped: text(".row.dropped .cause"),
            rings: all(".arrow .ring").length, pills: text(".row .pill.late"),
            slanted: all(".arrow.late line").filter(slanted).length, doubled: all(".arrow.odd").length,
            down: all(".drawing .down").length, bands: all(".drawing .band:not(.on)").length,
            steps: text(".row.step .said"), output: text(".row.output .said"), log: text(".row.log .said"),
            boxes: text(".topology .box-title"), addresses: text(".topology .end-address"),
            networks: text(".topology .bus-name"), impaired: all(".topology .wire.faulty").length,
            end: text("#at-end"), faults: all("#faults li").length, status: text("#status"),
        };
        "##,
    );
    has(
        &found,
        &json!({
            "verdict": "✕ failed", "lanes": "test | client | router | server", "crosses": 5,
            "hints": "the SYN to server:7000 was dropped by <a fault> | no thread waits for this: a note",
            "rings": 1, "slanted": 5, "doubled": 1, "down": 1, "bands": 4,
            "steps": "connect | send the order | the link fails for 300 ms | wait for the receipt",
            "boxes": "test | client | router | server", "impaired": 1, "faults": 4,
            "status": "77 packet records shown",
        }),
    );
    contains(
        &found,
        &[
            ("reason", "did not end within 4s\n  waits in recvfrom"),
            ("notes", "dropped its 14 oldest packets"),
            ("rerun", "NSTEST_SEED=7c1e9a44 cargo test"),
            ("dropped", "by server ingress tcp port 7000 syn nth 1: drop"),
            ("dropped", "by server egress tcp port 7000 data: drop"),
            ("pills", "delayed 40.0 ms"),
            ("pills", "retransmission"),
            ("output", "shop: listening on 10.0.2.1:7000"),
            ("log", "INFO shop::server: order 17"),
            ("addresses", "10.0.1.254/24"),
            ("networks", "LAN office"),
            ("end", "310 B unacknowledged"),
            ("end", "waits in recvfrom for tcp 10.0.1.2:40112"),
        ],
    );
}

/// A reception that shares the row of its packet does not count.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn since_is_the_time_since_the_row_before() {
    let found = sample("").run(
        r##"
        await drawn();
        const units = { ns: 1e-9, "µs": 1e-6, ms: 1e-3, s: 1 };
        const rows = all(".row").map((row) => row.querySelector(".time")).filter(Boolean);
        const read = rows.map((time) => {
            const [number, unit] = time.parentElement.querySelector(".since").textContent.slice(1).split(" ");
            return [Number(time.textContent), unit ? Number(number) * units[unit] : 0];
        });
        const wrong = read.slice(1).filter(([time, since], nth) => {
            const expected = time - read[nth][0];
            return Math.abs(since - expected) > 2e-6 + expected / 100;
        });
        return { rows: rows.length, wrong: JSON.stringify(wrong) };
        "##,
    );
    has(&found, &json!({ "wrong": "[]" }));
    assert!(found["rows"].as_u64() > Some(10), "{found}");
}

/// A record of so many packets in seven flows, of which some were dropped.
fn long_record(packets: usize) -> String {
    let (start, _) = SAMPLE.split_once("{\"time\":0.011").expect("the sample has packets");
    let mut record = start.to_owned();
    let mut number = 0;
    let mut add = |time: f64, link_end: u32, sent_as: Option<usize>, nth: usize, fates: Value| {
        number += 1;
        let (port, seq) = (40_000 + nth % 7, 1_000 + nth / 7 * 1_448);
        let (source, destination) = (format!("10.0.1.2:{port}"), "10.0.2.1:7000");
        let summary = format!("TCP {source} > {destination} ACK seq {seq} ack 1 len 1448");
        let event = json!({
            "time": time, "event": "packet", "packet": number, "link_end": link_end,
            "received": sent_as.is_some(), "length": 1514, "protocol": "TCP", "source": source,
            "destination": destination, "summary": summary, "sent_as": sent_as, "fates": fates,
        });
        writeln!(record, "{event}").expect("write to a text");
        number
    };
    let mut time = 0.02;
    for nth in 0..packets / 4 {
        time += 1e-3;
        let sent = add(time, 12, None, nth, json!([]));
        add(time + 9e-6, 13, Some(sent), nth, json!([]));
        if nth % 50 == 0 {
            let fates = json!([{ "effect": "dropped", "fault": 1, "delay": null }]);
            add(time + 1e-5, 14, None, nth, fates);
        } else {
            let sent = add(time + 1e-5, 14, None, nth, json!([]));
            add(time + 2e-5, 15, Some(sent), nth, json!([]));
        }
    }
    record
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn ten_thousand_packets_are_shown_a_screenful_at_a_time() {
    let record = long_record(10_200);
    let total = record.matches("\"event\":\"packet\"").count();
    assert!(total > 10_000, "{total}");
    let mut page = Page::open_in(&without_hints("long", &record), "", (1400, 900));
    let found = page.run(
        r##"
        await drawn();
        const rows = byId("rows");
        const index = (row) => Number(row.getAttribute("aria-rowindex"));
        const found = { total: Number(rows.getAttribute("aria-rowcount")), inDom: all(".row").length, status: text("#status") };
        rows.scrollTop = rows.scrollHeight;
        await drawn();
        found.bottom = Math.max(...all(".row").map(index));
        rows.scrollTop = rows.scrollHeight / 2;
        await drawn();
        const box = rows.getBoundingClientRect();
        found.middle = index(document.elementFromPoint(box.left + 30, box.top + box.height / 2).closest(".row"));
        report.filter({ text: "dropped" });
        await drawn();
        found.dropped = report.layout.shown.packets;
        found.rows = all(".row.dropped").length;
        return found;
        "##,
    );
    let status = format!("10,{:03} packet records shown · 1 node without", total % 1000);
    contains(&found, &[("status", &status)]);
    let number = |name: &str| found[name].as_u64().expect("a number");
    assert!((20..150).contains(&number("inDom")), "{found}");
    let rows = number("total");
    assert!(rows > 5_000 && number("bottom") == rows, "{found}");
    assert!((rows / 3..rows * 2 / 3).contains(&number("middle")), "{found}");
    assert_eq!(number("dropped"), 51);
    assert!((10..=51).contains(&number("rows")), "{found}");
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn unusual_records_are_shown_as_far_as_they_go() {
    const SHOW: &str = r##"
        await drawn();
        return {
            verdict: text("#verdict"), notes: text("#notes li"), rows: all(".row").length,
            images: all("img").length, rest: text(".row.other .said"), output: text(".row.output .said"),
        };
    "##;
    let mut page = Page::open(&without_hints("empty", ""), "");
    has(&page.run(SHOW), &json!({ "verdict": "? no verdict", "rows": 0, "notes": "" }));
    page.press(&["j", "n", "Enter", "v", "]", "f", "G"]);
    page.run("");

    let html = "<img src=x onerror=alert(1)></script>";
    let lines = [
        json!({ "time": 0.5, "event": "output", "line": format!("\u{1b}[31m{html}\u{1b}[0m") })
            .to_string(),
        "not JSON".to_owned(),
        json!({ "time": 0.6, "event": "novelty", "value": [1] }).to_string(),
        json!({
            "time": 0.7, "event": "packet", "packet": 1, "link_end": 9, "received": true,
            "length": 60, "protocol": "Ethernet", "source": null, "destination": null,
            "summary": "Ethernet a > b type 0x88b5 len 60", "sent_as": 7, "fates": [],
        })
        .to_string(),
    ];
    let mut page = Page::open(&without_hints("<odd>", &lines.join("\n")), "p1");
    let found = page.run(SHOW);
    has(&found, &json!({ "images": 0, "rows": 5, "rest": "novelty value [1]", "output": html }));
    contains(&found, &[("notes", "1 line of the record could not be read")]);

    let node = |node| json!({ "time": 0.1, "event": "node-added", "node": node, "name": format!("n{node}") });
    let nodes: String = (0..500).map(|nth| format!("{}\n", node(nth))).collect();
    let found = Page::open(&without_hints("many", &nodes), "").run(
        "return { boxes: all('.topology .box').length, legend: text('#network p'), lanes: all('.lane').length }",
    );
    has(&found, &json!({ "boxes": 60, "lanes": 12 }));
    contains(&found, &[("legend", "440 nodes of 500 are left out")]);
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn an_exploration_has_a_strip_of_points_and_faults() {
    let mut record = SAMPLE.to_owned();
    for (packet, point, fault, outcome) in [
        (6, "first SYN", "drop", "passed"),
        (6, "first SYN", "then reset", "failed"),
        (25, "first data", "drop", "not-reached"),
    ] {
        let event = json!({
            "time": 4.1, "event": "exploration-point", "packet": packet, "point": point,
            "fault": fault, "outcome": outcome,
        });
        writeln!(record, "{event}").expect("write to a text");
    }
    let found = Page::open(&without_hints("explored", &record), "").run(
        r##"
        const found = { heads: text(".strip thead th"), rows: text(".strip tbody tr"), failed: all(".strip td.failed").length };
        all(".strip td.failed button")[0].click();
        return { ...found, row: report.state.anchor };
        "##,
    );
    let rows = "drop✓· | then reset✕";
    has(&found, &json!({ "heads": "fault | #6 | #25", "rows": rows, "failed": 1, "row": "p6" }));
}

#[netns_test(timeout = "10s")]
#[ignore = "fixture of another test"]
fn asks_a_server_that_is_cut_off(server: Node) -> TestResult {
    let address = SocketAddr::new(server.ip(), 7000);
    let socket = server.run(move || UdpSocket::bind(address))?;
    println!("the server is {}", socket.local_addr()?);
    server.link().drop_packets(Packets::udp())?;
    UdpSocket::bind("0.0.0.0:0")?.send_to(b"question", address)?;
    panic!("no answer");
}

/// By the way that users have: a test fails, and names the directory in its output.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn a_test_that_fails_leaves_the_page() {
    let fixture = "report::asks_a_server_that_is_cut_off";
    let output = Run::of(&[fixture]).run().whole_text();
    let directory = output.lines().find_map(|line| line.strip_prefix("nstest: record in "));
    let directory = Path::new(directory.unwrap_or_else(|| panic!("no record: {output}")));
    let html = std::fs::read_to_string(directory.join("report.html")).expect("the page is there");
    let found = Page::open(&html, "").run(
        r##"
        await drawn();
        return {
            verdict: text("#verdict"), lanes: text("#lane-head .lane b"), output: text(".row.output .said"),
            boxes: text(".topology .box-title"),
        };
        "##,
    );
    has(&found, &json!({ "verdict": "✕ failed", "boxes": "test | server" }));
    contains(&found, &[("output", "the server is 10."), ("lanes", "server")]);
}
