//! Runs every command of the manual of the HTTP API against a server that is configured as the manual says.

use std::process::Stdio;

use greenroom::config::Config;
use greenroom::user_room;
use serde_json::{Value, json};

use crate::support::tcp::{Ws, listening};
use crate::support::{on_actix, within};

const MANUAL: &str = include_str!("../../docs/http-api.md");
const OPENAPI: &str = include_str!("../../src/api/openapi.json");

/// The code blocks in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = MANUAL.split(&*start).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// What a command prints that succeeds.
async fn run(command: &str) -> Value {
    let command = command.to_owned();
    let child = tokio::task::spawn_blocking(move || {
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(&command).stdin(Stdio::null());
        shell.output().unwrap()
    });
    let output = within("a command", child).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn its_commands_do_what_it_says() {
    on_actix(async {
        let config = Config::from_toml(blocks("toml")[0]).unwrap();
        let (listening, mut hearing) = listening(config).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let socket = hearing.connected().await;
        for room in ["lobby", "phones", &user_room("42")] {
            socket.join(room);
        }
        let at = format!("http://{}/", listening.address);
        let commands = blocks("sh").into_iter();
        let mut commands = commands.map(|command| command.replace("http://127.0.0.1:3000/", &at));

        let description = run(&commands.next().unwrap()).await;
        assert_eq!(description["openapi"], "3.1.0");

        assert_eq!(
            run(&commands.next().unwrap()).await,
            json!({"complete": true})
        );
        let said = ("said".to_owned(), vec![json!("server"), json!("Hello.")]);
        assert_eq!(ws.event().await, said);

        let command = commands.next().unwrap();
        let asked = actix::spawn(async move { run(&command).await });
        let text = ws.text().await;
        let id = text
            .strip_prefix("42")
            .unwrap()
            .strip_suffix(r#"["where"]"#);
        ws.send(&format!("43{}[\"here\"]", id.unwrap())).await;
        let reply = within("an answer", asked).await.unwrap();
        assert_eq!(
            (&reply["answers"], &reply["missing"]),
            (&json!([["here"]]), &json!(0))
        );

        let reply = run(&commands.next().unwrap()).await;
        assert_eq!(reply["results"][0]["body"], json!({"complete": true}));
        assert_eq!(reply["results"][1]["status"], 200);
        assert_eq!(ws.event().await.0, "bye");
        ws.end().await;
        hearing.gone().await;

        let reply = run(&commands.next().unwrap()).await;
        let users: Vec<_> = reply["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| &user["user"])
            .collect();
        assert_eq!(users, ["42", "43"]);
        assert_eq!(commands.next(), None);
    });
}

#[test]
fn it_names_every_path() {
    let description: Value = serde_json::from_str(OPENAPI).unwrap();
    for (path, operations) in description["paths"].as_object().unwrap() {
        if path == "/openapi.json" {
            continue;
        }
        let path = path.replace("{id}", "<id>");
        assert!(MANUAL.contains(&format!("\n| `{path}` | ")), "{path}");
        let table = operations
            .as_object()
            .unwrap()
            .keys()
            .next()
            .unwrap()
            .to_uppercase();
        let start = MANUAL.find(&format!("\n| `{table}` | |")).unwrap();
        let end = start + MANUAL[start..].find("\n\n").unwrap();
        assert!(
            MANUAL[start..end].contains(&format!("| `{path}` |")),
            "{table} {path}"
        );
    }
}
