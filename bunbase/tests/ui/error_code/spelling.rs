use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 404, code = "ProjectMissing", "no")]
    Missing,
}

fn main() {}
