use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 404, "task {1} of {name}")]
    Missing(i64),
}

fn main() {}
