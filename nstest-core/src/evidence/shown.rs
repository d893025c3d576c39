//! Texts and paths from tests and users, as a terminal or a shell can have them.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

/// Whether a terminal does something else with a character than to show it.
pub(crate) fn is_control(c: char) -> bool {
    // Some change the direction of the text after them.
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text for a terminal: control characters are shown as `\x1b`. Lines stay lines.
#[must_use]
pub fn for_terminal(text: &str) -> String {
    escaped(text, |c| match u32::from(c) {
        code @ ..0x80 => format!("\\x{code:02x}"),
        code => format!("\\u{{{code:x}}}"),
    })
}

/// JSON for a terminal: control characters are shown as `\u001b`, which means the same in a text.
#[must_use]
pub fn json_for_terminal(text: &str) -> String {
    escaped(text, |c| format!("\\u{:04x}", u32::from(c)))
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            c if is_control(c) => shown.push_str(&escape(c)),
            c => shown.push(c),
        }
    }
    shown
}

/// A text for a cell of a table: it has no lines.
#[must_use]
pub fn in_one_line(text: &str) -> String {
    for_terminal(text).replace('\n', "\\n")
}

/// A path, to be copied into a shell.
#[must_use]
pub fn path(path: &Path) -> String {
    word(path.as_os_str(), "_:#-./=,@%+")
}

/// A word for a shell, quoted unless it has only letters, digits and these characters.
pub(crate) fn word(text: &OsStr, others: &str) -> String {
    let Some(text) = text.to_str().filter(|text| !text.contains(is_control)) else {
        return in_bytes(text.as_encoded_bytes());
    };
    let is_plain = |c: char| c.is_alphanumeric() || others.contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

/// In double quotes, or in single ones if a character is special in double ones.
pub(crate) fn quoted(text: &str) -> String {
    match text.contains(['"', '$', '`', '\\', '!']) {
        true => format!("'{}'", text.replace('\'', r"'\''")),
        false => format!("\"{text}\""),
    }
}

/// As bash, zsh and ksh have bytes that are no text: `$'\xff'`.
fn in_bytes(bytes: &[u8]) -> String {
    let mut word = "$'".to_owned();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' | '\'' => word.extend(['\\', c]),
                c if is_control(c) => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(&mut word, byte));
                }
                c => word.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_byte(&mut word, *byte));
    }
    word.push('\'');
    word
}

/// In octal: a digit in hexadecimal could follow.
fn push_byte(word: &mut String, byte: u8) {
    let _ = write!(word, "\\{byte:03o}"); // a String has room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a > b: drop"), "\"a > b: drop\"");
        assert_eq!(quoted("a'$b"), r"'a'\''$b'");
        assert_eq!(quoted("a!"), "'a!'");
        assert_eq!(path(Path::new("/tmp/größe-1.2")), "/tmp/größe-1.2");
        assert_eq!(path(Path::new("/my records")), "\"/my records\"");
        assert_eq!(path(Path::new("")), "\"\"");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_the_bytes_of_a_path() {
        use std::os::unix::ffi::OsStrExt;
        for bytes in [
            &b"/tmp/a\xffb"[..],
            b"\xff1'\\ \xc3\xbc",
            b"line\nbreak",
            b"\x1b[2J\x7f\xc2\x9b7",
            b"\xe2\x80\xae",
        ] {
            let word = path(Path::new(OsStr::from_bytes(bytes)));
            assert!(word.starts_with("$'") && !word.contains(is_control), "{word}");
            let script = format!("printf %s {word}");
            let output = std::process::Command::new("bash").args(["-c", &script]).output();
            assert_eq!(output.unwrap().stdout, bytes, "{word}");
        }
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        let text = "a\x1b[2Jb\u{9b}c\u{202e}d\x7f\te\n";
        assert_eq!(for_terminal(text), "a\\x1b[2Jb\\u{9b}c\\u{202e}d\\x7f\\x09e\n");
        assert_eq!(json_for_terminal(text), "a\\u001b[2Jb\\u009bc\\u202ed\\u007f\\u0009e\n");
        assert_eq!(in_one_line("a\nb\r"), "a\\nb\\x0d");
        for plain in ["größe", "10.0.0.1:80 → [fd00::1]", "…"] {
            assert_eq!(for_terminal(plain), plain);
        }
    }
}
