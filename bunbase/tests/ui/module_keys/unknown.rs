bunbase::module!(prefx = "/tasks");

fn main() {}
