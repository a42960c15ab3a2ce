//! Which nodes live: each says so in Redis, again and again, and looks who else does.
//!
//! What a node says changes with every beat. It is taken for dead when it was looked at several times and was the same; so nobody's
//! clock counts, and when Redis is slow or away nobody is dead for it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use redis::{RedisError, Value};
use ringway_edge::location::OtherNode;

use crate::store::Store;
use crate::{Sharer, node_number};

/// The hash in which nodes say that they live: by their name, [`Beat`] as text.
const KEY: &str = "rw:{nodes}:alive";
/// How long the hash stays when nobody lives any more, in seconds.
const KEY_LIVES: u64 = 3600;
/// How often a node says so, and looks.
const EVERY: Duration = Duration::from_millis(200);
/// A node that has been the same so many times is dead.
const DEAD_AFTER: u32 = 4;
/// And after so many it is struck off: an hour.
const FORGOTTEN_AFTER: u32 = 5 * 3600;
/// Nodes that are looked at.
const MOST: usize = 256;

/// What there is to know of this node for others.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Its name.
    pub name: String,
    /// Which start of it this is.
    pub boot: u32,
    /// What tells the secret apart by which nodes know each other's signatures.
    pub keys: u32,
    /// Its UDP listener; `None` when it has none, and can't be asked.
    pub address: Option<SocketAddr>,
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beat {
    boot: u32,
    count: u64,
    keys: u32,
    address: Option<SocketAddr>,
}

impl Beat {
    fn text(&self) -> String {
        let address = self.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        format!("1 {} {} {:08x} {address}", self.boot, self.count, self.keys)
    }

    fn read(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        if words.next()? != "1" {
            return None;
        }
        let (boot, count) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let keys = u32::from_str_radix(words.next()?, 16).ok()?;
        let address = match words.next()? {
            "-" => None,
            address => Some(address.parse().ok()?),
        };
        words.next().is_none().then_some(Self { boot, count, keys, address })
    }
}

/// Another node as it was seen.
#[derive(Debug)]
struct Seen {
    beat: Beat,
    /// How often it was the same since.
    same: u32,
}

/// All other nodes as they were seen. Kept from one connection to the next.
#[derive(Debug, Default)]
pub(crate) struct Others {
    seen: HashMap<String, Seen>,
    /// Of which it was told that their secret is another, and of which start.
    warned: HashMap<String, u32>,
}

/// What a look has found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Look {
    /// Who lives, in the order of their addresses.
    alive: Vec<(String, OtherNode)>,
    /// Who has lived until now.
    died: Vec<(String, SocketAddr)>,
    /// Who has begun to.
    came: Vec<(String, SocketAddr)>,
    /// Who has another secret, and has just come.
    strangers: Vec<String>,
    /// Whose field is to be struck off.
    forgotten: Vec<String>,
}

impl Others {
    /// Takes what others say now.
    fn look(&mut self, own: &Presence, said: Vec<(String, Beat)>) -> Look {
        let mut look = Look::default();
        let is_alive = |seen: &Seen| seen.same < DEAD_AFTER && seen.beat.keys == own.keys;
        let lived: Vec<_> = self.addresses(is_alive).collect();
        // Of whom nothing is said: Redis may have come back empty, so that is no more than to be the same.
        self.seen.retain(|name, seen| {
            let is_said = said.iter().any(|(said, _)| said == name);
            seen.same = seen.same.saturating_add(u32::from(!is_said));
            is_said || seen.same < DEAD_AFTER
        });
        self.warned.retain(|name, _| said.iter().any(|(said, _)| said == name));
        for (name, beat) in said {
            if name == own.name {
                continue;
            }
            if beat.keys != own.keys && self.warned.insert(name.clone(), beat.boot) != Some(beat.boot) {
                look.strangers.push(name.clone());
            }
            match self.seen.get_mut(&name) {
                Some(seen) if seen.beat == beat => {
                    seen.same = seen.same.saturating_add(1);
                    if seen.same.is_multiple_of(FORGOTTEN_AFTER) {
                        look.forgotten.push(name);
                    }
                }
                // The first look can't tell whether it still beats; whoever does has its next beat soon.
                None => _ = self.seen.insert(name, Seen { beat, same: DEAD_AFTER }),
                Some(seen) => *seen = Seen { beat, same: 0 },
            }
        }
        let lives: Vec<_> = self.addresses(is_alive).collect();
        let without = |some: &[(String, SocketAddr)], others: &[(String, SocketAddr)]| {
            some.iter().filter(|one| !others.contains(one)).cloned().collect()
        };
        look.died = without(&lived, &lives);
        look.came = without(&lives, &lived);
        look.alive = lives
            .into_iter()
            .map(|(name, address)| {
                let number = node_number(&name);
                (name, OtherNode { number, address })
            })
            .collect();
        look
    }

    fn addresses(&self, is_alive: impl Fn(&Seen) -> bool) -> impl Iterator<Item = (String, SocketAddr)> {
        let alive = self.seen.iter().filter(move |(_, seen)| is_alive(seen));
        alive.filter_map(|(name, seen)| Some((name.clone(), seen.beat.address?)))
    }
}

impl Sharer {
    /// Says that this node lives and looks who else does, until the connection fails.
    pub(crate) async fn beat(&self, mut store: Store, others: &mut Others) -> Result<Infallible, RedisError> {
        let own = &self.presence;
        // Never what it was before a restart.
        let mut count = self.world.now().as_millis();
        let (mut has_namesake, mut is_refused) = (false, false);
        loop {
            count += 1;
            let beat = Beat { boot: own.boot, count, keys: own.keys, address: own.address };
            let mut commands = vec![redis::cmd("HGETALL"), redis::cmd("HSET"), redis::cmd("EXPIRE")];
            commands[0].arg(KEY);
            commands[1].arg(KEY).arg(&own.name).arg(beat.text());
            commands[2].arg(KEY).arg(KEY_LIVES);
            let answers = store.ask(commands).await?;
            let refusal = answers.iter().find_map(|answer| match answer {
                Value::ServerError(error) => Some(error),
                _ => None,
            });
            if let Some(error) = refusal.filter(|_| !is_refused) {
                tracing::error!(%error, "Redis does not take that this node lives (rw:{{nodes}}:alive), so no node can hand it a call");
                self.counters.failed.add(1);
            }
            is_refused = refusal.is_some();
            let said = answers.into_iter().next().map(beats).unwrap_or_default();
            let namesake = said.iter().any(|(name, beat)| *name == own.name && beat.boot != own.boot);
            if namesake && has_namesake {
                tracing::error!(
                    node = own.name,
                    "another node has this node's name: each takes the other's registrations for its own. Give each a \
                     node.id of its own"
                );
            }
            // After a restart what the start before has said is found once.
            has_namesake = namesake;
            let look = others.look(own, said);
            self.tell(&look);
            if !look.forgotten.is_empty() {
                let mut strike = redis::cmd("HDEL");
                strike.arg(KEY).arg(&look.forgotten);
                store.ask(vec![strike]).await?;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn tell(&self, look: &Look) {
        for name in &look.strangers {
            tracing::error!(
                node = name,
                "another node has another secret, so neither can hand the other a call. Give all nodes the same file \
                 (secrets.key_file)"
            );
        }
        if look.came.is_empty() && look.died.is_empty() {
            return;
        }
        let alive: Vec<_> = look.alive.iter().map(|(_, node)| *node).collect();
        self.location.set_nodes(&alive);
        self.counters.set_nodes(alive.len());
        for (name, address) in &look.came {
            tracing::info!(node = name, %address, "another node is there");
        }
        for (name, address) in &look.died {
            tracing::warn!(
                node = name,
                %address,
                "another node is gone, or can't reach Redis. Its phones by UDP are rung from here"
            );
            self.world.node_is_gone(*address);
        }
    }
}

/// Names and beats of a hash; what can't be read is left out.
fn beats(answer: Value) -> Vec<(String, Beat)> {
    let fields: Vec<(Vec<u8>, Vec<u8>)> = redis::from_redis_value(answer).unwrap_or_default();
    let read = |(name, text): (Vec<u8>, Vec<u8>)| Some((String::from_utf8(name).ok()?, Beat::read(&text)?));
    fields.into_iter().take(MOST).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Presence {
        Presence { name: "a".into(), boot: 1, keys: 7, address: None }
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 5060))
    }

    fn beat(count: u64) -> Beat {
        Beat { boot: 9, count, keys: 7, address: Some(address(2)) }
    }

    fn look(others: &mut Others, beat: Beat) -> Look {
        others.look(&own(), vec![("a".into(), beat), ("b".into(), beat)])
    }

    #[test]
    fn a_beat_is_read_as_it_is_written_and_nothing_else_is_one() {
        for beat in [beat(5), Beat { address: None, ..beat(u64::MAX) }] {
            assert_eq!(Beat::read(beat.text().as_bytes()), Some(beat));
        }
        for text in ["", "1", "2 1 1 00000007 -", "1 1 1 00000007 here", "1 1 1 00000007 - more", "1 x 1 00000007 -"] {
            assert_eq!(Beat::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_node_lives_from_its_second_beat_on_until_it_has_been_the_same_for_a_while() {
        let mut others = Others::default();
        assert_eq!(look(&mut others, beat(1)), Look::default(), "it may be a word of last week");
        let found = look(&mut others, beat(2));
        let node = OtherNode { number: node_number("b"), address: address(2) };
        assert_eq!((found.came.len(), found.alive), (1, vec![("b".into(), node)]));
        for _ in 1..DEAD_AFTER {
            let found = look(&mut others, beat(2));
            assert_eq!((found.alive.len(), found.came.len(), found.died.len()), (1, 0, 0));
        }
        let found = look(&mut others, beat(2));
        assert_eq!((found.alive.len(), found.died), (0, vec![("b".into(), address(2))]));
        assert_eq!(look(&mut others, beat(2)).died, [], "it dies once");
        assert_eq!(look(&mut others, beat(3)).came.len(), 1);
    }

    #[test]
    fn who_is_struck_off_or_has_moved_is_gone_from_where_it_was() {
        let mut others = Others::default();
        look(&mut others, beat(1));
        look(&mut others, beat(2));
        let found = look(&mut others, Beat { address: Some(address(3)), ..beat(3) });
        assert_eq!(found.died, [("b".into(), address(2))]);
        assert_eq!(found.came, [("b".into(), address(3))]);
        // An empty Redis is one that was restarted: others have a moment to say that they live.
        for _ in 1..DEAD_AFTER {
            assert_eq!(others.look(&own(), Vec::new()).alive.len(), 1);
        }
        let found = others.look(&own(), Vec::new());
        assert_eq!((found.alive.len(), found.died.len()), (0, 1));
    }

    #[test]
    fn a_node_with_another_secret_is_told_of_once_a_start_and_asked_for_nothing() {
        let mut others = Others::default();
        let stranger = |boot, count| Beat { boot, keys: 8, ..beat(count) };
        assert_eq!(look(&mut others, stranger(1, 1)).strangers, ["b"]);
        let found = look(&mut others, stranger(1, 2));
        assert_eq!((found.strangers.len(), found.alive.len()), (0, 0));
        assert_eq!(look(&mut others, stranger(2, 3)).strangers, ["b"]);
    }

    #[test]
    fn who_has_been_silent_for_an_hour_is_struck_off() {
        let mut others = Others::default();
        look(&mut others, beat(1));
        let silent = (0..FORGOTTEN_AFTER).map(|_| look(&mut others, beat(1)).forgotten.len());
        assert_eq!(silent.sum::<usize>(), 1);
    }
}
