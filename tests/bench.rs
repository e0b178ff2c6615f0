//! `greenroom bench` with TLS, over both transports, and who it believes.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod authority;
mod programs;

use std::path::Path;
use std::process::{Command, Stdio};

use authority::Authority;
use programs::program::Program;
use serde_json::Value;

/// Writes a certificate for localhost, its key, and the authority that has signed it.
fn certify(folder: &Path) {
    let authority = Authority::new();
    let (cert, key) = authority.issue();
    std::fs::write(folder.join("cert.pem"), cert).unwrap();
    std::fs::write(folder.join("key.pem"), key).unwrap();
    std::fs::write(folder.join("root.pem"), authority.certificate.pem()).unwrap();
}

/// Exit code and report of a run, whose clients believe in what is in a file.
fn bench(roots: &Path, words: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_greenroom"))
        .args(["bench"])
        .args(words)
        .arg("--json")
        .env_clear()
        .env("SSL_CERT_FILE", roots)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap(), report)
}

#[test]
fn tls_is_spoken_with_those_who_can_be_believed() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let of = |name: &str| folder.path().join(name);
    let (cert, key) = (of("cert.pem"), of("key.pem"));
    let program = Program::greenroom(
        folder.path(),
        &[],
        &[
            ("GREENROOM_SERVER__CARRIER", "mounted"),
            ("GREENROOM_TLS__CERT", cert.to_str().unwrap()),
            ("GREENROOM_TLS__KEY", key.to_str().unwrap()),
        ],
    );
    let url = format!("https://localhost:{}", program.address().port());
    for transport in ["websocket", "polling"] {
        let words = [
            "echo",
            &url,
            "--transport",
            transport,
            "-n",
            "4",
            "--rate",
            "10",
            "--warm-up",
            "0s",
            "--duration",
            "500ms",
        ];
        let (code, report) = bench(&of("root.pem"), &words);
        assert_eq!(code, 0, "{report}");
        let measured = &report["messages"]["measured"];
        assert_eq!(
            (&measured["sent"], &measured["received"]),
            (&20.into(), &20.into())
        );

        // No authority but itself.
        let (code, report) = bench(&cert, &words);
        assert_eq!(code, 1, "{report}");
        let failures = report["connections"]["failures"].as_object().unwrap();
        let reason = failures.keys().next().unwrap();
        assert!(
            reason.starts_with("no TLS: invalid peer certificate"),
            "{reason}"
        );
    }
}

#[test]
fn what_speaks_no_tls_is_told_from_what_does() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let program = Program::greenroom(folder.path(), &[], &[]);
    let url = format!("https://localhost:{}", program.address().port());
    let words = ["connect", &url, "-n", "2", "--duration", "0s"];
    let (code, report) = bench(&folder.path().join("root.pem"), &words);
    assert_eq!((code, &report["connections"]["connected"]), (1, &0.into()));
    let failures = report["connections"]["failures"].to_string();
    assert!(failures.contains("no TLS: "), "{failures}");
}
