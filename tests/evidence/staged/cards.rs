//! The card in the output of a fixture, and what of it is the same in every run.

use nstest_tests::driver::Run;

const HEADING: &str = "=== nstest: what happened ===\n";
const RECORD: &str = "nstest: record in ";

/// The size of a card.
const LINES: usize = 25;
const COLUMNS: usize = 80;

/// A card, as it was printed.
pub(crate) struct Card(String);

impl Card {
    /// Runs a fixture that fails, and checks that its card fits and is in the record.
    #[track_caller]
    pub(crate) fn of(fixture: &str) -> Self {
        let text = Run::of(&[fixture]).run().whole_text();
        let (_, after) = text.split_once(HEADING).unwrap_or_else(|| panic!("no card: {text}"));
        let (card, after) = after.split_once(RECORD).unwrap_or_else(|| panic!("no record: {text}"));
        assert!(card.lines().count() <= LINES, "{card}");
        assert!(card.lines().all(|line| line.chars().count() <= COLUMNS), "{card}");
        let directory = after.lines().next().unwrap_or_default();
        let file = |name| std::fs::read_to_string(format!("{directory}/{name}")).expect(name);
        assert_eq!(file("card.txt"), card);
        let card = Self(card.to_owned());
        card.assert_hints_of(&file("report.html"));
        card
    }

    /// Checks that the page has the hints of the card, which may be cut there.
    #[track_caller]
    fn assert_hints_of(&self, page: &str) {
        let mut of_card: Vec<String> = Vec::new();
        let mut section = "";
        for line in self.0.lines() {
            let (heading, text) = line.split_once(' ').unwrap_or((line, ""));
            match (heading, of_card.last_mut()) {
                ("", Some(hint)) if section == "hint" => *hint = format!("{hint} {}", text.trim()),
                ("hint", _) => of_card.push(text.trim().to_owned()),
                _ => {}
            }
            section = if heading.is_empty() { section } else { heading };
        }
        let of_page = page.split("<li class=\"hint\">").skip(1);
        let of_page = of_page.map(|item| item.split("</li>").next().unwrap_or_default());
        let unescaped = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">");
        let of_page =
            of_page.map(|text| unescaped(text).replace("&quot;", "\"").replace("&amp;", "&"));
        let of_page: Vec<String> = of_page.collect();
        assert_eq!(of_page.len(), of_card.len(), "{of_page:#?}\n{}", self.0);
        for (page, card) in of_page.iter().zip(&of_card) {
            assert!(page.starts_with(card.trim_end_matches('…')), "{page}\n{card}");
        }
    }

    /// A card that a file has.
    pub(crate) fn read(text: String) -> Self {
        Self(text)
    }

    /// These sections, with their numbers masked. A hint is one line, since where it is wrapped
    /// depends on its numbers.
    pub(crate) fn sections(&self, names: &[&str]) -> String {
        let (mut shown, mut section) = (String::new(), "");
        for line in self.0.lines() {
            // The second line of a fault has what differs.
            let of_fault = line.starts_with(' ') && !line.contains(" `");
            if section == "faults" && of_fault {
                continue;
            }
            let heading = line.split(' ').next().unwrap_or_default();
            if !heading.is_empty() {
                section = heading;
            }
            if !names.contains(&section) {
                continue;
            }
            // What follows can be cut.
            let line = line.find(" to the end").map_or(line, |at| &line[..at + 11]);
            // A process is named where it fits.
            let line = line.find(" (evidence").map_or(line, |at| &line[..at]);
            if section == "hint" && heading.is_empty() {
                shown.truncate(shown.trim_end().len());
                shown.push(' ');
                shown.push_str(&masked(line.trim_start()));
            } else {
                shown.push_str(&masked(line));
            }
            shown.push('\n');
        }
        shown
    }
}

/// What the card says only where the test ran long enough before it failed.
const DEPENDS_ON_TIME: [&str; 4] =
    [", N retransmits", ", N retransmit", " (N times until N s)", " but control traffic"];

/// A line without what differs: times, the ports of clients, process numbers, and counts.
fn masked(line: &str) -> String {
    let counted = |word: &str| match word.trim_matches(['(', ')', ',', ';']) {
        "once" | "twice" => word.replace("once", "N times").replace("twice", "N times"),
        _ => word.to_owned(),
    };
    let words: Vec<String> = line.split(' ').map(|word| number(&counted(word))).collect();
    DEPENDS_ON_TIME.iter().fold(words.join(" "), |line, part| line.replace(part, ""))
}

/// A word without its number, if the number differs.
fn number(word: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    if let Some((name, rest)) = word.split_once('[').filter(|(_, rest)| rest.starts_with(is_digit))
    {
        return format!("{name}[N{}", rest.trim_start_matches(is_digit));
    }
    if let Some((host, rest)) = word.rsplit_once(':') {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        return match digits {
            5 => format!("{host}:PORT{}", &rest[5..]),
            _ => word.to_owned(),
        };
    }
    let trimmed = word.trim_start_matches('(');
    let length = trimmed.chars().take_while(|c| is_digit(*c) || *c == '.').count();
    let (digits, rest) = trimmed.split_at(length);
    let is_address = digits.matches('.').count() > 1;
    let is_number = length > 0 && !is_address && !rest.starts_with([':', '/']) && rest.len() < 3;
    if !is_number {
        return word.to_owned();
    }
    let open = &word[..word.len() - trimmed.len()];
    format!("{open}N{}", rest.trim_end_matches('%'))
}
