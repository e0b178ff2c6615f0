//! How much is kept.

use greenroom::Binary;

use super::{enabled, names, ticket};
use crate::support::{counter, lobby, on_actix};

#[test]
fn packets_are_kept_up_to_a_number() {
    on_actix(async {
        for (n_missed, is_kept) in [(4, true), (5, false)] {
            let mut config = enabled();
            config.recovery.max_packets = 5;
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            let ticket = ticket(&mut client, &socket).await;
            drop(client);
            lobby.hearing.gone().await;
            for n in 0..n_missed {
                lobby.server.root().emit("missed", n);
            }
            let (mut client, socket) = ticket.return_to(&mut lobby).await;
            assert_eq!(socket.is_recovered(), is_kept, "{n_missed}");
            let n_replayed = names(&mut client, &socket).await.len();
            assert_eq!(n_replayed, if is_kept { n_missed } else { 0 });
            assert!(is_kept || counter(&lobby.server, "recovery_packet_dropped") > 0);
        }
    });
}

#[test]
fn packets_are_kept_up_to_a_size() {
    on_actix(async {
        for (n_missed, is_kept) in [(3, true), (4, false)] {
            let mut config = enabled();
            config.recovery.max_bytes = 3500;
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            let ticket = ticket(&mut client, &socket).await;
            drop(client);
            lobby.hearing.gone().await;
            for n in 0..n_missed {
                // Attachments count.
                lobby
                    .server
                    .root()
                    .emit("missed", (n, Binary::from(vec![0; 1000])));
            }
            let (_client, socket) = ticket.return_to(&mut lobby).await;
            assert_eq!(socket.is_recovered(), is_kept, "{n_missed}");
        }
    });
}

#[test]
fn sessions_are_kept_up_to_a_number_and_the_first_to_leave_goes_first() {
    on_actix(async {
        let mut config = enabled();
        config.recovery.max_sessions = 2;
        let mut lobby = lobby(config);
        let mut tickets = Vec::new();
        for _ in 0..3 {
            let (mut client, socket) = lobby.join().await;
            tickets.push(ticket(&mut client, &socket).await);
            drop(client);
            lobby.hearing.gone().await;
        }
        let mut returned = Vec::new();
        for (n, ticket) in tickets.iter().enumerate() {
            let (client, socket) = ticket.return_to(&mut lobby).await;
            assert_eq!(socket.is_recovered(), n > 0, "{n}");
            returned.push(client);
        }
        assert_eq!(counter(&lobby.server, "recovery_session_dropped"), 1);
    });
}
