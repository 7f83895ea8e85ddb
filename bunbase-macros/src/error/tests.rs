//! Pretty-printed expansions, reviewed.

use quote::quote;

use super::expand;

#[test]
fn an_enum() {
    let expanded = expand(quote! {
        enum TaskError {
            /// No project has this id.
            #[error(status = 404, code = "project_missing", "project {0} does not exist")]
            ProjectMissing(i64),
            #[error(status = 409, retry = never, "a project holds at most {max} tasks")]
            TaskLimit { max: u32 },
            #[error(internal)]
            Db(#[from] DbErr),
            #[error(framework)]
            Other(#[from] bunbase::Error),
        }
    });
    insta::assert_snapshot!(prettyplease::unparse(&syn::parse2(expanded).expect("an expansion is a list of items")));
}

#[test]
fn every_mistake_is_reported() {
    let expanded = expand(quote! {
        enum TaskError {
            #[error(status = 200, code = "A", "project {0}")]
            A,
            B,
        }
    });
    assert_eq!(expanded.to_string().matches("compile_error").count(), 4, "{expanded}");
}
