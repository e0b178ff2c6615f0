//! Sends every event back to the client that sent it, or acknowledges it if the client asked for that.
//!
//! `cargo run --example echo`, then `socket.emit("anything", 1, { two: 2 })` from any client.

use greenroom::prelude::*;

struct Echo;

impl Actor for Echo {
    type Context = Context<Self>;
}

impl Handler<Event> for Echo {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Context<Self>) {
        let (socket, name, args, ack) = event.into_parts();
        if ack.is_wanted() {
            // The arguments go back as they came: nobody parses them.
            ack.send_args(&args);
        } else if let Err(err) = socket.emit_args(&name, &args) {
            log::warn!("{name} cannot be sent back: {err}");
        }
    }
}

fn main() -> Result<(), greenroom::Error> {
    env_logger::init();
    Server::builder()
        .config(Config::load()?)
        .namespace("/", per_worker(|| Echo).on_event())
        .run()
}
