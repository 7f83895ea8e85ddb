use bunbase::ActionError;

#[derive(ActionError, Debug)]
enum TaskError {
    Missing,
}

fn main() {}
