use nstest::netns_test;

#[netns_test(flavor = "multi_thread", worker_threads = 2)]
fn sync_with_a_runtime() {}

#[netns_test(worker_threads = 2)]
async fn workers_without_flavor() {}

#[netns_test(flavor = "current_thread", worker_threads = 2)]
async fn workers_of_one_thread() {}

#[netns_test(flavor = "multithread")]
async fn flavor_misspelt() {}

#[netns_test(flavor = "threaded")]
async fn flavor_unknown() {}

#[netns_test(flavor = multi_thread)]
async fn flavor_bare() {}

#[netns_test(flavor = "multi_thread", worker_threads = 0)]
async fn no_workers() {}

#[netns_test(flavor = "multi_thread", worker_threads = "2")]
async fn workers_text() {}

fn main() {}
