//! What is built in, as ready bytes.

use std::{ffi::OsStr, fs, path::Path};

use actix_web::{
    HttpResponse,
    http::header::CONTENT_TYPE,
    web::{self, Bytes, ServiceConfig},
};

/// The paths, and the files that hold what is answered there; the type of `NAME` is in `NAME.type`.
pub(crate) const FILES: [(&str, &str); 4] =
    [("/_health/live", "live"), ("/_health", "health"), ("/_metrics", "metrics"), ("/openapi.json", "openapi")];

/// One answer.
#[derive(Clone)]
struct Document {
    path: &'static str,
    content_type: String,
    body: Bytes,
}

/// All of them.
#[derive(Clone)]
pub(super) struct Documents(Vec<Document>);

impl Documents {
    /// Reads those that are in the folder.
    pub(super) fn read(folder: Option<&OsStr>) -> crate::Result<Self> {
        let Some(folder) = folder.map(Path::new) else { return Ok(Self(Vec::new())) };
        let files = FILES.into_iter().filter(|(_, name)| folder.join(name).is_file());
        let read = |(path, name): (&'static str, &str)| -> crate::Result<Document> {
            let content_type = fs::read_to_string(folder.join(format!("{name}.type")))?;
            Ok(Document { path, content_type, body: fs::read(folder.join(name))?.into() })
        };
        Ok(Self(files.map(read).collect::<crate::Result<_>>()?))
    }

    pub(super) fn routes(&self, routes: &mut ServiceConfig) {
        for document in &self.0 {
            let Document { path, content_type, body } = document.clone();
            let answer = move || {
                let answer = HttpResponse::Ok().insert_header((CONTENT_TYPE, content_type.as_str())).body(body.clone());
                std::future::ready(answer)
            };
            routes.route(path, web::get().to(answer));
        }
    }
}
