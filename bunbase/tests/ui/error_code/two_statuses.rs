use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 404, code = "missing", "no")]
    Task,
    #[error(status = 410, code = "missing", "no more")]
    Project,
}

fn main() {}
