//! Who may connect and who a client is: origins, and the word of proxies.

use std::time::Duration;

use greenroom::WebSocketRoute;
use greenroom::config::{Carrier, Config, Origins};

use crate::support::tcp::{Listening, Raw, http, listen, listening, on_both_carriers};
use crate::support::{self, counter, eventually, on_actix};

/// A handshake with these headers: status, and the whole response if it is not 101.
async fn shake(listening: &Listening, transport: &str, headers: &str) -> (u16, String) {
    if transport == "polling" {
        let url = "/socket.io/?EIO=4&transport=polling";
        let request = format!("GET {url} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        return http(listening, &request).await;
    }
    let mut raw = Raw::connect(listening).await;
    raw.write(websocket("/socket.io/?EIO=4&transport=websocket", headers).as_bytes())
        .await;
    match raw.status().await {
        101 => (101, String::new()),
        _ => raw.response().await,
    }
}

fn websocket(url: &str, headers: &str) -> String {
    format!(
        "GET {url} HTTP/1.1\r\n{headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

fn from_page(origin: &str) -> String {
    format!("Host: a.example\r\nOrigin: {origin}\r\n")
}

// --- origins -------------------------------------------------------------------------------------

#[test]
fn pages_of_other_origins_are_refused_on_both_transports() {
    on_actix(async {
        for (listening, _hearing) in on_both_carriers(&Config::default()).await {
            for (transport, accepted) in [("polling", 200), ("websocket", 101)] {
                let before = counter(&listening.server, "origin_refused");
                for allowed in ["Host: a.example\r\n", &from_page("https://a.example")] {
                    assert_eq!(shake(&listening, transport, allowed).await.0, accepted);
                }
                let (status, response) =
                    shake(&listening, transport, &from_page("https://evil.example")).await;
                assert_eq!(status, 403, "{response}");
                let body = match transport {
                    "polling" => r#"{"code":4,"message":"Origin not allowed"}"#,
                    _ => "Origin not allowed",
                };
                assert!(response.ends_with(&format!("\r\n\r\n{body}")), "{response}");
                assert_eq!(counter(&listening.server, "origin_refused"), before + 1);
            }
        }
    });
}

#[test]
fn the_lists_of_both_sections_are_allowed() {
    on_actix(async {
        let mut config = Config::default();
        config.security.allowed_origins = vec!["https://*.b.example".to_owned()];
        config.cors.origins = Origins::One("https://c.example".to_owned());
        let (listening, _hearing) = listening(config).await;
        for (origin, status) in [
            ("https://x.b.example", 101),
            ("https://c.example", 101),
            ("https://b.example", 403),
            ("null", 403),
        ] {
            let answer = shake(&listening, "websocket", &from_page(origin)).await;
            assert_eq!(answer.0, status, "{origin}");
        }
    });
}

#[test]
fn a_websocket_without_an_engine_asks_for_the_origin_too() {
    on_actix(async {
        for carrier in support::tcp::CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let listening = listen(config, |builder| {
                builder.websocket(WebSocketRoute::new("/raw", |mut ws| async move {
                    ws.receive().await;
                }))
            })
            .await;
            for (origin, status) in [("http://a.example", 101), ("http://b.example", 403)] {
                let mut raw = Raw::connect(&listening).await;
                let request = websocket("/raw", &from_page(origin));
                raw.write(request.as_bytes()).await;
                assert_eq!(raw.status().await, status, "{origin}");
            }
            assert_eq!(counter(&listening.server, "origin_refused"), 1);
        }
    });
}

// --- proxies -------------------------------------------------------------------------------------

fn behind(proxies: &[&str]) -> Config {
    let mut config = Config::default();
    config.security.trusted_proxies = proxies.iter().map(|net| net.parse().unwrap()).collect();
    config
}

/// Joins over a connection that begins with `preface`: the address that handlers see.
async fn address(
    (listening, hearing): &mut (Listening, support::Hearing),
    preface: &[u8],
    headers: &str,
) -> String {
    let mut raw = Raw::connect(listening).await;
    raw.write(preface).await;
    let request = websocket("/socket.io/?EIO=4&transport=websocket", headers);
    raw.write(request.as_bytes()).await;
    raw.switched().await;
    raw.write(&support::tcp::text_frame("40")).await;
    let socket = hearing.connected().await;
    socket.handshake().address().unwrap().to_string()
}

const FORWARDED: &str =
    "Host: a\r\nX-Forwarded-For: 198.51.100.9, 192.0.2.1\r\nX-Real-IP: 203.0.113.1\r\n";

#[test]
fn a_forwarded_address_is_that_of_the_client_if_the_proxy_is_trusted() {
    on_actix(async {
        for mut server in on_both_carriers(&behind(&["127.0.0.0/8"])).await {
            assert_eq!(address(&mut server, b"", FORWARDED).await, "192.0.2.1");
            assert_eq!(address(&mut server, b"", "Host: a\r\n").await, "127.0.0.1");
        }
        for mut server in on_both_carriers(&behind(&["10.0.0.0/8"])).await {
            assert_eq!(address(&mut server, b"", FORWARDED).await, "127.0.0.1");
        }
    });
}

#[test]
fn the_host_that_a_trusted_proxy_was_asked_for_is_ours() {
    on_actix(async {
        let headers =
            "Host: 10.0.0.7:3000\r\nX-Forwarded-Host: a.example\r\nOrigin: https://a.example\r\n";
        for (proxies, status) in [("127.0.0.1/32", 101), ("10.0.0.0/8", 403)] {
            let (listening, _hearing) = listening(behind(&[proxies])).await;
            assert_eq!(shake(&listening, "websocket", headers).await.0, status);
        }
    });
}

#[test]
fn connections_per_ip_are_those_of_the_client_behind_the_proxy() {
    on_actix(async {
        let mut config = behind(&["127.0.0.0/8"]);
        config.limits.connections_per_ip = 1;
        let (listening, _hearing) = listening(config).await;
        for (client, status) in [
            ("192.0.2.1", 200),
            ("192.0.2.2", 200),
            ("192.0.2.1", 503),
            ("2001:db8:0:1::1", 200),
            // The same customer.
            ("2001:db8:0:1::2", 503),
            ("2001:db8:0:2::1", 200),
        ] {
            let headers = format!("Host: a\r\nX-Forwarded-For: {client}\r\n");
            assert_eq!(
                shake(&listening, "polling", &headers).await.0,
                status,
                "{client}"
            );
        }
    });
}

const VERSION_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\x12\x67\x0b\xb8";

#[test]
fn the_proxy_protocol_names_the_client() {
    on_actix(async {
        let mut config = behind(&["127.0.0.0/8"]);
        config.server.proxy_protocol = true;
        let mut server = listening(config).await;
        for (header, expected) in [
            (
                &b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 3000\r\n"[..],
                "192.0.2.7",
            ),
            (b"PROXY TCP6 2001:db8::7 ::1 4711 3000\r\n", "2001:db8::7"),
            (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
            (VERSION_2, "192.0.2.1"),
            (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.1"),
        ] {
            assert_eq!(address(&mut server, header, "Host: a\r\n").await, expected);
        }
        // The client that the connection names is no proxy: what it claims is not believed.
        assert_eq!(
            address(&mut server, VERSION_2, FORWARDED).await,
            "192.0.2.1"
        );
        let claims = "Host: a\r\nX-Forwarded-For: 203.0.113.5\r\n";
        assert_eq!(address(&mut server, VERSION_2, claims).await, "192.0.2.1");
    });
}

#[test]
fn a_connection_of_a_proxy_without_the_header_is_closed() {
    on_actix(async {
        let mut config = behind(&["127.0.0.0/8"]);
        config.server.proxy_protocol = true;
        config.limits.time_to_complete_head = Duration::from_secs(2);
        let (listening, _hearing) = listening(config).await;
        let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
        let (status, response) = http(&listening, request).await;
        assert_eq!((status, response.as_str()), (0, ""));
        eventually("it is counted", || {
            counter(&listening.server, "no_proxy_header") == 1
        })
        .await;
        // Half a header, and then nothing.
        for (n, half) in [(1, &VERSION_2[..20]), (2, b"PROXY TCP4 192.0")] {
            let mut raw = Raw::connect(&listening).await;
            raw.write(half).await;
            assert_eq!(raw.response().await.0, 0);
            eventually("it is counted", || {
                counter(&listening.server, "no_request") == n
            })
            .await;
        }
        // In two pieces it is whole.
        let mut raw = Raw::connect(&listening).await;
        raw.write(&VERSION_2[..14]).await;
        raw.write(&VERSION_2[14..]).await;
        raw.write(request.as_bytes()).await;
        assert_eq!(raw.status().await, 200);
    });
}

#[test]
fn others_need_no_header_and_are_not_believed_with_one() {
    on_actix(async {
        let mut config = behind(&["10.0.0.0/8"]);
        config.server.proxy_protocol = true;
        let mut server = listening(config).await;
        assert_eq!(address(&mut server, b"", "Host: a\r\n").await, "127.0.0.1");
        let mut raw = Raw::connect(&server.0).await;
        raw.write(VERSION_2).await;
        raw.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(raw.status().await, 400);
    });
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let mut alone = Config::default();
    alone.server.proxy_protocol = true;
    let err = alone.validated().unwrap_err().to_string();
    assert!(err.contains("security.trusted_proxies is empty"), "{err}");
    let mut mounted = behind(&["10.0.0.0/8"]);
    mounted.server.proxy_protocol = true;
    mounted.server.carrier = Carrier::Mounted;
    let err = mounted.validated().unwrap_err().to_string();
    assert!(err.contains("needs server.carrier"), "{err}");
}

#[test]
fn origins_change_while_the_server_runs() {
    on_actix(async {
        let (listening, _hearing) = listening(Config::default()).await;
        let page = from_page("https://b.example");
        assert_eq!(shake(&listening, "polling", &page).await.0, 403);
        let mut config = Config::default();
        config.security.allowed_origins = vec!["https://b.example".to_owned()];
        listening.server.reload(config).unwrap();
        assert_eq!(shake(&listening, "polling", &page).await.0, 200);
        listening.server.reload(Config::default()).unwrap();
        assert_eq!(shake(&listening, "websocket", &page).await.0, 403);
    });
}
