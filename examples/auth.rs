//! Lets in who has a token: a middleware looks at what every client has to say, the handler asks for the user and awaits
//! the answer.
//!
//! `cargo run --example auth`, then `io("http://127.0.0.1:3000", { auth: { version: 2, token: "ada-secret" } })`.

use std::collections::HashSet;

use greenroom::prelude::*;
use serde_json::json;

/// What a client puts into `auth`.
#[derive(Deserialize)]
struct Credentials {
    token: String,
}

/// Who a client turned out to be.
#[derive(Serialize, Deserialize)]
struct User {
    name: String,
    is_admin: bool,
}

/// Stands for a database, which takes its time.
async fn find_user(token: &str) -> Option<User> {
    tokio::task::yield_now().await;
    match token {
        "ada-secret" => Some(User {
            name: "Ada".to_owned(),
            is_admin: true,
        }),
        "bob-secret" => Some(User {
            name: "Bob".to_owned(),
            is_admin: false,
        }),
        _ => None,
    }
}

/// A middleware. It runs before the handler hears of the client, and can only let pass or refuse.
async fn check_version(socket: Socket) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Client {
        version: u32,
    }
    match socket.auth() {
        Ok(Client { version: 2.. }) => Ok(()),
        _ => Err(Refusal::new("please update").with_data(json!({ "code": "OLD", "version": 2 }))),
    }
}

/// The handler. One instance serves all clients, so that it knows who is here.
#[derive(Default)]
struct Members {
    present: HashSet<String>,
}

impl Actor for Members {
    type Context = Context<Self>;
}

/// While the answer is awaited, this client waits and the others do not.
impl Handler<Connect> for Members {
    type Result = ResponseActFuture<Self, Result<(), Refusal>>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        let credentials = socket.auth::<Credentials>();
        let user = async move { find_user(&credentials.ok()?.token).await };
        Box::pin(
            user.into_actor(self)
                .map(move |user, members, _| members.admit(&socket, user)),
        )
    }
}

impl Members {
    fn admit(&mut self, socket: &Socket, user: Option<User>) -> Result<(), Refusal> {
        let refusal = |message, code| Refusal::new(message).with_data(json!({ "code": code }));
        let user = user.ok_or_else(|| refusal("nobody has this token", "TOKEN"))?;
        if self.present.contains(&user.name) {
            return Err(refusal("you are here already", "TWICE"));
        }
        socket
            .set_data(&user)
            .map_err(|err| Refusal::new(err.to_string()))?;
        if user.is_admin {
            socket.join("admins");
        }
        socket.emit("welcome", &user.name);
        self.present.insert(user.name);
        Ok(())
    }
}

/// Told once for each client that was let in.
impl Handler<Disconnect> for Members {
    type Result = ();

    fn handle(&mut self, Disconnect { socket, .. }: Disconnect, _: &mut Context<Self>) {
        if let Ok(user) = socket.data::<User>() {
            self.present.remove(&user.name);
        }
    }
}

/// `socket.emit("report", text)`: to the admins, in the name of whom the token belonged to.
#[derive(Deserialize)]
struct Report(String);

impl Handler<On<Report>> for Members {
    type Result = ();

    fn handle(
        &mut self,
        On {
            args: Report(text),
            socket,
            ack,
            ..
        }: On<Report>,
        _: &mut Context<Self>,
    ) {
        match socket.data::<User>() {
            Ok(user) => {
                socket.to("admins").emit("report", (user.name, text));
                ack.send(());
            }
            Err(_) => ack.refuse("nobody knows you"),
        }
    }
}

fn main() -> Result<(), greenroom::Error> {
    env_logger::init();
    let members = shared(Members::default)
        .middleware(check_version)
        .on_connect()
        .on_disconnect()
        .on::<Report>("report");
    Server::builder()
        .config(Config::load()?)
        .namespace("/", members)
        .run()
}
