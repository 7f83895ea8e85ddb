use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(framework)]
    Other(#[from] std::io::Error),
}

fn main() {}
