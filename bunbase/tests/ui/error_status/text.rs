use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = "404", "no")]
    Missing,
}

fn main() {}
