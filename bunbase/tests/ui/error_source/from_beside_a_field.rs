use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(internal)]
    Read(#[from] std::io::Error, u8),
}

fn main() {}
