use super::*;

const LIFETIME_MILLIS: u64 = 300_000;

#[test]
fn a_nonce_is_good_for_its_lifetime_and_stale_after_it() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    gate.now = at(LIFETIME_MILLIS);
    assert_eq!(gate.register(&Answer::new(&nonce)), Said::Verified("101".into()));
    gate.now = at(LIFETIME_MILLIS + 1);
    assert_eq!(gate.register(&Answer::new(&nonce).count(2)), Said::Stale);
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn a_nonce_from_the_future_is_stale() {
    let mut gate = Gate::new();
    gate.now = at(5000);
    let nonce = gate.nonce(ACME);
    gate.now = at(4999);
    assert_eq!(gate.register(&Answer::new(&nonce)), Said::Stale, "the clock was set back");
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn a_nonce_that_we_did_not_mint_is_stale_and_no_failure() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    let mut forged = nonce.clone().into_bytes();
    forged[3] = if forged[3] == b'x' { b'y' } else { b'x' };
    for foreign in [String::from_utf8(forged).unwrap(), String::new(), "5f3a".into(), nonce.repeat(9)] {
        assert_eq!(gate.register(&Answer::new(&foreign)), Said::Stale, "{foreign}");
        // It is judged before the password: an attacker learns nothing by it.
        assert_eq!(gate.register(&Answer::new(&foreign).of("101", "wrong")), Said::Stale);
    }
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn a_nonce_of_another_shard_or_from_before_a_restart_is_stale() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    gate.authenticator = Authenticator::new(ShardId(1), Keys::new([1; 32]), 42);
    assert_eq!(gate.register(&Answer::new(&nonce)), Said::Stale);
    gate.authenticator = Authenticator::new(ShardId(2), Keys::new([1; 32]), 43);
    assert_eq!(gate.register(&Answer::new(&nonce)), Said::Stale);
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn a_repeated_count_is_stale_and_the_next_one_is_good() {
    let mut gate = Gate::new();
    gate.flow.connection = Some(ConnectionId { shard: ShardId(2), serial: 1 });
    gate.flow.transport = Transport::Tcp;
    let nonce = gate.nonce(ACME);
    for count in [1, 2, 4, 3] {
        assert_eq!(gate.register(&Answer::new(&nonce).count(count)), Said::Verified("101".into()), "{count}");
        assert_eq!(gate.register(&Answer::new(&nonce).count(count)), Said::Stale, "{count}");
    }
    assert_eq!(gate.register(&Answer::new(&nonce).count(0)), Said::Stale, "counts begin with 1");
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn the_count_is_looked_at_only_after_the_digest_verified() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    assert_eq!(gate.register(&Answer::new(&nonce).of("101", "wrong")), Said::Challenge);
    assert_eq!(gate.register(&Answer::new(&nonce)), Said::Verified("101".into()), "the wrong one has used nothing");
    assert_eq!(gate.register(&Answer::new(&nonce).of("101", "wrong")), Said::Challenge);
    assert_eq!(gate.failures(ACME), 2);
}

#[test]
fn each_extension_counts_for_itself() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    assert_eq!(gate.register(&Answer::new(&nonce)), Said::Verified("101".into()));
    assert_eq!(gate.register(&Answer::new(&nonce).of("alice", "secret102")), Said::Verified("102".into()));
}

#[test]
fn a_retransmission_by_udp_is_let_through_again() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    let answer = Answer::new(&nonce);
    for _ in 0..3 {
        assert_eq!(gate.register(&answer), Said::Verified("101".into()));
    }
    let text = request("REGISTER", "sip:acme.example", "101@acme.example", &[("Authorization", answer.to_string())]);
    assert_eq!(gate.ask(ACME, &text.replace("Call-ID: c", "Call-ID: d")), Said::Stale, "another message");
    gate.flow.remote.set_port(5061);
    assert_eq!(gate.ask(ACME, &text), Said::Stale, "another source");
    gate.flow.remote.set_port(5060);
    assert_eq!(gate.ask(ACME, &text), Said::Verified("101".into()));
    gate.now = at(LIFETIME_MILLIS + 1);
    assert_eq!(gate.ask(ACME, &text), Said::Stale, "and not for ever");
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn a_client_of_rfc_2069_is_accepted_once_a_nonce() {
    let mut gate = Gate::new();
    gate.settings.algorithms = vec![Algorithm::Md5];
    let nonce = gate.nonce(ACME);
    let answer = Answer { count: None, ..Answer::new(&nonce) };
    assert_eq!(gate.register(&answer), Said::Verified("101".into()));
    assert_eq!(gate.register(&answer), Said::Verified("101".into()), "a retransmission");
    let text = request("REGISTER", "sip:acme.example", "101@acme.example", &[("Authorization", answer.to_string())]);
    assert_eq!(gate.ask(ACME, &text.replace("CSeq: 1", "CSeq: 2")), Said::Stale);
    let another = Answer { count: None, ..Answer::new(&gate.nonce(ACME)) };
    assert_eq!(gate.register(&another), Said::Verified("101".into()));
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn when_the_table_is_full_the_oldest_nonces_become_stale() {
    let mut gate = Gate::new();
    gate.settings.limits.max_nonces = 2;
    let nonces: Vec<_> = (0..4)
        .map(|millis| {
            gate.now = at(millis);
            gate.nonce(ACME)
        })
        .collect();
    // The first is kept for later; the other three are used, and only two can be remembered.
    for nonce in &nonces[1..] {
        assert_eq!(gate.register(&Answer::new(nonce)), Said::Verified("101".into()));
    }
    assert_eq!(gate.register(&Answer::new(&nonces[1]).count(2)), Said::Stale, "evicted");
    assert_eq!(gate.register(&Answer::new(&nonces[0])), Said::Stale, "older than the evicted one: who knows?");
    assert_eq!(gate.register(&Answer::new(&nonces[2]).count(2)), Said::Verified("101".into()));
    assert_eq!(gate.register(&Answer::new(&nonces[3]).count(2)), Said::Verified("101".into()));
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn expired_nonces_leave_in_quiet_times_too() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    assert_eq!(gate.register(&Answer::new(&nonce)), Said::Verified("101".into()));
    let is_empty = |gate: &Gate| !format!("{:?}", gate.authenticator.windows).contains("queue: [W");
    let (settings, late) = (gate.settings.clone(), at(LIFETIME_MILLIS + 1));
    gate.authenticator.expire(at(LIFETIME_MILLIS), &settings);
    assert!(!is_empty(&gate));
    gate.authenticator.expire(late, &settings);
    assert!(is_empty(&gate));
}
