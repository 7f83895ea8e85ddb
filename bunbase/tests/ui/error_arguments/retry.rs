use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 404, retry = always, "no")]
    Missing,
}

fn main() {}
