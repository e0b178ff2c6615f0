//! What a request to the engine is answered with, whoever writes it.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue, HttpDate};
use actix_web::http::{ConnectionType, StatusCode};
use bytes::Bytes;

use crate::clock;

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// What most have, beside the map: filling one costs more than writing these.
    content_type: Option<&'static str>,
    is_stored: bool,
    /// The others.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The connection ends with it.
    pub(crate) is_last: bool,
}

impl Reply {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self {
            status,
            content_type: None,
            is_stored: true,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            is_last: false,
        }
    }

    pub(crate) fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.content_type = Some(content_type);
        self.body = body.into();
        self
    }

    /// No cache keeps it.
    pub(crate) fn not_stored(mut self) -> Self {
        self.is_stored = false;
        self
    }

    /// The connection ends with it.
    pub(crate) fn last(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// Everything that is said in headers, in the map, where a program sees it and can change it.
    pub(crate) fn all_headers(&mut self) -> &mut HeaderMap {
        if let Some(content_type) = self.content_type.take() {
            self.headers
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if !std::mem::replace(&mut self.is_stored, true) {
            self.headers
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        &mut self.headers
    }

    /// Appends what goes over the wire before the body.
    // Hot: once per request.
    pub(crate) fn write_head(&self, out: &mut Vec<u8>) {
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        let reason = self.status.canonical_reason().unwrap_or_default();
        put(&[
            b"HTTP/1.1 ",
            self.status.as_str().as_bytes(),
            b" ",
            reason.as_bytes(),
            b"\r\n",
        ]);
        if !self.headers.contains_key(header::CONTENT_LENGTH) {
            let mut digits = itoa::Buffer::new();
            put(&[
                b"content-length: ",
                digits.format(self.body.len()).as_bytes(),
                b"\r\n",
            ]);
        }
        if self.is_last {
            put(&[b"connection: close\r\n"]);
        }
        if let Some(content_type) = self.content_type {
            put(&[b"content-type: ", content_type.as_bytes(), b"\r\n"]);
        }
        if !self.is_stored {
            put(&[b"cache-control: no-store\r\n"]);
        }
        for (name, value) in &self.headers {
            put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
        }
        with_date(|date| put(&[b"date: ", date.as_bytes(), b"\r\n\r\n"]));
    }
}

impl From<Reply> for HttpResponse {
    fn from(mut reply: Reply) -> Self {
        reply.all_headers();
        let mut response = Self::new(reply.status).set_body(reply.body);
        let head = response.head_mut();
        head.headers = reply.headers;
        if reply.is_last {
            head.set_connection_type(ConnectionType::Close);
        }
        response.map_into_boxed_body()
    }
}

thread_local! {
    /// The date, and until when it is that of now: it has seconds only.
    static DATE: RefCell<(Duration, String)> = const { RefCell::new((Duration::ZERO, String::new())) };
}

/// With the value of the header `Date`.
fn with_date(then: impl FnOnce(&str)) {
    DATE.with_borrow_mut(|(second, date)| {
        let now = Duration::from_secs(clock::now().as_secs());
        if *second != now || date.is_empty() {
            *second = now;
            *date = HttpDate::from(SystemTime::UNIX_EPOCH + now).to_string();
        }
        then(date);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write_head(&mut out);
        let text = String::from_utf8(out).unwrap();
        let (head, date) = text.rsplit_once("date: ").unwrap();
        let date: HttpDate = date.trim_end().parse().unwrap();
        let age = SystemTime::from(HttpDate::from(SystemTime::UNIX_EPOCH + clock::now()))
            .duration_since(date.into());
        assert!(age.unwrap() < Duration::from_secs(2));
        head.to_owned()
    }

    #[test]
    fn a_head_says_what_there_is_to_say() {
        let reply = Reply::new(StatusCode::OK)
            .not_stored()
            .body("text/html", "ok");
        assert_eq!(
            written(&reply),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/html\r\ncache-control: no-store\r\n"
        );
        let mut reply = Reply::new(StatusCode::PAYLOAD_TOO_LARGE).last();
        reply
            .headers
            .insert(header::VARY, HeaderValue::from_static("Origin"));
        assert_eq!(
            written(&reply),
            "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\nconnection: close\r\nvary: Origin\r\n"
        );
        let mut reply = Reply::new(StatusCode::NO_CONTENT);
        reply
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        assert_eq!(
            written(&reply),
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n"
        );
    }

    #[test]
    fn a_program_sees_all_headers_and_may_change_them() {
        let mut reply = Reply::new(StatusCode::OK)
            .not_stored()
            .body("text/html", "ok");
        let headers = reply.all_headers();
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("a/b"));
        headers.remove(header::CACHE_CONTROL);
        let expected = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: a/b\r\n";
        assert_eq!(written(&reply), expected);
        let response = HttpResponse::from(reply);
        assert_eq!(response.headers().len(), 1);
    }
}
