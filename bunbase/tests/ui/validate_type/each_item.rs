use bunbase::schema;

#[schema]
struct Task {
    #[validate(each(length(max = 5)))]
    field: Vec<i64>,
}

fn main() {}
