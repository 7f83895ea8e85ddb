use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(internal, framework)]
    Other(#[from] bunbase::Error),
}

fn main() {}
