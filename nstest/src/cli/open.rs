//! `nstest open`: the report of a failed test, in a browser.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{self, Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use nstest_core::private::files::REPORT;
use nstest_core::private::shown;

use super::{FAILED, fail, name, records};

/// Opens the report of a failed test in a browser.
///
/// The browser is that of the variable BROWSER, or the desktop's (xdg-open). BROWSER has command
/// lines with `:` between them, which are tried in turn. The path takes the place of `%s`, or comes
/// last.
#[derive(Debug, Args)]
pub(super) struct Open {
    /// The directory that the failed test printed, or `latest`.
    #[arg(default_value = "latest", value_name = "RECORD")]
    record: PathBuf,
}

impl Open {
    pub(super) fn execute(self) -> ExitCode {
        let report = match records::find(&self.record) {
            Ok(record) => record.join(REPORT),
            Err(message) => return fail(FAILED, message),
        };
        // A relative one can look like an option.
        let report = path::absolute(&report).unwrap_or(report);
        let wrong = match report.metadata() {
            Ok(found) if !found.is_file() => Some("it is not a regular file".to_owned()),
            Ok(found) if found.len() == 0 => Some("it is empty".to_owned()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = wrong {
            return fail(FAILED, format_args!("cannot open `{}`: {why}", shown::path(&report)));
        }
        let mut browsers = command_lines(&browser(), &report);
        let is_desktop = browsers.is_empty();
        if is_desktop {
            browsers.push(vec!["xdg-open".into(), report.clone().into()]);
        }
        let mut tried = Vec::new();
        for words in &browsers {
            match start(words, is_desktop) {
                Ok(()) => return ExitCode::SUCCESS,
                Err(why) => tried.push(format!("{}: {why}", name(&words[0]))),
            }
        }
        let (tried, report) = (tried.join("; "), shown::path(&report));
        let help = if is_desktop { "set BROWSER to the command of a browser, or " } else { "" };
        fail(FAILED, format_args!("{tried}; {help}open this file in any browser:\n{report}"))
    }
}

fn browser() -> String {
    env::var_os("BROWSER").unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns when the browser has ended. It has the terminal: there are browsers for that.
fn start(words: &[OsString], is_desktop: bool) -> Result<(), String> {
    let [program, arguments @ ..] = words else { return Err("no command".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments);
    if is_desktop {
        // Without a desktop, xdg-open names every browser that it has not found.
        command.stderr(Stdio::null());
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        // xdg-open(1)
        Ok(status) if is_desktop && status.code() == Some(3) => {
            Err("it found no browser".to_owned())
        }
        Ok(status) => Err(status.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("not found".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The command lines in BROWSER, with the path of the report: as sensible-browser(1) and
/// xdg-open(1) read it, `%s` is the path, and `%%` a percent sign.
fn command_lines(browser: &str, report: &Path) -> Vec<Vec<OsString>> {
    let lines = browser.split(':').map(words);
    lines.filter(|line| !line.is_empty()).map(|line| with_path(&line, report)).collect()
}

/// The words of a command line. Quotes and backslashes are as in a shell.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (_, Some(end)) if c == end => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            (_, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (_, None) if c.is_whitespace() => words.extend(word.take()),
            (_, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The words of a command line, with the path.
fn with_path(line: &[String], report: &Path) -> Vec<OsString> {
    let mut has_path = false;
    let mut replaced = |word: &String| {
        let mut result = OsString::new();
        let mut rest = word.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            result.push(before);
            if let Some(after) = after.strip_prefix('s') {
                has_path = true;
                result.push(report);
                rest = after;
            } else {
                result.push("%");
                rest = after.strip_prefix('%').unwrap_or(after);
            }
        }
        result.push(rest);
        result
    };
    let mut line: Vec<OsString> = line.iter().map(&mut replaced).collect();
    if !has_path {
        line.push(report.into());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_has_command_lines() {
        let of = |browser: &str| command_lines(browser, Path::new("/a b"));
        for (browser, lines) in [
            ("firefox", &[&["firefox", "/a b"][..]][..]),
            ("firefox --new-window", &[&["firefox", "--new-window", "/a b"]]),
            ("chromium --app=%s -x", &[&["chromium", "--app=/a b", "-x"]]),
            ("w3m:lynx -x", &[&["w3m", "/a b"], &["lynx", "-x", "/a b"]]),
            (":w3m::", &[&["w3m", "/a b"]]),
            ("'/my apps/b' \"%s\" a\\ b 100%%", &[&["/my apps/b", "/a b", "a b", "100%"]]),
            ("", &[]),
            (" : ", &[]),
        ] {
            assert_eq!(of(browser), lines, "{browser}");
        }
    }
}
