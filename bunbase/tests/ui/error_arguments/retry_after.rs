use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    #[error(status = 404, retry = after("30"), "no")]
    Missing,
}

fn main() {}
