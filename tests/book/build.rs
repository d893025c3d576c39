//! Collects the Rust blocks of the book and of README.md into one file, which `src/lib.rs`
//! includes. Each block becomes a module, named by its page and line.
//!
//! - `rust`: the block is compiled, and the tests in it run.
//! - `rust,no_run`: it is compiled; its tests are not registered.
//! - `rust,ignore`: it is not looked at, because it needs something that does not compile here.
//!
//! Blocks compile with what the page shows: they begin with their own `use` lines, or the first
//! block of the page has those of all its blocks, and nothing else.
//!
//! A block of statements becomes the body of a function. A comment on the line before it,
//! `<!-- given: server: Node, net: Net -->`, which no reader sees, has its parameters.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    collect(&root.join("docs/src"), &mut pages);
    pages.sort();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", root.join("docs/src").display());
    let mut out = String::new();
    for page in &pages {
        println!("cargo::rerun-if-changed={}", page.display());
        let text = std::fs::read_to_string(page).expect("read a page");
        let name = page.strip_prefix(&root).expect("it is below the root").with_extension("");
        let name = name.to_string_lossy().replace("docs/src/", "").to_lowercase();
        let _ = writeln!(out, "mod {} {{", name.replace(|c: char| !c.is_alphanumeric(), "_"));
        let mut imports = "";
        for (index, block) in blocks(&text).iter().enumerate() {
            let place = format!("{}:{}", page.display(), block.line);
            let _ = writeln!(out, "mod line_{} {{ // {place}", block.line);
            let module = block.module().unwrap_or_else(|error| panic!("{place}: {error}"));
            if index == 0 && block.has_only_imports() {
                out.push_str(&module.replace("use ", "pub(super) use "));
                imports = "use super::imports::*;\n";
                let _ = writeln!(out, "}}\nuse line_{} as imports;", block.line);
                continue;
            }
            let _ = write!(out, "use crate::reader::*;\n{imports}{module}}}\n");
        }
        out.push_str("}\n");
    }
    let directory = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(directory.join("book.rs"), out).expect("write the blocks");
}

fn collect(directory: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("read a directory") {
        let path = entry.expect("read an entry").path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

struct Block {
    /// The line of its first statement, counted from 1.
    line: usize,
    run: bool,
    given: String,
    code: String,
}

impl Block {
    fn has_only_imports(&self) -> bool {
        let file = syn::parse_file(&self.code);
        file.is_ok_and(|file| file.items.iter().all(|item| matches!(item, syn::Item::Use(_))))
    }

    /// The items of the module that the block becomes.
    fn module(&self) -> syn::Result<String> {
        let mut code = self.code.clone();
        if !self.run {
            code = code
                .replace("#[netns_test", "#[nstest::netns")
                .replace("#[nstest::test", "#[nstest::netns")
                .replace("#[test]", "#[cfg(all())]");
        }
        let Err(error) = syn::parse_file(&code) else { return Ok(code) };
        let end = if code.trim_end().ends_with("Ok(())") { "" } else { "Ok(())\n" };
        let given = self.given.replace(": ", ": crate::given::");
        let code = format!("async fn block({given}) -> nstest::TestResult {{\n{code}{end}}}\n");
        // The error of the items says more than that of the function around them.
        syn::parse_file(&code).map_err(|_| error)?;
        Ok(code)
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut given = "";
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            let words: Vec<&str> = fence.split(',').collect();
            let mut code = String::new();
            for (_, line) in lines.by_ref().take_while(|(_, l)| !l.trim_start().starts_with("```"))
            {
                code.push_str(line);
                code.push('\n');
            }
            if words[0] == "rust" && !words.contains(&"ignore") {
                let run = !words.contains(&"no_run");
                found.push(Block { line: index + 2, run, given: given.to_owned(), code });
            }
        }
        let comment = line.trim().strip_prefix("<!-- given:");
        given = comment.and_then(|text| text.strip_suffix("-->")).unwrap_or_default();
    }
    found
}
