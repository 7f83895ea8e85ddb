use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(framework)]
    Other(bunbase::Error),
}

fn main() {}
