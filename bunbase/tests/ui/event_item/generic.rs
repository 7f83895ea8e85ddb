#[bunbase::event("changed")]
pub struct Changed<T> {
    pub value: T,
}

fn main() {}
