use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(internal)]
    Read(#[from] std::io::Error),
    #[error(internal)]
    Write(#[from] std::io::Error),
}

fn main() {}
