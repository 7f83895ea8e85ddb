use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 404, "task {}")]
    Missing(i64),
}

fn main() {}
