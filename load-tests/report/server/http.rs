//! One GET over plain HTTP, from this machine only: metrics of a server under test need no more.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long the server may keep silent.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 16 << 20;

/// `http://127.0.0.1:8080/metrics`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    authority: String,
    path: String,
    socket: SocketAddr,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}{}", self.authority, self.path)
    }
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Address, String> {
        let wanted = "write it as http://127.0.0.1:8080/metrics";
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url} is not a plain HTTP URL: {wanted}"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/metrics" } else { path };
        if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(format!("the path of {url} has a space in it: {wanted}"));
        }
        let sockets =
            authority.to_socket_addrs().map_err(|fault| format!("{url} names no address: {fault}; {wanted}"))?;
        let Some(socket) = sockets.into_iter().find(|socket| socket.ip().is_loopback()) else {
            return Err(format!(
                "{url} is not on this machine: metrics are read from a loopback address only; {wanted}"
            ));
        };
        Ok(Address { authority: authority.to_owned(), path: path.to_owned(), socket })
    }

    /// The body of a 200.
    pub(super) fn get(&self) -> Result<String, String> {
        let failed = |fault: std::io::Error| format!("{self} could not be read: {fault}");
        let mut stream = TcpStream::connect_timeout(&self.socket, PATIENCE).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        // HTTP/1.0: the body comes whole, and the connection ends with it.
        let request = format!("GET {} HTTP/1.0\r\nHost: {}\r\nAccept: text/plain\r\n\r\n", self.path, self.authority);
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).map_err(failed)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{self} does not answer in HTTP"))?;
        let status_line = head.lines().next().unwrap_or_default();
        if status_line.split(' ').nth(1) != Some("200") {
            return Err(format!("{self} answers {status_line}, not 200"));
        }
        Ok(body.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_address_is_read_and_written_alike() {
        for url in ["http://127.0.0.1:8080/metrics", "http://[::1]:80/m?x=1", "http://127.8.0.1:1/"] {
            assert_eq!(Address::parse(url).unwrap().to_string(), url);
        }
        assert_eq!(Address::parse("http://127.0.0.1:8080").unwrap().to_string(), "http://127.0.0.1:8080/metrics");
    }

    #[test]
    fn faults_say_what_to_write_instead() {
        for (url, fault) in [
            ("https://127.0.0.1:1/", "https://127.0.0.1:1/ is not a plain HTTP URL: "),
            ("127.0.0.1:8080/metrics", "127.0.0.1:8080/metrics is not a plain HTTP URL: "),
            ("http://127.0.0.1/metrics", "http://127.0.0.1/metrics names no address: "),
            ("http://192.0.2.1:80/", "http://192.0.2.1:80/ is not on this machine: "),
            ("http://127.0.0.1:1/a b", "the path of http://127.0.0.1:1/a b has a space in it: "),
        ] {
            let found = Address::parse(url).unwrap_err();
            assert!(
                found.starts_with(fault) && found.ends_with("write it as http://127.0.0.1:8080/metrics"),
                "{found}"
            );
        }
    }

    #[test]
    fn the_body_of_a_200_is_read() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n").1, Ok("a 1\n".to_owned()));
    }

    #[test]
    fn other_answers_are_told() {
        for (answer, fault) in [
            ("HTTP/1.1 404 Not Found\r\n\r\n", "answers HTTP/1.1 404 Not Found, not 200"),
            ("SSH-2.0-x\r\n", "does not answer in HTTP"),
            ("", "does not answer in HTTP"),
        ] {
            let (url, found) = answered(answer);
            assert_eq!(found, Err(format!("{url} {fault}")));
        }
    }

    #[test]
    fn nobody_there_is_told() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let fault = Address::parse(&format!("http://127.0.0.1:{port}/metrics")).unwrap().get().unwrap_err();
        assert!(fault.contains("could not be read"), "{fault}");
    }

    fn answered(answer: &'static str) -> (String, Result<String, String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let found = Address::parse(&url).unwrap().get();
        server.join().unwrap();
        (url, found)
    }
}
