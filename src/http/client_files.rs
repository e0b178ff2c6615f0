//! The browser client: the `dist` files of the npm package `socket.io-client`, served below the endpoint's path.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use actix_web::{
    HttpRequest, HttpResponse,
    error::BlockingError,
    http::{
        Method,
        header::{
            CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
            IF_NONE_MATCH,
        },
    },
    web,
};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::{
    compression::Encoding,
    cors::{CorsNow, vary},
    headers::Headers,
};

/// The files that are served, and no other of the folder.
///
/// **Source**: `socket.io/lib/index.ts`, `CLIENT_FILES`.
const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
];

const NOT_INSTALLED: &str = "The Socket.IO client is not installed on this server: run \"npm ci\" in its folder \"static\", or set server.client_dir.\n";

/// The client files of a folder, read when they are first asked for and kept, in plain and compressed form.
///
/// A clone shares what was read; every worker has one. A file that is replaced on disk is seen after a restart, a file
/// that was missing as soon as it is there.
#[derive(Clone, Debug)]
pub(crate) struct ClientFiles {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    cors: CorsNow,
    files: [OnceCell<ClientFile>; NAMES.len()],
}

#[derive(Debug)]
struct ClientFile {
    etag: HeaderValue,
    plain: Bytes,
    gzip: OnceCell<Bytes>,
    deflate: OnceCell<Bytes>,
}

impl ClientFiles {
    /// The files of `folder`, a `dist` folder below the `package.json` whose version becomes their `ETag`.
    pub(crate) fn new(folder: impl Into<PathBuf>, cors: CorsNow) -> Self {
        let files = [const { OnceCell::const_new() }; NAMES.len()];
        Self {
            shared: Arc::new(Shared {
                folder: folder.into(),
                cors,
                files,
            }),
        }
    }

    /// Serves the files of the client below `path`, which begins with a slash and does not end with one.
    pub(crate) fn configure(&self, path: &str, app: &mut web::ServiceConfig) {
        for name in NAMES {
            let files = self.clone();
            let answer = move |request: HttpRequest| {
                let files = files.clone();
                async move {
                    files
                        .answer(name, request.method(), request.headers())
                        .await
                }
            };
            app.service(web::resource(format!("{path}/{name}")).to(answer));
        }
    }

    /// The answer to a request for one of the files, whatever its method, as in the reference.
    ///
    /// **Source**: `socket.io/lib/index.ts`, `attachServe`, `serve` and `sendFile`.
    async fn answer(
        &self,
        name: &'static str,
        method: &Method,
        request: &HeaderMap,
    ) -> HttpResponse {
        let cors = self.shared.cors.get().clone();
        let cors = cors.as_deref();
        if let Some(cors) = cors.filter(|_| method == Method::OPTIONS) {
            return cors.preflight(Headers::Map(request)).into();
        }
        let mut response = match self.shared.file(name).await {
            Ok(file) => file.answer(name, request).await,
            Err(err) => unavailable(name, &err),
        };
        if let Some(cors) = cors {
            cors.decorate(Headers::Map(request), response.headers_mut());
        }
        response
    }
}

impl Shared {
    async fn file(&self, name: &'static str) -> io::Result<&ClientFile> {
        let place = NAMES
            .iter()
            .position(|known| *known == name)
            .ok_or(io::ErrorKind::NotFound)?;
        let read = || async {
            let folder = self.folder.clone();
            web::block(move || ClientFile::read(&folder, name))
                .await
                .map_err(io::Error::other)?
        };
        self.files[place].get_or_try_init(read).await
    }
}

impl ClientFile {
    fn read(folder: &Path, name: &str) -> io::Result<Self> {
        let plain = Bytes::from(fs::read(folder.join(name))?);
        let tag = version(folder).unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            plain.hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        });
        let etag = HeaderValue::from_str(&format!("\"{tag}\"")).map_err(io::Error::other)?;
        Ok(Self {
            etag,
            plain,
            gzip: OnceCell::new(),
            deflate: OnceCell::new(),
        })
    }

    async fn answer(&self, name: &str, request: &HeaderMap) -> HttpResponse {
        let mut response = if self.is_known_to(request) {
            HttpResponse::NotModified().finish()
        } else {
            match self
                .content(name, Encoding::accepted(Headers::Map(request)))
                .await
            {
                Ok(response) => response,
                Err(err) => return HttpResponse::from_error(err),
            }
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
        headers.insert(ETAG, self.etag.clone());
        vary(headers, "Accept-Encoding");
        response
    }

    /// Whether the client has the file already: `If-None-Match` with our tag, weak or strong.
    ///
    /// **Source**: RFC 9110, section 13.1.2.
    fn is_known_to(&self, request: &HeaderMap) -> bool {
        let is_ours = |tag: &str| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.etag.as_bytes()
        };
        let mut values = request
            .get_all(IF_NONE_MATCH)
            .filter_map(|value| value.to_str().ok());
        values.any(|tags| tags.split(',').map(str::trim).any(is_ours))
    }

    async fn content(
        &self,
        name: &str,
        encoding: Option<Encoding>,
    ) -> Result<HttpResponse, BlockingError> {
        let mut response = HttpResponse::Ok();
        response.insert_header(match name.ends_with(".map") {
            true => (CONTENT_TYPE, "application/json; charset=utf-8"),
            false => (CONTENT_TYPE, "application/javascript; charset=utf-8"),
        });
        let Some(encoding) = encoding else {
            return Ok(response.body(self.plain.clone()));
        };
        let body = self.compressed(encoding).await?;
        Ok(response
            .insert_header((CONTENT_ENCODING, encoding.name()))
            .body(body))
    }

    /// The compressed form, made once and beside the event loop: the largest file takes about 10 ms.
    async fn compressed(&self, encoding: Encoding) -> Result<Bytes, BlockingError> {
        let form = match encoding {
            Encoding::Gzip => &self.gzip,
            Encoding::Deflate => &self.deflate,
        };
        let make = || {
            let plain = self.plain.clone();
            web::block(move || encoding.compress(&plain, 9))
        };
        form.get_or_try_init(make).await.cloned()
    }
}

/// The version in the `package.json` above a `dist` folder.
fn version(folder: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }

    let text = fs::read(folder.parent()?.join("package.json")).ok()?;
    let package: Package = serde_json::from_slice(&text).ok()?;
    let is_plain = package
        .version
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
    is_plain.then_some(package.version)
}

fn unavailable(name: &str, err: &io::Error) -> HttpResponse {
    log::debug!("client file not served, name={name} err={err}");
    HttpResponse::NotFound()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(NOT_INSTALLED)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use actix_web::{
        App,
        body::to_bytes,
        dev::ServiceResponse,
        http::header::{ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, VARY},
        test,
    };
    use flate2::read::{GzDecoder, ZlibDecoder};
    use tempfile::TempDir;

    use super::*;
    use crate::config::{CorsConfig, Origins};

    /// A package as npm installs it, with one source, one map and a file that is nobody's business.
    fn package() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let dist = folder.path().join("dist");
        fs::create_dir(&dist).unwrap();
        fs::write(
            folder.path().join("package.json"),
            r#"{"name":"socket.io-client","version":"4.8.3"}"#,
        )
        .unwrap();
        fs::write(dist.join("socket.io.js"), source()).unwrap();
        fs::write(dist.join("socket.io.js.map"), "{}").unwrap();
        fs::write(dist.join("secret.js"), "no").unwrap();
        (folder, dist)
    }

    fn source() -> String {
        "function io() { return \"io\"; }\n".repeat(100)
    }

    async fn ask(
        files: &ClientFiles,
        uri: &str,
        headers: &[(&'static str, &'static str)],
    ) -> ServiceResponse {
        let app =
            test::init_service(App::new().configure(|app| files.configure("/live/socket.io", app)))
                .await;
        let mut request = test::TestRequest::with_uri(uri);
        for header in headers {
            request = request.insert_header(*header);
        }
        test::call_service(&app, request.to_request()).await
    }

    fn header<'a>(response: &'a ServiceResponse, name: &str) -> &'a str {
        response
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    async fn body(response: ServiceResponse) -> Bytes {
        to_bytes(response.into_body()).await.unwrap_or_default()
    }

    const SOURCE: &str = "/live/socket.io/socket.io.js";

    #[actix_web::test]
    async fn a_source_is_served_with_the_version_as_its_tag() {
        let (_folder, dist) = package();
        let response = ask(&ClientFiles::new(dist, CorsNow::default()), SOURCE, &[]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(
            header(&response, "content-type"),
            "application/javascript; charset=utf-8"
        );
        assert_eq!(header(&response, "cache-control"), "public, max-age=0");
        assert_eq!(header(&response, "etag"), "\"4.8.3\"");
        assert_eq!(header(&response, "vary"), "Accept-Encoding");
        assert_eq!(header(&response, "content-encoding"), "");
        assert_eq!(body(response).await, source());
    }

    #[actix_web::test]
    async fn a_map_is_json() {
        let (_folder, dist) = package();
        let response = ask(
            &ClientFiles::new(dist, CorsNow::default()),
            "/live/socket.io/socket.io.js.map?v=1",
            &[],
        )
        .await;
        assert_eq!(
            header(&response, "content-type"),
            "application/json; charset=utf-8"
        );
        assert_eq!(body(response).await, "{}");
    }

    #[actix_web::test]
    async fn a_known_version_is_not_sent_again() {
        let (_folder, dist) = package();
        let files = ClientFiles::new(dist, CorsNow::default());
        for (tag, status) in [
            ("\"4.8.3\"", 304),
            ("W/\"4.8.3\"", 304),
            ("\"4.8.2\", W/\"4.8.3\"", 304),
            ("*", 304),
            ("\"4.8.2\"", 200),
            ("4.8.3", 200),
            ("", 200),
        ] {
            let response = ask(&files, SOURCE, &[("if-none-match", tag)]).await;
            assert_eq!(response.status(), status, "{tag}");
            assert_eq!(header(&response, "etag"), "\"4.8.3\"");
            assert_eq!(body(response).await.is_empty(), status == 304, "{tag}");
        }
    }

    #[actix_web::test]
    async fn compressed_forms_hold_the_same_source() {
        let (_folder, dist) = package();
        let files = ClientFiles::new(dist, CorsNow::default());
        for _twice in 0..2 {
            let response = ask(
                &files,
                SOURCE,
                &[(ACCEPT_ENCODING.as_str(), "gzip, deflate, br")],
            )
            .await;
            assert_eq!(header(&response, "content-encoding"), "gzip");
            let mut text = String::new();
            GzDecoder::new(&*body(response).await)
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, source());
            let response = ask(&files, SOURCE, &[(ACCEPT_ENCODING.as_str(), "deflate")]).await;
            assert_eq!(header(&response, "content-encoding"), "deflate");
            let mut text = String::new();
            ZlibDecoder::new(&*body(response).await)
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, source());
        }
    }

    #[actix_web::test]
    async fn files_are_kept_after_the_first_request() {
        let (folder, dist) = package();
        let files = ClientFiles::new(dist, CorsNow::default());
        assert_eq!(ask(&files, SOURCE, &[]).await.status(), 200);
        drop(folder);
        assert_eq!(body(ask(&files, SOURCE, &[]).await).await, source());
    }

    #[actix_web::test]
    async fn nothing_else_of_the_folder_is_served() {
        let (_folder, dist) = package();
        let files = ClientFiles::new(dist, CorsNow::default());
        for path in [
            "secret.js",
            "../package.json",
            "%2e%2e/package.json",
            "",
            "socket.io.js/",
            "SOCKET.IO.JS",
        ] {
            let response = ask(&files, &format!("/live/socket.io/{path}"), &[]).await;
            assert_eq!(response.status(), 404, "{path}");
            assert_eq!(body(response).await, "", "{path}");
        }
    }

    #[actix_web::test]
    async fn a_client_that_is_not_installed_is_explained_until_it_is() {
        let (_folder, dist) = package();
        let files = ClientFiles::new(&dist, CorsNow::default());
        let uri = "/live/socket.io/socket.io.min.js";
        let response = ask(&files, uri, &[]).await;
        assert_eq!(response.status(), 404);
        assert_eq!(
            header(&response, "content-type"),
            "text/plain; charset=utf-8"
        );
        let text = body(response).await;
        assert!(text.ends_with(b"\n") && String::from_utf8_lossy(&text).contains("npm ci"));
        fs::write(dist.join("socket.io.min.js"), "min").unwrap();
        assert_eq!(body(ask(&files, uri, &[]).await).await, "min");
    }

    #[actix_web::test]
    async fn without_a_version_the_tag_is_made_of_the_content() {
        let (folder, dist) = package();
        fs::remove_file(folder.path().join("package.json")).unwrap();
        let tag = |response: ServiceResponse| header(&response, "etag").to_owned();
        let first = tag(ask(&ClientFiles::new(&dist, CorsNow::default()), SOURCE, &[]).await);
        assert_eq!(first.len(), 18);
        assert_eq!(
            tag(ask(&ClientFiles::new(&dist, CorsNow::default()), SOURCE, &[]).await),
            first
        );
        fs::write(dist.join("socket.io.js"), "changed").unwrap();
        assert_ne!(
            tag(ask(&ClientFiles::new(&dist, CorsNow::default()), SOURCE, &[]).await),
            first
        );
    }

    #[actix_web::test]
    async fn pages_of_allowed_origins_may_read_them() {
        let (_folder, dist) = package();
        let origins = Origins::List(vec!["https://a.example".to_owned()]);
        let config = CorsConfig {
            origins,
            ..CorsConfig::default()
        };
        let files = ClientFiles::new(dist, CorsNow::new(&config));
        for path in [SOURCE, "/live/socket.io/socket.io.min.js"] {
            let response = ask(&files, path, &[(ORIGIN.as_str(), "https://a.example")]).await;
            assert_eq!(
                header(&response, ACCESS_CONTROL_ALLOW_ORIGIN.as_str()),
                "https://a.example"
            );
            assert!(
                header(&response, VARY.as_str()).ends_with("Origin"),
                "{path}"
            );
        }
        let app =
            test::init_service(App::new().configure(|app| files.configure("/live/socket.io", app)))
                .await;
        let request = test::TestRequest::with_uri(SOURCE)
            .method(Method::OPTIONS)
            .to_request();
        assert_eq!(test::call_service(&app, request).await.status(), 204);
    }
}
