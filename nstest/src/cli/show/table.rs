//! Lines of words below each other.

use nstest_core::private::shown::in_one_line;

/// Each row in a line, without control characters. All columns but the last are as wide as their
/// widest word.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let in_lines = |row: &Vec<String>| row.iter().map(|word| in_one_line(word)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(in_lines).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|word| word.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (word, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{word:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
