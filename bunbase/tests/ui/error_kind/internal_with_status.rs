use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(internal, status = 500, "no")]
    Missing,
}

fn main() {}
