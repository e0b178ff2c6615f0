//! What hostile and broken clients send, one test for each kind: the refusal that the client reads, the line in the log
//! that says why, and the counter. The caps themselves are in `limits.rs`.

mod beyond;
mod frames;
mod packets;
mod requests;
mod silent;

use greenroom::Server;

use crate::support::tcp::{Listening, get, http};
use crate::support::{counter, eventually};

/// Waits until exactly so many were counted under that name.
async fn counted(server: &Server, name: &str, n: u64) {
    eventually(&format!("{name} is {n}"), || counter(server, name) >= n).await;
    assert_eq!(counter(server, name), n, "{name}");
}

/// Polls until the session is not known any more; what the last poll that was answered said.
async fn polled_to_the_end(listening: &Listening, sid: &str) -> String {
    let mut last = String::new();
    loop {
        let (status, response) = http(listening, &get(&format!("&sid={sid}"))).await;
        let body = response.split_once("\r\n\r\n").unwrap().1.to_owned();
        if status == 400 {
            assert_eq!(body, r#"{"code":1,"message":"Session ID unknown"}"#);
            return last;
        }
        last = body;
    }
}
