//! Rows are selected and filtered: by the URL, by keyboard, by mouse.

use serde_json::json;

use super::{contains, has, sample};
use crate::browser::Page;

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn the_address_selects_a_row() {
    let found = sample("p8").run(
        r##"
        const row = text(".row.selected .number");
        const detail = text("#detail");
        location.hash = "#p60&proto=TCP&node=server";
        await drawn();
        return { row, detail, later: report.state.anchor, hidden: text("#status") };
        "##,
    );
    has(&found, &json!({ "row": "8", "later": "p60" }));
    contains(
        &found,
        &[
            ("detail", "server ingress tcp port 7000 syn nth 1: drop"),
            ("detail", "by no node"),
            // This packet does not touch the server: a link to a row shows it in any case.
            ("hidden", "77 packet records shown"),
        ],
    );
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn the_address_filters() {
    const SHOW: &str = r##"
        await drawn();
        const filtered = {
            protocols: [...new Set(all(".row.packet .protocol").map((element) => element.textContent))],
            packets: all(".row.packet").length, status: text("#status"), pressed: text(".chip[aria-pressed=true]"),
        };
        report.clear();
        return { ...filtered, hash: location.hash, all: text("#status") };
    "##;
    let hash = "proto=UDP&hide=output,step,log,fault,network,link,other";
    has(
        &sample(hash).run(SHOW),
        &json!({
            "protocols": ["UDP"], "pressed": "UDP | packets", "hash": "",
            "all": "77 packet records shown",
            "status": "15 packet records shown · 62 packet records not shown by filters · \
                       21 other rows not shown by filters · 1 node without packets has no lane",
        }),
    );
    // What does not exist is no filter.
    let hash = "p99999&proto=SCTP&node=mars&flow=x&fault=77&time=5-1&hide=all&%zz";
    has(&sample(hash).run(SHOW), &json!({ "status": "77 packet records shown" }));
    has(&sample("time=1.4-1.72&text=PSH%20not").run(SHOW), &json!({ "packets": 1 }));
    has(&sample("fault=4").run(SHOW), &json!({ "packets": 4 }));
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn rows_are_chosen_by_keyboard() {
    let mut page = sample("");
    let selected = |page: &mut Page| page.run("return report.state.anchor");
    page.run("byId('rows').focus()");
    page.press(&["j", "j", "ArrowDown", "k"]);
    let active =
        "return byId('rows').getAttribute('aria-activedescendant') === all('.row.selected')[0].id";
    assert_eq!(page.run(active), true);
    page.press(&["G"]);
    let last = page.run("return text('.row.selected .said')");
    assert_eq!(last, "failed: the test did not end within 4s");
    // Two faults come before the first packet that is dropped.
    page.press(&["g", "n", "n", "n"]);
    assert_eq!(selected(&mut page), "p8");
    page.press(&["Enter"]);
    let detail = "return !byId('detail').hidden";
    assert_eq!(page.run(detail), true);
    page.press(&["j"]);
    assert_eq!(page.run(detail), true);
    page.press(&["Escape"]);
    assert_eq!(page.run(detail), false);
    page.press(&["N"]);
    assert_eq!(selected(&mut page), "p8");
    page.press(&["f"]);
    let hash = page.run("return decodeURIComponent(location.hash)");
    assert_eq!(hash, "#p8&flow=TCP 10.0.1.2:40112 ~ 10.0.2.1:7000");
    page.press(&["f", "]"]);
    let found = page.run("return { status: text('#status') }");
    contains(&found, &[("status", "only 0.000000 to 0.01124")]);
    page.press(&["x"]);
    assert_eq!(page.run("return location.hash"), "#p8");
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn filters_and_views_work_by_keyboard() {
    let mut page = sample("");
    page.press(&["/"]);
    page.press(&["r", "e", "t", "r", "a", "n", "s"]);
    let found = page.run(
        r##"
        while (report.state.filters.text !== "retrans") await drawn();
        const marked = all(".row.packet").filter((row) => row.textContent.includes("retransmission"));
        return { focus: document.activeElement.id, rows: all(".row.packet").length, marked: marked.length };
        "##,
    );
    assert_eq!(found["rows"], found["marked"]);
    has(&found, &json!({ "focus": "filter-text" }));
    page.press(&["Escape", "c", "v"]);
    let found = page.run(
        "return { hash: location.hash, head: text('#lane-head'), drawings: all('.drawing').length }",
    );
    let head = "time, ssincesent byreceived bylength#packet";
    has(&found, &json!({ "hash": "#view=table", "head": head, "drawings": 0 }));
    page.press(&["?"]);
    assert_eq!(page.run("return byId('help').open"), true);
    page.press(&["Escape"]);
    assert_eq!(page.run("return byId('help').open"), false);

    let colours = "return [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]";
    page.press(&["t"]);
    let first = page.run(colours);
    page.press(&["t"]);
    let second = page.run(colours);
    assert_ne!(first[1], second[1]);
    let mut themes = [first[0].as_str(), second[0].as_str()];
    themes.sort_unstable();
    assert_eq!(themes, [Some("dark"), Some("light")]);

    page.run("all('[role=slider]')[0].focus()");
    page.press(&["ArrowRight"; 5]);
    let found = page.run(
        "return { hash: location.hash, now: Number(document.activeElement.getAttribute('aria-valuenow')) }",
    );
    assert!(found["now"].as_f64().is_some_and(|now| now > 0.1), "{found}");
    contains(&found, &[("hash", "time=0.2")]);
    page.press(&["Home"]);
    assert_eq!(page.run("return location.hash"), "#view=table");
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs chromium; run ./check test")]
fn a_drag_selects_a_range_of_time() {
    let mut page = sample("");
    let at = page.run(
        r##"
        const box = byId("overview").getBoundingClientRect();
        return [1.0, 1.3].map((time) => box.left + report.overview.x(time)).concat(box.top + 20);
        "##,
    );
    let at = |nth: usize| at[nth].as_f64().expect("a place");
    page.drag((at(0), at(2)), (at(1), at(2)));
    let found = page.run(
        r##"
        await drawn();
        const [from, to] = report.state.filters.range;
        const times = all(".row .time").map((cell) => Number(cell.textContent));
        return {
            range: [from.toFixed(1), to.toFixed(1)], shown: !byId("overview-range").hidden,
            inside: times.length > 10 && times.every((time) => time >= from - 1e-6 && time <= to + 1e-6),
        };
        "##,
    );
    has(&found, &json!({ "range": ["1.0", "1.3"], "shown": true, "inside": true }));
}
