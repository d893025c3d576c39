use nstest::netns_test;

#[netns_test]
struct Structure;

#[netns_test]
mod module {
    pub fn inside() {}
}

#[netns_test]
impl Structure {
    fn method() {}
}

#[netns_test]
const CONSTANT: u8 = 0;

trait Trait {
    #[netns_test]
    fn bodiless();
}

fn main() {
    module::inside();
    Structure::method();
    let _ = CONSTANT;
}
