use bunbase::schema;

#[schema]
union Word {
    int: u32,
    float: f32,
}

fn main() {}
