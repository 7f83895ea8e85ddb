use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError<T> {
    #[error(status = 404, "no")]
    Missing(T),
}

fn main() {}
