//! The metrics of a server, as a scraper reads them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::{App, test};
use greenroom::{Server, monitoring};

use super::tcp::{Listening, http};
use super::{DEADLINE, within};

/// Samples by name and labels, as they are written: `greenroom_sessions{transport="polling"}`.
pub(crate) type Samples = BTreeMap<String, f64>;

pub(crate) fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

/// Asks at an address: status, head and body.
pub(crate) async fn ask(
    server: &Server,
    address: SocketAddr,
    method: &str,
    path: &str,
) -> (u16, String, String) {
    let at = Listening::at(server.clone(), address);
    let (status, response) = http(&at, &request(method, path)).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

pub(crate) async fn scrape_at(server: &Server, address: SocketAddr) -> Samples {
    let (status, head, body) = ask(server, address, "GET", "/metrics").await;
    assert_eq!(status, 200, "{body}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    samples(&body)
}

/// As a program that has mounted it reads them.
pub(crate) async fn scraped(server: &Server) -> Samples {
    let app = App::new().configure(monitoring([server.clone()]));
    let app = test::init_service(app).await;
    let request = test::TestRequest::get().uri("/metrics").to_request();
    let body = test::call_and_read_body(&app, request).await;
    samples(std::str::from_utf8(&body).unwrap())
}

fn samples(text: &str) -> Samples {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

pub(crate) async fn scrape(listening: &Listening) -> Samples {
    scrape_at(&listening.server, listening.address).await
}

/// Scrapes until all these samples have their values.
pub(crate) async fn shows(listening: &Listening, expected: &[(&str, f64)]) {
    let mut last = Vec::new();
    let look = async {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        loop {
            let samples = scrape(listening).await;
            let found = expected
                .iter()
                .map(|(name, _)| (*name, samples.get(*name).copied()));
            last = found.collect();
            if last
                .iter()
                .zip(expected)
                .all(|((_, found), (_, wanted))| *found == Some(*wanted))
            {
                return;
            }
            again.tick().await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("expected {expected:?}, the last scrape has {last:?}");
    }
}

pub(crate) async fn eventually_scraped(
    listening: &Listening,
    is_so: impl Fn(&Samples) -> bool,
) -> Samples {
    within("a scrape", async {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        loop {
            let samples = scrape(listening).await;
            if is_so(&samples) {
                return samples;
            }
            again.tick().await;
        }
    })
    .await
}

/// A sample that has to be there.
pub(crate) fn at(samples: &Samples, name: &str) -> u64 {
    let found = samples
        .get(name)
        .unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
    format!("{found}").parse().unwrap()
}
