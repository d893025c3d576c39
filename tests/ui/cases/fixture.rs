//! `#[netns]`, because the compiler does not check a registered test without `--test`.
use nstest::netns;

struct Database;

#[netns]
fn not_a_fixture(db: Database) {
    let Database = db;
}

#[netns]
async fn not_a_fixture_async(_context: nstest::TestContext, (db, _): (Database, u8)) {
    let Database = db;
}

#[netns]
fn no_such_type(db: Postgres) {}

fn main() {
    not_a_fixture();
    not_a_fixture_async();
    no_such_type();
}
