use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error("no")]
    Missing,
}

fn main() {}
