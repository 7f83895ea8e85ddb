use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(statuscode = 404, "no")]
    Missing,
}

fn main() {}
