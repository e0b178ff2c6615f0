//! The actix-web application of the README, word for word from the imports on.

pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
    main()
}

use actix_web::{App, HttpServer, web};
use greenroom::prelude::*;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::load()?;
    let address = (config.server.host.clone(), config.server.port);
    let server = Server::builder().config(config).build()?;
    let on_connect = server.on_connect();
    let app = move || {
        App::new()
            .configure(server.routes())
            .route("/hello", web::get().to(|| async { "hello" }))
    };
    HttpServer::new(app)
        .on_connect(on_connect)
        .h1_allow_half_closed(false)
        .bind(address)?
        .run()
        .await?;
    Ok(())
}
