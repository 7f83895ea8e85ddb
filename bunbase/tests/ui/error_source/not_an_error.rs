use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(internal)]
    Read(#[source] u8),
}

fn main() {}
