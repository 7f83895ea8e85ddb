use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 404, "task {0}")]
    Missing(Vec<u8>),
}

fn main() {}
