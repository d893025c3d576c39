//! `report.html`: the record of a test as a page that shows it.
//!
//! The page is one file without requests to elsewhere, so that a browser opens it from a disk
//! or from the artifacts of a CI job. It contains the events as they are in `events.jsonl`,
//! and draws everything from them when it is opened: here is only what puts it together.

/// The page. It has markers for what is put in.
const PAGE: &str = include_str!("report.html");

const STYLE: &str = include_str!("report.css");

/// Scripts in the order of their dependencies: they are one script in the page.
const SCRIPTS: [&str; 13] = [
    include_str!("dom.js"),
    include_str!("model.js"),
    include_str!("packets.js"),
    include_str!("filters.js"),
    include_str!("layout.js"),
    include_str!("rows.js"),
    include_str!("arrows.js"),
    include_str!("sequence.js"),
    include_str!("overview.js"),
    include_str!("topology.js"),
    include_str!("panels.js"),
    include_str!("controls.js"),
    include_str!("main.js"),
];

/// The page for a record in the form of `events.jsonl`. `hints` and `notes` are those of the card:
/// sentences about the cause, and what need not have to do with it.
pub(crate) fn report(
    title: &str,
    hints: &[String],
    notes: &[String],
    events_jsonl: &str,
) -> String {
    let mut page = String::with_capacity(events_jsonl.len() + (128 << 10));
    let mut rest = PAGE;
    // Markers are looked for in the page only, not in what is put in.
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((marker, after)) = after.split_once("}}") else { break };
        match marker {
            "title" => page.push_str(&escape(title)),
            "hints" => {
                for (class, texts) in [("hint", hints), ("note", notes)] {
                    let items = texts.iter().map(|text| item(class, text));
                    page.extend(items);
                }
            }
            "css" => page.push_str(STYLE),
            "js" => SCRIPTS.iter().for_each(|script| page.push_str(script)),
            // JSON has `<` in strings only, where the escape means the same. Without `<`, no
            // text of a test can end the element.
            "events" => page.push_str(&events_jsonl.replace('<', "\\u003c")),
            _ => {}
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

fn item(class: &str, text: &str) -> String {
    format!("<li class=\"{class}\">{}</li>", escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_put_in_and_nothing_of_a_test_ends_an_element() {
        let texts = ["<b>`server` & {{css}}".to_owned()];
        let events = "{\"text\":\"</script><!--{{css}}\"}\n";
        let page = report("a<b> & {{js}}", &texts, &texts, events);
        let hint = "<li class=\"hint\">&lt;b&gt;`server` &amp; {{css}}</li>";
        let list = format!("{hint}{}</ul>", hint.replace("hint", "note"));
        assert!(page.contains(&list), "{page}");
        assert!(page.contains("<title>a&lt;b&gt; &amp; {{js}}</title>"), "{page}");
        assert!(page.contains("{\"text\":\"\\u003c/script>\\u003c!--{{css}}\"}\n"));
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.trim_end().ends_with("</html>"));
    }

    /// The page must work without a network, and a policy in it forbids requests.
    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        assert!(PAGE.contains("default-src 'none'"));
        for part in [PAGE, STYLE].iter().chain(&SCRIPTS) {
            for word in ["src=", "href=", "@import", "url(", "fetch(", "import("] {
                assert!(!part.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn no_file_is_too_long_or_ends_the_script() {
        for part in [PAGE, STYLE].iter().chain(&SCRIPTS) {
            assert!(part.lines().count() <= 400 && part.ends_with('\n'));
        }
        assert!(SCRIPTS.iter().all(|script| !script.contains("</script")));
    }
}
