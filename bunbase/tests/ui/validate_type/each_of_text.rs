use bunbase::schema;

#[schema]
struct Task {
    #[validate(each(length(max = 5)))]
    field: String,
}

fn main() {}
