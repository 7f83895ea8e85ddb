//! The same endpoints by hand on actix-web alone, as its guide would write them: what `run --twin` and `run --paired` measure beside the application.
//!
//! `bunbase-benches server twin`, which reads `PORT`, `WORKERS`, `DATABASE_URL` and `STATIC_DIR`: the folder with what is built in, as the application answered it.
//! It measures, records and traces nothing. Its answers have the same bodies, byte for byte, which the runner checks.

mod documents;
mod rows;
mod typed;

use std::io::Write;

use actix_web::{App, HttpServer, web};

pub(crate) use self::documents::FILES as DOCUMENTS;
use self::{documents::Documents, rows::Store};

/// Serves until it is told to end.
pub(crate) fn serve() -> crate::Result<()> {
    let number = |name, default: usize| std::env::var(name).map_or(Ok(default), |text| text.parse());
    let (port, workers) = (u16::try_from(number("PORT", 0)?)?, number("WORKERS", 1)?);
    let database = std::env::var("DATABASE_URL").ok();
    let many: usize = crate::server::MANY.parse()?;
    let documents = Documents::read(std::env::var_os("STATIC_DIR").as_deref())?;
    let stores = Store::prepare(database.as_deref(), workers)?;
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            let app = App::new()
                // Half of them before what is measured, and half after: it is one of them.
                .configure(|routes| typed::many(routes, 0..many / 2))
                .configure(|routes| documents.routes(routes))
                .configure(typed::routes)
                // Each worker has its own.
                .app_data(web::Data::new(stores.for_worker()));
            let app = if stores.is_there() { app.configure(rows::routes) } else { app };
            app.configure(|routes| typed::many(routes, many / 2..many))
        })
        .workers(workers)
        .bind(("127.0.0.1", port))?;
        for address in server.addrs() {
            writeln!(std::io::stdout(), "http://{address}")?;
        }
        Ok(server.run().await?)
    })
}
