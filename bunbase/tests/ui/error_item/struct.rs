use bunbase::ActionError;

#[derive(ActionError, Debug)]
struct TaskError {
    id: i64,
}

fn main() {}
