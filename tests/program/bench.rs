//! `greenroom bench` where the servers of other languages are not needed: TLS, and clients that do not read.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::program::Program;
use crate::support::servers::authority::Authority;
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
    told(command(words).env("SSL_CERT_FILE", roots))
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command.arg("bench").args(words).arg("--json").env_clear();
    command
}

fn told(command: &mut Command) -> (i32, Value) {
    let output = command.stdin(Stdio::null()).output().unwrap();
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

/// A server with the events of load generators, and a run against it.
fn loaded(variables: &[(&str, &str)], words: &str) -> (i32, Value) {
    let mut variables = variables.to_vec();
    variables.push(("FIXTURE", "load"));
    let program = Program::start("fixture", &variables);
    let url = program.url("");
    let words: Vec<&str> = words.split_whitespace().chain([&*url]).collect();
    told(&mut command(&words))
}

#[test]
fn who_does_not_read_is_no_receiver_and_its_end_is_told() {
    // 1.2 MB for each client, of which the system keeps a tenth for one that does not read.
    let words = "broadcast --event publish-all -n 3 --stalled 2 --rate 60 --size 20000 --warm-up 0s --duration 1s";
    for transport in ["websocket", "polling"] {
        let words = format!("{words} --transport {transport}");
        for (outbox_bytes, n_disconnected) in [("200000", 2), ("5000000", 0)] {
            let (code, report) = loaded(&[("OUTBOX_BYTES", outbox_bytes)], &words);
            assert_eq!(code, 0, "{report}");
            let connections = &report["connections"];
            assert_eq!(
                (&connections["wanted"], &connections["connected"]),
                (&5.into(), &5.into())
            );
            assert_eq!(connections["dropped"], 0, "{report}");
            assert_eq!(connections["stalled"], 2, "{report}");
            assert_eq!(
                connections["stalled_disconnected"], n_disconnected,
                "{transport}, {outbox_bytes}: {report}"
            );
            let measured = &report["messages"]["measured"];
            assert_eq!(
                (&measured["sent"], &measured["received"]),
                (&60.into(), &180.into())
            );
        }
    }
}

#[test]
fn who_does_not_read_is_in_the_rooms_all_the_same() {
    // All rooms have a reader and one that is none: 3 rooms, each client in one. A reader may be half a second late.
    let words = "rooms --event publish --join-event join --rooms 3 -n 3 --stalled 3 --rate 60 --size 20000 --warm-up 0s \
        --duration 1s --connect-rate 100";
    let (code, report) = loaded(&[("OUTBOX_BYTES", "600000")], words);
    assert_eq!(code, 0, "{report}");
    let connections = &report["connections"];
    assert_eq!(connections["stalled_disconnected"], 3, "{report}");
    assert_eq!(report["messages"]["measured"]["received"], 180);
}

#[test]
fn clients_leave_their_rooms_and_wait_for_the_answer() {
    let words = "rooms --event publish --join-event join --rooms 4 --rooms-per-client 2 -n 4 --rate 10 --warm-up 0s \
        --duration 500ms --timeout 2s";
    let (code, report) = loaded(&[], &format!("{words} --leave-event leave"));
    assert_eq!(code, 0, "{report}");
    let (code, report) = loaded(&[], &format!("{words} --leave-event unheard-of"));
    assert_eq!((code, &report["connections"]["dropped"]), (1, &4.into()));
    let failures = &report["connections"]["failures"];
    assert_eq!(failures["no answer within the timeout"], 4, "{report}");
}
