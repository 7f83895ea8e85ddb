use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 200, "no")]
    Missing,
}

fn main() {}
