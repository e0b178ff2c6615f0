//! The pages under `/`: the files of one folder, with headers that leave scripts of others no room.

use std::path::{Component, Path};

use actix_files::Files;
use actix_web::{
    HttpResponse,
    dev::{HttpServiceFactory, ServiceRequest, ServiceResponse, fn_service},
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    middleware::DefaultHeaders,
    web,
};

/// What a page may load and talk to: itself, pictures that a user pasted, and nothing from elsewhere.
///
/// `'self'` in `connect-src` stands for the WebSocket of the same host too (Content Security Policy Level 3, section
/// 6.7.2.8).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What a page is made of. Other files of the folder, `package.json` for one, are not served.
const TYPES: [&str; 15] = [
    "html",
    "css",
    "js",
    "mjs",
    "svg",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "avif",
    "ico",
    "woff2",
    "webmanifest",
    "txt",
];

/// Serves the pages of `folder` under `/`, `index.html` first.
///
/// It takes every path that no service before it took, so it is registered last.
pub fn pages(folder: &Path) -> impl HttpServiceFactory + use<> {
    let hardening = DefaultHeaders::new()
        .add((CONTENT_SECURITY_POLICY, POLICY))
        .add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((X_FRAME_OPTIONS, "DENY"))
        .add((REFERRER_POLICY, "no-referrer"))
        .add(("cross-origin-opener-policy", "same-origin"))
        .add(("cross-origin-resource-policy", "same-origin"))
        .add((
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ))
        // Browsers ask each time and mostly hear 304: a new version shows at once.
        .add((CACHE_CONTROL, "no-cache"));
    let files = Files::new("/", folder)
        .index_file("index.html")
        .disable_content_disposition()
        .path_filter(|path, _| is_part_of_a_page(path))
        .default_handler(fn_service(not_found));
    web::scope("").wrap(hardening).service(files)
}

/// Whether a path, relative to the folder and without `..`, may be served. Dotfiles are refused before it is asked.
fn is_part_of_a_page(path: &Path) -> bool {
    let is_installed = path.components().any(
        |part| matches!(part, Component::Normal(name) if name.eq_ignore_ascii_case("node_modules")),
    );
    let is_page_type = path
        .extension()
        .is_some_and(|kind| TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known)));
    !is_installed && (is_page_type || path.as_os_str().is_empty())
}

async fn not_found(request: ServiceRequest) -> Result<ServiceResponse, actix_web::Error> {
    let response = HttpResponse::NotFound()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body("Not found.\n");
    Ok(request.into_response(response))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use actix_web::{
        App,
        body::to_bytes,
        http::{Method, header::ETAG},
        test,
    };
    use tempfile::TempDir;

    use super::*;

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("index.html", "<!doctype html>"),
            ("chat.css", "body {}"),
            ("js/chat.js", "1"),
            ("package.json", "{}"),
            (".env", "SECRET=1"),
            (".git/config.txt", "x"),
            ("node_modules/socket.io-client/dist/socket.io.js", "x"),
            ("node_modules/index.html", "x"),
            ("notes.md", "x"),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    async fn ask(folder: &Path, method: Method, uri: &str) -> ServiceResponse {
        let before = web::resource("/health").to(|| async { "fine" });
        let app = test::init_service(App::new().service(before).service(pages(folder))).await;
        test::call_service(
            &app,
            test::TestRequest::with_uri(uri).method(method).to_request(),
        )
        .await
    }

    async fn get(folder: &Path, uri: &str) -> (u16, String, String) {
        let response = ask(folder, Method::GET, uri).await;
        let status = response.status().as_u16();
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let body = to_bytes(response.into_body()).await.unwrap_or_default();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn pages_and_their_parts_are_served() {
        let folder = folder();
        for (uri, kind, text) in [
            ("/", "text/html; charset=utf-8", "<!doctype html>"),
            (
                "/?room=lobby",
                "text/html; charset=utf-8",
                "<!doctype html>",
            ),
            ("/index.html", "text/html; charset=utf-8", "<!doctype html>"),
            ("/chat.css", "text/css; charset=utf-8", "body {}"),
            ("/js/chat.js", "text/javascript", "1"),
        ] {
            assert_eq!(
                get(folder.path(), uri).await,
                (200, kind.to_owned(), text.to_owned()),
                "{uri}"
            );
        }
    }

    #[actix_web::test]
    async fn what_is_no_part_of_a_page_is_not_served() {
        let folder = folder();
        for uri in [
            "/package.json",
            "/notes.md",
            "/.env",
            "/.git/config.txt",
            "/%2eenv",
            "/node_modules/socket.io-client/dist/socket.io.js",
            "/node_modules/",
            "/node_modules",
            "/NODE_MODULES/index.html",
            "/js/../node_modules/index.html",
            "/js/%2e%2e/node_modules/index.html",
            "/node%5fmodules/index.html",
            "/..%2f..%2fetc%2fpasswd.txt",
            "/../../etc/passwd",
            "/js/",
            "/js",
            "/missing.html",
            "/%00.html",
            "/%ff.html",
        ] {
            let (status, _, body) = get(folder.path(), uri).await;
            assert!(matches!(status, 400 | 404), "{uri} {status}");
            assert!(
                !body.contains("SECRET") && body != "x" && body != "{}",
                "{uri}"
            );
        }
    }

    #[actix_web::test]
    async fn every_answer_carries_the_policy() {
        let folder = folder();
        for (method, uri, status) in [
            (Method::GET, "/", 200),
            (Method::GET, "/js/chat.js", 200),
            (Method::GET, "/missing.html", 404),
            (Method::GET, "/package.json", 404),
            (Method::GET, "/.env", 400),
            (Method::POST, "/", 405),
        ] {
            let response = ask(folder.path(), method, uri).await;
            assert_eq!(response.status(), status, "{uri}");
            let headers = response.headers();
            assert_eq!(
                headers.get(CONTENT_SECURITY_POLICY).unwrap(),
                POLICY,
                "{uri}"
            );
            assert_eq!(
                headers.get(X_CONTENT_TYPE_OPTIONS).unwrap(),
                "nosniff",
                "{uri}"
            );
            assert_eq!(headers.get(X_FRAME_OPTIONS).unwrap(), "DENY", "{uri}");
            assert_eq!(
                headers.get(REFERRER_POLICY).unwrap(),
                "no-referrer",
                "{uri}"
            );
        }
    }

    #[actix_web::test]
    async fn a_page_is_revalidated_by_its_tag() {
        let folder = folder();
        let response = ask(folder.path(), Method::GET, "/").await;
        assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-cache");
        assert!(response.headers().contains_key(ETAG));
    }

    #[actix_web::test]
    async fn services_registered_before_keep_their_paths_and_headers() {
        let folder = folder();
        let response = ask(folder.path(), Method::GET, "/health").await;
        assert!(!response.headers().contains_key(CONTENT_SECURITY_POLICY));
        assert_eq!(to_bytes(response.into_body()).await.unwrap(), "fine");
    }

    #[actix_web::test]
    async fn a_missing_folder_is_no_page() {
        let (status, _, body) = get(Path::new("/does/not/exist"), "/").await;
        assert_eq!((status, body.as_str()), (404, "Not found.\n"));
    }
}
