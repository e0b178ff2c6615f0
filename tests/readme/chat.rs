//! The handler of the README and the test of it, word for word from the imports on.

pub(super) fn run() -> Result<(), greenroom::Error> {
    main()
}

use greenroom::prelude::*;

#[derive(Deserialize)]
struct Say(Room, String);

#[derive(Default)]
struct Chat(u64);

impl Actor for Chat {
    type Context = Context<Self>;
}

impl Handler<On<Say>> for Chat {
    type Result = ();

    fn handle(&mut self, say: On<Say>, _: &mut Context<Self>) {
        let Say(room, text) = say.args;
        say.socket.join(&room);
        say.socket.to(&room).emit("said", (say.socket.id(), text));
        self.0 += 1;
        say.ack.send(self.0);
    }
}

fn main() -> Result<(), greenroom::Error> {
    let chat = shared(Chat::default).on::<Say>("say");
    let builder = Server::builder().config(Config::load()?);
    builder.namespace("/", chat).run()
}

#[cfg(test)]
mod tests {
    use greenroom::testing::{Client, ClientError};

    use super::*;

    #[test]
    fn who_has_spoken_in_a_room_hears_the_others() -> Result<(), Box<dyn std::error::Error>> {
        let chat = shared(Chat::default).on::<Say>("say");
        let server = Server::builder().namespace("/", chat).build()?;
        System::new().block_on(async {
            let mut ada = Client::connect(&server).await?;
            let mut bob = Client::connect(&server).await?;
            ada.emit_with_ack("say", ("lobby", "Anybody here?")).await?;
            let answer = bob.emit_with_ack("say", ("lobby", "I am.")).await?;
            assert_eq!(answer.first::<u64>()?, 2);
            let said = ada.event("said").await?;
            let (from, text): (String, String) = said.args.parse()?;
            assert_eq!((&*from, &*text), (bob.id(), "I am."));

            let refused = Client::connect_to(&server, "/elsewhere", ()).await;
            assert!(matches!(refused, Err(ClientError::Refused { .. })));
            Ok(())
        })
    }
}
