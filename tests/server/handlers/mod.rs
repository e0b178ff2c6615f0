//! What handler actors can rely on: who is let in, what reaches them and how, and what becomes of the rest.

mod connect;
mod ends;
mod events;
mod instances;
mod middleware;
mod pressure;

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::{Client, ClientError};
use greenroom::{Args, Handlers, Server};
use serde::Deserialize;
use serde_json::Value;

fn serve<A: Actor<Context = Context<A>>>(handlers: Handlers<A>) -> Server {
    serve_with(Config::default(), handlers)
}

fn serve_with<A: Actor<Context = Context<A>>>(config: Config, handlers: Handlers<A>) -> Server {
    let builder = Server::builder().config(config).namespace("/", handlers);
    builder.build().unwrap()
}

fn refused(result: Result<Client, ClientError>) -> (String, Value) {
    match result {
        Err(ClientError::Refused { message, payload }) => (message, payload.first().unwrap()),
        other => panic!("not refused: {other:?}"),
    }
}

fn error_of(answer: &Args) -> String {
    #[derive(Deserialize)]
    struct Refused {
        error: String,
    }
    answer.first::<Refused>().unwrap().error
}

/// Emits an event whose arguments are the items of `args`.
async fn ask(client: &mut Client, name: &str, args: &Value) -> Args {
    let answer = match &args.as_array().unwrap()[..] {
        [] => client.emit_with_ack(name, ()).await,
        [a] => client.emit_with_ack(name, (a,)).await,
        [a, b] => client.emit_with_ack(name, (a, b)).await,
        [a, b, c] => client.emit_with_ack(name, (a, b, c)).await,
        more => panic!("{more:?}"),
    };
    answer.unwrap()
}
