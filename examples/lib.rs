//! One program per idea; run one with `cargo run --example NAME`. This library is empty: a package needs one.
