//! The limit of open files where no program is started in a node.

pub(super) fn restore(_: &mut std::process::Command) -> bool {
    false
}
