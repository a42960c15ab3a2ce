//! A DNS server that answers as it is told, over UDP and TCP at one port.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, NAPTR, SOA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What is said when a name is asked for.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These records, in this order.
    Records(Vec<Record>),
    /// Over UDP nothing but that it did not fit; over TCP these records.
    Large(Vec<Record>),
    /// The name does not exist, for so many seconds.
    Missing(u32),
    /// SERVFAIL.
    Failure,
    /// Nothing.
    Silence,
}

#[derive(Default)]
struct Script {
    replies: HashMap<(String, RecordType), Reply>,
    /// What is said of all other names.
    otherwise: Option<Reply>,
    asked: BTreeMap<(String, &'static str), usize>,
}

/// The running server.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub async fn start() -> Self {
        // The kernel chooses the port of one, and the other takes the same.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let server = Self { address: udp.local_addr().unwrap(), script: Arc::default() };
        tokio::spawn(server.clone().serve_udp(udp));
        tokio::spawn(server.clone().serve_tcp(tcp));
        server
    }

    pub fn says(&self, name: &str, kind: RecordType, reply: Reply) {
        self.script.lock().unwrap().replies.insert((name.to_owned(), kind), reply);
    }

    pub fn says_of_all_others(&self, reply: Reply) {
        self.script.lock().unwrap().otherwise = Some(reply);
    }

    /// How often this was asked, over UDP or TCP.
    pub fn asked(&self, name: &str, way: &'static str) -> usize {
        self.script.lock().unwrap().asked.get(&(name.to_owned(), way)).copied().unwrap_or(0)
    }

    /// How often anything was asked.
    pub fn asked_in_all(&self) -> usize {
        self.script.lock().unwrap().asked.values().sum()
    }

    async fn serve_udp(self, socket: UdpSocket) {
        let mut buffer = vec![0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(answer) = self.answer(&buffer[..length], "udp") {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    }

    async fn serve_tcp(self, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let server = self.clone();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut question = vec![0; usize::from(length)];
                    if stream.read_exact(&mut question).await.is_err() {
                        return;
                    }
                    if let Some(answer) = server.answer(&question, "tcp") {
                        let length = u16::try_from(answer.len()).unwrap();
                        if stream.write_all(&[&length.to_be_bytes()[..], &answer].concat()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    }

    fn answer(&self, bytes: &[u8], way: &'static str) -> Option<Vec<u8>> {
        let question = Message::from_vec(bytes).unwrap();
        let query = question.queries[0].clone();
        let name = query.name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let mut script = self.script.lock().unwrap();
        *script.asked.entry((name.clone(), way)).or_default() += 1;
        let reply = script.replies.get(&(name, query.query_type)).or(script.otherwise.as_ref()).cloned();
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        match reply.unwrap_or(Reply::Missing(60)) {
            Reply::Silence => return None,
            Reply::Failure => answer.metadata.response_code = ResponseCode::ServFail,
            Reply::Large(_) if way == "udp" => answer.metadata.truncation = true,
            Reply::Records(records) | Reply::Large(records) => {
                answer.add_answers(records);
            }
            Reply::Missing(seconds) => {
                answer.metadata.response_code = ResponseCode::NXDomain;
                let zone = Name::from_ascii("example.").unwrap();
                let soa = SOA::new(zone.clone(), zone.clone(), 1, 3600, 600, 86400, seconds);
                answer.add_authority(Record::from_rdata(zone, seconds, RData::SOA(soa)));
            }
        }
        Some(answer.to_vec().unwrap())
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap()
}

pub fn a(of: &str, ttl: u32, address: &str) -> Record {
    Record::from_rdata(name(of), ttl, RData::A(A(address.parse().unwrap())))
}

pub fn aaaa(of: &str, ttl: u32, address: &str) -> Record {
    Record::from_rdata(name(of), ttl, RData::AAAA(AAAA(address.parse().unwrap())))
}

pub fn cname(of: &str, to: &str) -> Record {
    Record::from_rdata(name(of), 60, RData::CNAME(CNAME(name(to))))
}

pub fn srv(of: &str, priority: u16, weight: u16, port: u16, target: &str) -> Record {
    Record::from_rdata(name(of), 60, RData::SRV(SRV::new(priority, weight, port, name(target))))
}

pub fn naptr(of: &str, order: u16, preference: u16, services: &str, replacement: &str) -> Record {
    let empty = Box::default();
    let naptr =
        NAPTR::new(order, preference, Box::from(&b"s"[..]), services.as_bytes().into(), empty, name(replacement));
    Record::from_rdata(name(of), 60, RData::NAPTR(naptr))
}
