//! The same endpoint on actix-web alone, as its guide would write it.

use std::io::Write;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    name: String,
    tags: Vec<String>,
}

#[derive(Serialize)]
struct Item {
    id: i64,
    name: String,
    tags: Vec<String>,
}

async fn make_item(path: web::Path<i64>, request: HttpRequest, body: web::Json<NewItem>) -> HttpResponse {
    let NewItem { name, tags } = body.into_inner();
    let length = name.chars().count();
    if !(1..=200).contains(&length) || tags.len() > 10 {
        return HttpResponse::UnprocessableEntity().finish();
    }
    let tenant = request.headers().get("x-tenant").and_then(|value| value.to_str().ok());
    let name = tenant.map_or(name.clone(), |tenant| format!("{tenant}:{name}"));
    HttpResponse::Ok().json(Item { id: path.into_inner(), name, tags })
}

/// Serves it with one worker, until the process is killed.
pub(crate) fn serve() -> std::io::Result<()> {
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| App::new().route("/shops/{shop_id}/items", web::post().to(make_item)))
            .workers(1)
            .bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            writeln!(std::io::stdout(), "http://{address}")?;
        }
        server.run().await
    })
}
