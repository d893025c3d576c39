//! The commit of the sources that a test was built from.

use std::fs;
use std::path::Path;

/// The commit that is checked out in the git repository around a directory. It does not tell
/// whether files have changed since. `None` if there is no repository, or if its format is not
/// that of files (gitrepository-layout(5)).
pub(crate) fn commit(directory: &Path) -> Option<String> {
    let git = directory.ancestors().map(|path| path.join(".git")).find(|path| path.exists())?;
    let git = match fs::read_to_string(&git) {
        // A worktree: `gitdir: /path`.
        Ok(link) => git.parent()?.join(link.strip_prefix("gitdir:")?.trim()),
        Err(_) => git,
    };
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(reference) = head.strip_prefix("ref:") else { return hash(&head) };
    let reference = reference.trim();
    let common = fs::read_to_string(git.join("commondir")).unwrap_or_default();
    let common = git.join(common.trim());
    let loose = fs::read_to_string(common.join(reference)).ok();
    loose.as_deref().and_then(hash).or_else(|| {
        let packed = fs::read_to_string(common.join("packed-refs")).ok()?;
        let line = packed.lines().find(|line| line.ends_with(&format!(" {reference}")))?;
        hash(line.split(' ').next()?)
    })
}

fn hash(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_found_in_each_layout() {
        let commit_a = "a".repeat(40);
        let commit_b = "b".repeat(40);
        let root = std::env::temp_dir().join(format!("nstest-commit-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("main/.git/HEAD", "ref: refs/heads/main\n");
        write("main/.git/refs/heads/main", &format!("{commit_a}\n"));
        write("main/src/x", "");
        write("main/.git/worktrees/w/HEAD", "ref: refs/heads/other\n");
        write("main/.git/worktrees/w/commondir", "../..\n");
        write("main/.git/packed-refs", &format!("# pack-refs\n{commit_b} refs/heads/other\n"));
        write("w/.git", &format!("gitdir: {}\n", root.join("main/.git/worktrees/w").display()));
        write("detached/.git/HEAD", &commit_b);
        write("broken/.git/HEAD", "ref: refs/heads/none\n");
        let found = |path: &str| commit(&root.join(path));
        assert_eq!(found("main/src"), Some(commit_a));
        assert_eq!(found("w"), Some(commit_b.clone()));
        assert_eq!(found("detached"), Some(commit_b));
        assert_eq!(found("broken"), None);
        fs::remove_dir_all(root).unwrap();
    }
}
