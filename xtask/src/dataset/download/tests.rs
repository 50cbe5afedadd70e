//! Downloads from a server of our own that misbehaves in known ways.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::*;

/// What the server does with one request.
#[derive(Debug, Clone)]
struct Turn {
    /// Status other than 200 or 206.
    status: Option<u16>,
    /// Bytes of the body after which it hangs up.
    cut: Option<usize>,
    /// Whether it knows Range.
    ranges: bool,
    /// Version tag of its content.
    tag: Option<&'static str>,
    /// Sends no Content-Length.
    nameless_length: bool,
    content: Vec<u8>,
}

impl Turn {
    fn of(content: &[u8]) -> Self {
        Self { status: None, cut: None, ranges: true, tag: None, nameless_length: false, content: content.to_vec() }
    }
}

/// Serves one turn after another and remembers what was asked: a line for the Range, and one for If-Range.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(turns: Vec<Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/set.bin", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let thread = std::thread::spawn(move || {
            let mut turns: VecDeque<Turn> = turns.into();
            while let Some(turn) = turns.pop_front() {
                let (stream, _) = listener.accept().unwrap();
                answer(&stream, &turn, &log);
            }
        });
        Self { address, asked, thread }
    }

    fn source(&self, bytes: Option<u64>, digest: Option<Digest>) -> Source {
        Source { url: self.address.clone(), bytes, digest }
    }

    /// What was asked for, once all turns were taken.
    fn asked(self) -> Vec<String> {
        self.thread.join().unwrap();
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: &TcpStream, turn: &Turn, log: &Mutex<Vec<String>>) {
    let mut range = None;
    let mut if_range = None;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(first) = line.strip_prefix("range: bytes=") {
            range = Some(first.trim_end_matches('-').parse::<usize>().unwrap());
        }
        if let Some(tag) = line.strip_prefix("if-range: ") {
            if_range = Some(tag.to_owned());
        }
    }
    let tag_note = if_range.as_ref().map_or_else(String::new, |tag| format!(" if {tag}"));
    log.lock().unwrap().push(range.map_or_else(|| "all".to_owned(), |first| format!("from {first}{tag_note}")));
    let total = turn.content.len();
    let same = if_range.is_none_or(|tag| turn.tag.is_some_and(|ours| ours.to_ascii_lowercase() == tag));
    let start = range.filter(|_| turn.ranges && same);
    let (status, extra, body) = match (turn.status, start) {
        (Some(status), _) => (status, String::new(), &b"sorry"[..]),
        (None, Some(first)) if first >= total => (416, format!("Content-Range: bytes */{total}\r\n"), &b""[..]),
        (None, Some(first)) => (206, format!("Content-Range: bytes {first}-{}/{total}\r\n", total - 1), &turn.content[first..]),
        (None, None) => (200, String::new(), &turn.content[..]),
    };
    let tag = turn.tag.map_or_else(String::new, |tag| format!("ETag: {tag}\r\n"));
    let length = if turn.nameless_length { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {status} X\r\n{length}{extra}{tag}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // The other side may hang up first; then there is nobody left to tell.
    let _gone = stream.write_all(&body[..turn.cut.unwrap_or(body.len()).min(body.len())]);
}

/// Bytes that are not the same twice, more than one read's worth.
fn content() -> Vec<u8> {
    (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn digest_of(content: &[u8]) -> Digest {
    Digest::Blake3(*blake3::hash(content).as_bytes())
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn target(&self) -> PathBuf {
        self.0.path().join("sets/set.bin")
    }
    fn part(&self) -> PathBuf {
        self.0.path().join("sets/set.bin.part")
    }
    fn get(&self, source: &Source) -> Result<Arrived> {
        let patience = Patience { attempts: 3, pause: Duration::from_millis(1), silence: Duration::from_secs(5) };
        download(source, &self.target(), &patience, &mut |_, _| ())
    }
    /// Nothing but the target is left.
    fn assert_holds(&self, content: &[u8]) {
        assert!(std::fs::read(self.target()).unwrap() == content, "another content");
        assert_eq!(std::fs::read_dir(self.target().parent().unwrap()).unwrap().count(), 1);
    }
}

#[test]
fn a_whole_file_arrives_and_tells_its_progress() {
    let content = content();
    let server = Server::start(vec![Turn::of(&content)]);
    let place = Place::new();
    let mut told = Vec::new();
    let source = server.source(Some(content.len() as u64), Some(digest_of(&content)));
    let arrived = download(&source, &place.target(), &Patience::default(), &mut |done, total| told.push((done, total))).unwrap();
    assert_eq!(arrived, Arrived { bytes: 200_000, digest: digest_of(&content) });
    assert_eq!(told.last(), Some(&(200_000, Some(200_000))));
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0));
    place.assert_holds(&content);
    assert_eq!(server.asked(), ["all"]);
    // The server is gone: what is there already is not asked for again.
    assert_eq!(place.get(&source).unwrap(), arrived);
}

#[test]
fn a_cut_connection_is_resumed_where_it_ended() {
    let content = content();
    let cut = |at| Turn { cut: Some(at), tag: Some("\"v1\""), ..Turn::of(&content) };
    let server = Server::start(vec![cut(70_000), cut(50_000), Turn { tag: Some("\"v1\""), ..Turn::of(&content) }]);
    let place = Place::new();
    place.get(&server.source(None, Some(digest_of(&content)))).unwrap();
    place.assert_holds(&content);
    assert_eq!(server.asked(), ["all", "from 70000 if \"v1\"", "from 120000 if \"v1\""]);
}

#[test]
fn a_later_call_goes_on_from_the_part() {
    let content = content();
    let cut = Turn { cut: Some(90_000), ..Turn::of(&content) };
    let refuse = Turn { status: Some(503), ..Turn::of(&content) };
    let server = Server::start(vec![cut, refuse.clone(), refuse.clone(), refuse, Turn::of(&content)]);
    let place = Place::new();
    let source = server.source(Some(content.len() as u64), None);
    let error = format!("{:#}", place.get(&source).unwrap_err());
    assert!(error.contains("3 attempts brought nothing new; 90000 bytes are kept") && error.contains("503"), "{error}");
    assert!(!place.target().exists());
    let arrived = place.get(&source).unwrap();
    assert_eq!(arrived.bytes, 200_000);
    assert!(matches!(arrived.digest, Digest::Sha256(_)));
    place.assert_holds(&content);
    assert_eq!(server.asked(), ["all", "from 90000", "from 90000", "from 90000", "from 90000"]);
}

#[test]
fn a_server_without_range_starts_over() {
    let content = content();
    let turn = |cut| Turn { cut, ranges: false, ..Turn::of(&content) };
    let server = Server::start(vec![turn(Some(150_000)), turn(Some(10_000)), turn(None)]);
    let place = Place::new();
    place.get(&server.source(None, Some(digest_of(&content)))).unwrap();
    place.assert_holds(&content);
    assert_eq!(server.asked(), ["all", "from 150000", "from 10000"]);
}

#[test]
fn a_file_that_changed_meanwhile_starts_over() {
    let old = vec![1; 100_000];
    let new = content();
    let first = Turn { cut: Some(60_000), tag: Some("\"old\""), ..Turn::of(&old) };
    let server = Server::start(vec![first, Turn { tag: Some("\"new\""), ..Turn::of(&new) }]);
    let place = Place::new();
    place.get(&server.source(None, None)).unwrap();
    place.assert_holds(&new);
    assert_eq!(server.asked(), ["all", "from 60000 if \"old\""]);
}

#[test]
fn a_stale_part_without_a_tag_is_found_by_the_digest() {
    let content = content();
    let server = Server::start(vec![Turn::of(&content), Turn::of(&content)]);
    let place = Place::new();
    std::fs::create_dir_all(place.part().parent().unwrap()).unwrap();
    std::fs::write(place.part(), vec![9; 1000]).unwrap();
    place.get(&server.source(None, Some(digest_of(&content)))).unwrap();
    place.assert_holds(&content);
    assert_eq!(server.asked(), ["from 1000", "all"]);
}

#[test]
fn a_wrong_digest_keeps_nothing() {
    let content = content();
    let server = Server::start(vec![Turn::of(&content)]);
    let place = Place::new();
    let error = place.get(&server.source(None, Some(Digest::Sha256([7; 32])))).unwrap_err().to_string();
    assert!(error.contains("instead of sha256:0707"), "{error}");
    assert!(!place.target().exists() && !place.part().exists());
    assert_eq!(server.asked(), ["all"]);
}

#[test]
fn a_wrong_size_is_refused_before_it_is_downloaded() {
    let content = content();
    let server = Server::start(vec![Turn::of(&content)]);
    let place = Place::new();
    let error = place.get(&server.source(Some(5), None)).unwrap_err().to_string();
    assert!(error.contains("200000 bytes, the catalogue says 5"), "{error}");
    assert!(!place.target().exists() && !place.part().exists());
    assert_eq!(server.asked(), ["all"]);
}

#[test]
fn a_body_without_length_that_does_not_end_is_stopped() {
    let content = content();
    let server = Server::start(vec![Turn { nameless_length: true, ..Turn::of(&content) }]);
    let place = Place::new();
    let error = place.get(&server.source(Some(1000), None)).unwrap_err().to_string();
    assert!(error.contains("more than the 1000 bytes"), "{error}");
    assert!(!place.target().exists() && !place.part().exists());
}

#[test]
fn not_found_is_said_at_once() {
    let server = Server::start(vec![Turn { status: Some(404), ..Turn::of(b"") }]);
    let place = Place::new();
    let error = place.get(&server.source(None, None)).unwrap_err().to_string();
    assert!(error.contains("answers 404") && error.contains("/set.bin"), "{error}");
    assert!(!place.target().exists());
    assert_eq!(server.asked(), ["all"]);
}

#[test]
fn a_whole_part_needs_no_more_bytes() {
    let content = content();
    let server = Server::start(vec![Turn::of(&content)]);
    let place = Place::new();
    std::fs::create_dir_all(place.part().parent().unwrap()).unwrap();
    std::fs::write(place.part(), &content).unwrap();
    place.get(&server.source(None, Some(digest_of(&content)))).unwrap();
    place.assert_holds(&content);
    assert_eq!(server.asked(), ["from 200000"]);
}

#[test]
fn a_target_of_another_digest_is_fetched_again() {
    let content = content();
    let server = Server::start(vec![Turn::of(&content)]);
    let place = Place::new();
    std::fs::create_dir_all(place.target().parent().unwrap()).unwrap();
    std::fs::write(place.target(), "old").unwrap();
    place.get(&server.source(None, Some(digest_of(&content)))).unwrap();
    place.assert_holds(&content);
    assert_eq!(server.asked(), ["all"]);
}

#[test]
fn nobody_there_is_an_error_with_a_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/set.bin", listener.local_addr().unwrap());
    drop(listener);
    let error = format!("{:#}", Place::new().get(&Source { url, bytes: None, digest: None }).unwrap_err());
    assert!(error.contains("3 attempts brought nothing new"), "{error}");
}

#[test]
fn https_is_spoken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/set.bin", listener.local_addr().unwrap());
    let first = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 2];
        stream.read_exact(&mut head).unwrap();
        head
    });
    let agent = agent(&Patience::default());
    assert!(agent.get(&url).call().is_err());
    // The record of a TLS handshake begins with 22, 3.
    assert_eq!(first.join().unwrap(), [22, 3]);
}

#[test]
fn content_ranges_are_read() {
    assert_eq!(parse_content_range("bytes 5-9/10"), Some((Some(5), Some(10))));
    assert_eq!(parse_content_range("bytes 5-9/*"), Some((Some(5), None)));
    assert_eq!(parse_content_range("bytes */10"), Some((None, Some(10))));
    assert_eq!(parse_content_range("items 5-9/10"), None);
    assert_eq!(parse_content_range("bytes 5/10"), None);
}
