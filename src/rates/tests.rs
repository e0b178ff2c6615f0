//! Buckets, by hand, against a simpler one, and with any numbers.

use std::time::Duration;

use proptest::prelude::*;

use super::addresses::PER_SHARD;
use super::*;

const SECOND: u64 = 1_000_000_000;

fn rates(change: impl FnOnce(&mut RatesConfig)) -> Arc<Rates> {
    let mut config = RatesConfig::default();
    change(&mut config);
    Rates::new(&config).unwrap()
}

fn per_second(amount: u64) -> Option<Rate> {
    Some(Rate::new(amount, Duration::from_secs(1)))
}

#[test]
fn nothing_is_metered_where_nothing_is_limited() {
    assert!(Rates::new(&RatesConfig::default()).is_none());
    let rates = rates(|config| config.address_handshakes = per_second(1));
    assert!(rates.meters(None).is_none());
}

#[test]
fn the_ladder_has_its_steps_where_they_are_set() {
    let rates = rates(|config| {
        config.session_events = per_second(10);
        (config.warn_over, config.drop_over, config.disconnect_over) = (10, Some(50), Some(100));
    });
    let mut meters = rates.meters(None).unwrap();
    let verdicts: Vec<_> = (0..21)
        .map(|_| meters.charge(None, SECOND).verdict)
        .collect();
    let expected = [
        (Verdict::Pass, 11),
        (Verdict::Warn, 4),
        (Verdict::Drop, 5),
        (Verdict::Disconnect, 1),
    ];
    let expected = expected.map(|(verdict, n)| vec![verdict; n]).concat();
    assert_eq!(verdicts, expected);
}

#[test]
fn news_are_told_once_until_the_client_is_within_its_rate_again() {
    let rates = rates(|config| {
        config.session_events = per_second(1);
        config.drop_over = Some(0);
        config.disconnect_over = None;
    });
    let mut meters = rates.meters(None).unwrap();
    let mut news = |now| {
        let judged = meters.charge(None, now);
        (judged.verdict, judged.is_news)
    };
    assert_eq!(news(0), (Verdict::Pass, false));
    assert_eq!(news(0), (Verdict::Drop, true));
    assert_eq!(news(0), (Verdict::Drop, false));
    assert_eq!(news(2 * SECOND), (Verdict::Pass, false));
    assert_eq!(news(2 * SECOND), (Verdict::Drop, true));
}

#[test]
fn who_is_never_disconnected_gets_what_the_rate_allows() {
    let rates = rates(|config| {
        config.session_events = per_second(10);
        config.disconnect_over = None;
    });
    let mut meters = rates.meters(None).unwrap();
    // Three times as fast as allowed, for ten seconds.
    let passed = (0..300)
        .filter(|n| meters.charge(None, n * SECOND / 30).verdict < Verdict::Drop)
        .count();
    // Half as much again as the burst before the first is dropped.
    assert_eq!(passed, 100 + 15 - 1);
}

#[test]
fn the_limit_that_is_met_is_named() {
    let rates = rates(|config| {
        config.session_events = per_second(1000);
        config.session_bytes = per_second(100);
        config
            .events
            .insert("say".to_owned(), Rate::new(2, Duration::from_secs(1)));
        config.drop_over = Some(0);
    });
    let mut meters = rates.meters(None).unwrap();
    for (event, n_bytes, expected) in [
        (Some("say"), 10, (Verdict::Pass, "")),
        (Some("say"), 10, (Verdict::Pass, "")),
        (Some("say"), 10, (Verdict::Drop, "events")),
        (Some("hear"), 10, (Verdict::Pass, "")),
        (None, 61, (Verdict::Drop, "session_bytes")),
    ] {
        meters.add_bytes(n_bytes);
        let judged = meters.charge(event, 0);
        assert_eq!((judged.verdict, judged.limit), expected);
    }
}

#[test]
fn sessions_of_an_address_share_its_bucket() {
    let rates = rates(|config| {
        config.address_events = per_second(2);
        config.drop_over = Some(0);
    });
    let meters = |last| rates.meters(Some([192, 0, 2, last].into())).unwrap();
    let (mut ada, mut bob, mut eve) = (meters(1), meters(1), meters(2));
    let now = now();
    assert_eq!(ada.charge(None, now).verdict, Verdict::Pass);
    assert_eq!(bob.charge(None, now).verdict, Verdict::Pass);
    assert_eq!(ada.charge(None, now).verdict, Verdict::Drop);
    assert_eq!(eve.charge(None, now).verdict, Verdict::Pass);
}

#[test]
fn handshakes_pass_again_when_time_has_gone_by() {
    let rates = rates(|config| config.address_handshakes = per_second(1));
    let address = Some([192, 0, 2, 1].into());
    assert_eq!(rates.admit(address, 0), Ok(()));
    let half = SECOND / 2;
    for _ in 0..1000 {
        let wait = rates.admit(address, 0).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
    }
    let wait = rates.admit(address, half).unwrap_err();
    assert_eq!(wait, Duration::from_millis(500));
    assert_eq!(rates.admit(address, SECOND), Ok(()));
    assert_eq!(rates.admit(None, 0), Ok(()));
}

fn address(n: u32) -> Option<IpAddr> {
    Some(n.to_be_bytes().into())
}

/// So many came at the same time, once each, that there is no room for all.
fn with_full_table(handshakes_per_second: u64) -> Arc<Rates> {
    let rates = rates(|config| config.address_handshakes = per_second(handshakes_per_second));
    for n in 0..200_000 {
        let _ = rates.admit(address(n), 0);
    }
    rates
}

#[test]
fn the_table_of_addresses_is_bounded_and_forgets_who_is_gone() {
    let rates = with_full_table(1);
    assert_eq!(rates.addresses.len(), 16 * PER_SHARD);
    // Who came too late shares a bucket that is empty.
    assert!(rates.admit(address(300_000), 0).is_err());
    // Their buckets are full again: there is room.
    assert!(rates.admit(address(300_000), 2 * SECOND).is_ok());
    assert!(rates.addresses.len() < 16 * PER_SHARD);
}

#[test]
fn a_full_table_is_not_looked_through_for_each_address() {
    let rates = with_full_table(1000);
    // All buckets are full again, but it has just been looked.
    let _ = rates.admit(address(300_000), SECOND / 100);
    assert_eq!(rates.addresses.len(), 16 * PER_SHARD);
    let _ = rates.admit(address(300_000), SECOND / 10);
    assert!(rates.addresses.len() < 16 * PER_SHARD);
}

proptest! {
    /// Compared with a bucket that holds tokens, in exact numbers.
    #[test]
    fn a_bucket_lets_through_what_one_of_tokens_does(
        amount in 1_u64..1000,
        burst in 1_u64..50,
        steps in prop::collection::vec((0_u64..SECOND, 1_u64..4), 0..200),
    ) {
        let rate = Rate::new(amount, Duration::from_secs(1)).burst(burst);
        let limit = Limit::new(rate, 0, Some(0), None);
        let cost = SECOND / amount;
        let (mut full_at, mut now, mut tokens) = (0, 0, burst * cost);
        for (wait, n) in steps {
            now += wait;
            tokens = (tokens + wait).min(burst * cost);
            let (next, verdict) = limit.charge(full_at, now, n);
            full_at = next;
            let passes = tokens >= n * cost;
            if passes {
                tokens -= n * cost;
            }
            prop_assert_eq!(verdict == Verdict::Pass, passes);
        }
    }

    #[test]
    fn no_numbers_overflow(full_at: u64, now: u64, n: u64, amount in 1_u64..=SECOND, burst in 1_u64..1000, over in 0_u32..=10_000) {
        let rate = Rate::new(amount, Duration::from_secs(1)).burst(burst);
        let limit = Limit::new(rate, over, Some(over), Some(over));
        limit.charge(full_at, now, n);
    }
}
