//! A backend: asks the HTTP API of a server.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::within;

pub(crate) const KEY: &str = "a key for the tests of the API";

/// As [`KEY`], without the blanks that a key may not have.
pub(crate) fn key() -> String {
    KEY.replace(' ', "-")
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Value,
}

impl Reply {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The answer to what has to succeed.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.body
    }

    /// The status and the last part of the type of a problem, which has all members that every problem has.
    pub(crate) fn problem(&self) -> (u16, &str) {
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{self:?}");
        assert_eq!(self.body["status"], self.status);
        for member in ["title", "detail", "instance"] {
            assert!(self.body[member].is_string(), "{member}: {}", self.body);
        }
        let kind = self.body["type"].as_str().unwrap();
        (
            self.status,
            kind.strip_prefix("urn:greenroom:problem:").unwrap(),
        )
    }

    pub(crate) fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap()
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backend(pub(crate) SocketAddr);

impl Backend {
    /// Sends a request as it is and reads the answer to its end.
    pub(crate) async fn raw(self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        let mut answer = Vec::new();
        within("an answer", async {
            // A server that refuses a body need not read it.
            let _ = stream.write_all(request).await;
            let _ = stream.read_to_end(&mut answer).await;
        })
        .await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        Reply {
            status: status
                .parse()
                .unwrap_or_else(|_| panic!("no answer: {answer:?}")),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    /// A request with these headers and no others but those that HTTP needs.
    pub(crate) async fn request(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.raw(&[request.as_bytes(), body].concat()).await
    }

    /// A command.
    pub(crate) async fn post(self, path: &str, body: impl serde::Serialize) -> Reply {
        self.post_with(path, &[], &json!(body).to_string()).await
    }

    /// A command with more headers, whose body is a text.
    pub(crate) async fn post_with(self, path: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let bearer = format!("Bearer {}", key());
        let headers = [
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
        ];
        self.request("POST", path, &[&headers, more].concat(), body.as_bytes())
            .await
    }

    /// A question.
    pub(crate) async fn get(self, path: &str) -> Reply {
        self.request("GET", path, &[("X-API-Key", &key())], b"")
            .await
    }
}
