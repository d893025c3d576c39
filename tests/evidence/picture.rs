//! The pictures in README.md and in the book are those of today's cards.

// They show the failure of this example.
#[path = "../../docs/picture/shop/src/lib.rs"]
#[expect(unreachable_pub, reason = "the example is a library")]
mod shop;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::staged::Card;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

#[test]
fn the_pictures_show_what_a_card_looks_like_today() {
    let sections = ["hint", "network", "sockets", "packets", "faults", "seed"];
    let shape = |card: &Card| -> BTreeSet<String> {
        let text = card.sections(&sections).replace("picture::shop::", "");
        let lines = text.lines().filter(|line| !line.contains("left out"));
        // Without counts, which depend on the kernel's timers, and without names of processes.
        let start =
            |line: &str| line.split([',', '(']).next().unwrap_or_default().trim().to_owned();
        lines.map(start).collect()
    };
    let today = Card::of("picture::shop::tests::a_lost_server_is_an_error");
    let shown = fs::read_to_string(docs().join("src/picture/card.txt")).expect("read card.txt");
    let (today, shown) = (shape(&today), shape(&Card::read(shown)));
    assert!(
        today == shown,
        "the card has changed: docs/picture/make renews the pictures\n\
         today: {today:#?}\nin docs/src/picture/card.txt: {shown:#?}"
    );
}

#[test]
fn the_example_is_that_of_the_page() {
    let read = |path: &str| fs::read_to_string(docs().join(path)).expect("read a file of the book");
    let (page, example) = (read("src/guide/start.md"), read("picture/shop/src/lib.rs"));
    let page: BTreeSet<&str> = page.lines().map(str::trim).collect();
    let missing: Vec<&str> = example
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("#[ignore") && !page.contains(line))
        .collect();
    assert!(missing.is_empty(), "docs/src/guide/start.md lacks these lines: {missing:#?}");
}
