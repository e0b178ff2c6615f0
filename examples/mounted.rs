//! Socket.IO inside an actix-web application that has routes of its own, which talk to the clients too.
//!
//! `cargo run --example mounted`, then `curl -d 'hello all' http://127.0.0.1:3000/announce`.

use actix_web::{App, HttpResponse, HttpServer, get, post, web};
use greenroom::prelude::*;

/// How many clients are here.
#[get("/online")]
async fn online(server: web::Data<Server>) -> String {
    server.n_sessions().to_string()
}

/// Tells all of them what the body says.
#[post("/announce")]
async fn announce(server: web::Data<Server>, text: String) -> HttpResponse {
    server.emit("announcement", text);
    HttpResponse::NoContent().finish()
}

/// Hears what the clients say.
struct Answering;

impl Actor for Answering {
    type Context = Context<Self>;
}

impl Handler<On<String>> for Answering {
    type Result = ();

    fn handle(
        &mut self,
        On {
            args: name, ack, ..
        }: On<String>,
        _: &mut Context<Self>,
    ) {
        ack.send(format!("hello {name}"));
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let config = Config::load()?;
    let address = (config.server.host.clone(), config.server.port);
    let server = Server::builder()
        .config(config)
        .namespace("/", per_worker(|| Answering).on::<String>("hello"))
        .build()?;
    let on_connect = server.on_connect();
    let app = move || {
        App::new()
            .app_data(web::Data::new(server.clone()))
            .configure(server.routes())
            .service(online)
            .service(announce)
    };
    HttpServer::new(app)
        .on_connect(on_connect)
        // A poll that the client breaks off is noticed.
        .h1_allow_half_closed(false)
        .bind(address)?
        .run()
        .await?;
    Ok(())
}
