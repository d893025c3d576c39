//! Sections of a card, cut and wrapped to its size.

use crate::evidence::shown::is_control;

/// The size of a card.
pub(super) const LINES: usize = 25;
pub(super) const COLUMNS: usize = 80;

/// The columns before the text of a section, which its heading has.
const INDENT: usize = 9;

/// The columns of text.
pub(super) const WIDTH: usize = COLUMNS - INDENT;

/// A part of a card.
#[derive(Debug, Clone)]
pub(super) struct Section {
    /// At most 8 characters.
    pub(super) heading: &'static str,
    pub(super) lines: Vec<String>,
    /// The lines that are kept if the card is too long.
    pub(super) least: usize,
    /// Whether the last lines are kept, instead of the first.
    pub(super) newest: bool,
    /// How many were left out before them.
    earlier: usize,
    /// Whether long lines are wrapped if there is room.
    pub(super) wrapped: bool,
}

impl Section {
    /// Each item is a line.
    pub(super) fn of(heading: &'static str, least: usize, lines: Vec<String>) -> Self {
        Self { heading, lines, least, newest: false, earlier: 0, wrapped: false }
    }

    /// A text of several sentences, on at most so many lines.
    pub(super) fn text(heading: &'static str, most: usize, text: &str) -> Self {
        let lines = wrap(text, most);
        Self::of(heading, lines.len(), lines)
    }

    /// So many were left out before its lines.
    pub(super) fn newest(self, earlier: usize) -> Self {
        Self { newest: true, earlier, ..self }
    }

    pub(super) fn wrapped(self) -> Self {
        Self { wrapped: true, ..self }
    }
}

/// The card.
pub(super) fn print(mut sections: Vec<Section>, colour: bool) -> String {
    sections.retain(|section| !section.lines.is_empty());
    let total: usize = sections.iter().map(|section| section.lines.len()).sum();
    let mut room = LINES.saturating_sub(total);
    for section in sections.iter_mut().filter(|section| section.wrapped) {
        for line in std::mem::take(&mut section.lines) {
            if room > 0 && line.chars().count() > WIDTH {
                let lines = in_two(&line);
                room -= lines.len().saturating_sub(1);
                section.lines.extend(lines);
            } else {
                section.lines.push(line);
            }
        }
    }
    let mut counts: Vec<usize> = sections.iter().map(|section| section.lines.len()).collect();
    while counts.iter().sum::<usize>() > LINES {
        // The section that can spare most.
        let spare = |at: &usize| counts[*at].saturating_sub(sections[*at].least.max(1));
        let Some(at) = (0..counts.len()).max_by_key(spare) else { break };
        if spare(&at) == 0 {
            let Some(longest) = (0..counts.len()).max_by_key(|at| counts[*at]) else { break };
            counts[longest] -= 1;
        } else {
            counts[at] -= 1;
        }
    }
    let mut card = String::new();
    for (section, count) in sections.into_iter().zip(counts) {
        let heading = section.heading;
        for (nth, line) in shortened(section, count).iter().enumerate() {
            let heading = if nth == 0 { heading } else { "" };
            let padding = " ".repeat(INDENT.saturating_sub(heading.len()));
            let line = cut(line, WIDTH);
            let is_bold = colour && !heading.is_empty();
            let (bold, plain) = if is_bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            card.push_str(&format!("{bold}{heading}{plain}{padding}{line}\n"));
        }
    }
    card
}

/// So many of the lines, and how many there are more.
fn shortened(section: Section, count: usize) -> Vec<String> {
    let Section { mut lines, newest, earlier, .. } = section;
    let hidden = lines.len() - count.min(lines.len());
    if hidden + earlier == 0 {
        return lines;
    }
    let more = match newest {
        true => format!(" ({} earlier left out)", hidden + earlier),
        false => format!(" (+{hidden} more)"),
    };
    if newest {
        lines.drain(..hidden);
    } else {
        lines.truncate(count);
    }
    let marked = if newest { lines.first_mut() } else { lines.last_mut() };
    if let Some(line) = marked {
        let room = WIDTH - more.chars().count();
        // The last words of a packet say what became of it.
        *line = if newest { cut_middle(line, room) } else { cut(line, room) };
        line.push_str(&more);
    }
    lines
}

/// A line of at most so many characters, without control characters. `…` stands for what is
/// missing at its end.
pub(super) fn cut(line: &str, width: usize) -> String {
    let line = plain(line);
    if line.chars().count() <= width {
        return line;
    }
    let kept: String = line.chars().take(width - 1).collect();
    format!("{}…", kept.trim_end())
}

/// As [`cut`], for a line of parts with two spaces between them, of which the last ones matter
/// most: `1.000 s  client > server:7000  SYN  DROPPED`. The one before them is cut.
pub(super) fn cut_middle(line: &str, width: usize) -> String {
    // A time, and some of the next part.
    const LEAST: usize = 16;
    let length = |text: &str| text.chars().count();
    if length(line) <= width {
        return cut(line, width);
    }
    let breaks = line.match_indices("  ").skip(1).map(|(at, _)| line.split_at(at));
    let kept = breaks.into_iter().find(|(_, last)| length(last) + LEAST <= width);
    match kept {
        Some((first, last)) => format!("{}{}", cut(first, width - length(last)), plain(last)),
        None => cut(line, width),
    }
}

/// A line that fits, if it does without one after the other of these words.
pub(super) fn fitted(mut line: String, without: &[(&str, &str)]) -> String {
    for (words, short) in without {
        if line.chars().count() > WIDTH {
            line = line.replacen(words, short, 1);
        }
    }
    line
}

/// As [`cut`]: what is missing was at its start.
pub(super) fn cut_start(line: &str, width: usize) -> String {
    let line = plain(line);
    let count = line.chars().count();
    if count <= width {
        return line;
    }
    format!("…{}", line.chars().skip(count - width + 1).collect::<String>())
}

/// Output of tests can have anything in it.
fn plain(text: &str) -> String {
    let plain = |c: char| if is_control(c) { ' ' } else { c };
    // Jenkins attaches the file that is named after it.
    text.chars().map(plain).collect::<String>().replace("[[ATTACHMENT|", "[ATTACHMENT|")
}

/// Lines of whole words. The last one is cut.
pub(super) fn wrap(text: &str, most: usize) -> Vec<String> {
    let text = plain(text);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let length = lines[last].chars().count();
        let fits = length == 0 || length + 1 + word.chars().count() <= WIDTH;
        if fits || lines.len() == most {
            if length > 0 {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A line as two, if it has a space where it can be broken.
fn in_two(line: &str) -> Vec<String> {
    let line = plain(line);
    let end = line.char_indices().nth(WIDTH).map_or(line.len(), |(at, _)| at + 1);
    match line.get(..end).and_then(|start| start.rfind(' ')) {
        Some(at) => vec![line[..at].trim_end().to_owned(), line[at..].trim_start().to_owned()],
        None => vec![line],
    }
}

/// A command on several lines, such that it can be copied.
pub(super) fn command(text: &str) -> Vec<String> {
    const CONTINUED: &str = " \\";
    let mut lines = vec![String::new()];
    for word in plain(text).split(' ') {
        let last = lines.len() - 1;
        let length = lines[last].chars().count();
        let fits = length + 1 + word.chars().count() + CONTINUED.len() <= WIDTH;
        if length > 0 && !fits {
            lines[last].push_str(CONTINUED);
            lines.push(String::new());
        } else if length > 0 {
            lines[last].push(' ');
        }
        let last = lines.len() - 1;
        lines[last].push_str(word);
    }
    lines.retain(|line| !line.is_empty());
    lines
}
