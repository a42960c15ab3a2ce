//! Which nodes live: each says so in Redis, again and again, and looks who else does.
//!
//! What a node says changes with every beat. It has fallen silent when it was looked at several times and was the same, oftener than
//! between its beats before; so nobody's clock counts, and when Redis is slow, full or away nobody is silent for it. A silent
//! node may be dead, or may be the only one that does not reach Redis: it is asked last then, not never.

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
/// A node that has been the same so many times has fallen silent.
const SILENT_AFTER: u32 = 4;
/// Or so many times as often as it was the same between its beats of late: its way to Redis may be slow.
const TIMES_THE_USUAL: u32 = 3;
/// However slow its way is, after so many it is silent: ten seconds.
const SILENT_AT_LAST: u32 = 50;
/// And after so many it is struck off: a minute.
const FORGOTTEN_AFTER: u32 = 5 * 60;
/// Nodes that are known at once, and names that are read: of nodes that were started again and again under other names.
const MOST: usize = 256;
const MOST_NAMES: usize = 4096;

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
pub struct Beat {
    /// Which start of it this is.
    pub boot: u32,
    /// Which beat since.
    pub count: u64,
    /// What tells its secret apart.
    pub keys: u32,
    /// Its UDP listener.
    pub address: Option<SocketAddr>,
}

impl Beat {
    /// As it stands in Redis.
    pub fn text(&self) -> String {
        let address = self.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        format!("1 {} {} {:08x} {address}", self.boot, self.count, self.keys)
    }

    /// Reads it. `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
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
    /// How often it was the same between two beats lately, at the most.
    usual: u32,
}

impl Seen {
    /// Whether it has said something lately.
    fn is_alive(&self) -> bool {
        self.same < self.usual.saturating_mul(TIMES_THE_USUAL).clamp(SILENT_AFTER, SILENT_AT_LAST)
    }
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
    /// Who is known and can be asked.
    known: Vec<OtherNode>,
    /// Who has fallen silent now.
    died: Vec<(String, SocketAddr)>,
    /// Who has been silent for long.
    gone: Vec<SocketAddr>,
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
        let is_alive = |seen: &Seen| seen.is_alive() && seen.beat.keys == own.keys;
        let lived: Vec<_> = self.addresses(is_alive).collect();
        // Of whom nothing is said: Redis may have come back empty, so that is no more than to be the same.
        self.seen.retain(|name, seen| {
            let is_said = said.iter().any(|(said, _)| said == name);
            seen.same = seen.same.saturating_add(u32::from(!is_said));
            is_said || seen.same < FORGOTTEN_AFTER
        });
        let mut room = MOST.saturating_sub(self.seen.len());
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
                    if seen.same == FORGOTTEN_AFTER {
                        look.gone.extend(seen.beat.address);
                    }
                    if seen.same.is_multiple_of(FORGOTTEN_AFTER) {
                        look.forgotten.push(name);
                    }
                }
                // The first look can't tell whether it still beats; whoever does has its next beat soon.
                None if room > 0 => {
                    room -= 1;
                    self.seen.insert(name, Seen { beat, same: SILENT_AFTER, usual: 0 });
                }
                None => {}
                Some(seen) => {
                    // Who begins only now has had no pause.
                    let pause = if seen.is_alive() { seen.same } else { 0 };
                    *seen = Seen { beat, same: 0, usual: pause.max(seen.usual - seen.usual / 8) };
                }
            }
        }
        let lives: Vec<_> = self.addresses(is_alive).collect();
        let without = |some: &[(String, SocketAddr)], others: &[(String, SocketAddr)]| {
            some.iter().filter(|one| !others.contains(one)).cloned().collect()
        };
        look.died = without(&lived, &lives);
        look.came = without(&lives, &lived);
        let known = self.seen.iter().filter(|(_, seen)| seen.beat.keys == own.keys);
        let node = |(name, seen): (&String, &Seen)| {
            let address = seen.beat.address?;
            Some(OtherNode { number: node_number(name), address, is_alive: seen.is_alive() })
        };
        look.known = known.filter_map(node).collect();
        look.known.sort_by_key(|node| node.number);
        look
    }

    fn addresses(&self, is_alive: impl Fn(&Seen) -> bool) -> impl Iterator<Item = (String, SocketAddr)> {
        let alive = self.seen.iter().filter(move |(_, seen)| is_alive(seen));
        alive.filter_map(|(name, seen)| Some((name.clone(), seen.beat.address?)))
    }
}

impl Sharer {
    /// Says that this node lives and looks who else does, until the connection fails.
    pub(crate) async fn beat(&self, others: &mut Others) -> Result<Infallible, RedisError> {
        // By a connection of its own: behind a thousand blobs it would come late.
        let mut store = Store::connect(&self.address).await?;
        let own = &self.presence;
        // Never what it was before a restart.
        let mut count = self.world.now().as_millis();
        let (mut namesakes, mut is_refused) = (0u32, false);
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
            if is_refused {
                // Nobody else's gets in either, so that it stays the same says nothing.
                tokio::time::sleep(EVERY).await;
                continue;
            }
            let said = answers.into_iter().next().map(beats).unwrap_or_default();
            let is_namesake = |(name, beat): &(String, Beat)| *name == own.name && beat.boot != own.boot;
            // After a restart what the start before has said is found once.
            namesakes = if said.iter().any(is_namesake) { namesakes + 1 } else { 0 };
            if namesakes == 2 {
                tracing::error!(
                    node = own.name,
                    "another node has this node's name, and would take this node's registrations for its own: nothing is \
                     published while that is so. Give each a node.id of its own"
                );
            }
            self.counters.set_namesake(namesakes >= 2);
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
        self.location.set_nodes(&look.known);
        self.counters.set_nodes(look.known.iter().filter(|node| node.is_alive).count());
        for (name, address) in &look.came {
            tracing::info!(node = name, %address, "another node is there");
        }
        look.gone.iter().for_each(|address| self.world.node_is_gone(*address));
        for (name, address) in &look.died {
            tracing::warn!(
                node = name,
                %address,
                "another node is gone, or can't reach Redis. Its phones are rung from here where they can be"
            );
            self.world.node_is_silent(*address);
        }
    }
}

/// Names and beats of a hash; what can't be read is left out.
fn beats(answer: Value) -> Vec<(String, Beat)> {
    let fields: Vec<(Vec<u8>, Vec<u8>)> = redis::from_redis_value(answer).unwrap_or_default();
    let read = |(name, text): (Vec<u8>, Vec<u8>)| Some((String::from_utf8(name).ok()?, Beat::read(&text)?));
    fields.into_iter().take(MOST_NAMES).filter_map(read).collect()
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
        let found = look(&mut others, beat(1));
        assert!(!found.known[0].is_alive && found.came.is_empty(), "it may be a word of just before it died");
        let found = look(&mut others, beat(2));
        let node = OtherNode { number: node_number("b"), address: address(2), is_alive: true };
        assert_eq!((found.came.len(), found.known), (1, vec![node]));
        for _ in 1..SILENT_AFTER {
            let found = look(&mut others, beat(2));
            assert_eq!((found.known, found.came.len(), found.died.len()), (vec![node], 0, 0));
        }
        let found = look(&mut others, beat(2));
        let silent = OtherNode { is_alive: false, ..node };
        assert_eq!((found.known, found.died), (vec![silent], vec![("b".into(), address(2))]));
        assert_eq!(look(&mut others, beat(2)).died, [], "it dies once");
        assert_eq!(look(&mut others, beat(3)).came.len(), 1);
    }

    #[test]
    fn a_node_whose_beats_come_slowly_falls_silent_once_and_is_then_waited_for_longer() {
        let mut others = Others::default();
        let mut silences = 0;
        for count in 1..100 {
            // Slower and slower, to nine looks for each beat.
            for _ in 0..(count / 4).clamp(1, 9) {
                silences += look(&mut others, beat(count)).died.len();
            }
        }
        assert_eq!(silences, 0);
        let mut looks = 0;
        while look(&mut others, beat(99)).died.is_empty() {
            looks += 1;
        }
        assert!((9..SILENT_AT_LAST).contains(&looks), "{looks}");
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
        let alive = |look: &Look| look.known.iter().filter(|node| node.is_alive).count();
        for _ in 1..SILENT_AFTER {
            assert_eq!(alive(&others.look(&own(), Vec::new())), 1);
        }
        let found = others.look(&own(), Vec::new());
        assert_eq!((alive(&found), found.died.len()), (0, 1));
    }

    #[test]
    fn a_node_with_another_secret_is_told_of_once_a_start_and_asked_for_nothing() {
        let mut others = Others::default();
        let stranger = |boot, count| Beat { boot, keys: 8, ..beat(count) };
        assert_eq!(look(&mut others, stranger(1, 1)).strangers, ["b"]);
        let found = look(&mut others, stranger(1, 2));
        assert_eq!((found.strangers.len(), found.known.len()), (0, 0));
        assert_eq!(look(&mut others, stranger(2, 3)).strangers, ["b"]);
    }

    #[test]
    fn who_has_been_silent_for_a_minute_is_struck_off() {
        let mut others = Others::default();
        look(&mut others, beat(1));
        let silent = (0..FORGOTTEN_AFTER).map(|_| look(&mut others, beat(1)).forgotten.len());
        assert_eq!(silent.sum::<usize>(), 1);
        // Struck off, it is said no more, and not known any longer.
        for _ in 0..FORGOTTEN_AFTER {
            others.look(&own(), Vec::new());
        }
        assert_eq!(others.look(&own(), Vec::new()).known, []);
    }
}
