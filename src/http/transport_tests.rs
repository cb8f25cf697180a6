//! Servers that do not end: a byte now and then, headers and more headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A server that says `head` and then `piece` again and again, with a pause
/// before each, until nobody listens. Its address, and the bytes it got rid of.
async fn endless(head: &'static str, piece: String, pause: Duration) -> (Url, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    drop(tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            pour(socket, head, &piece, pause, &counted).await;
        }
    }));
    (url, sent)
}

async fn pour(mut socket: TcpStream, head: &str, piece: &str, pause: Duration, sent: &AtomicU64) {
    let mut some = [0; 4096];
    let _ = socket.read(&mut some).await;
    let _ = socket.write_all(head.as_bytes()).await;
    while socket.write_all(piece.as_bytes()).await.is_ok() {
        sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        tokio::time::sleep(pause).await;
    }
}

async fn asked(url: Url, timeout: Duration) -> Result<Answer, Broken> {
    let attempt = Attempt {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: None,
        timeout,
        body_cap: BODY_CAP,
    };
    let network = Transport::network(true).unwrap();
    network.exchange(attempt, &Clock::seeded(1)).await
}

#[tokio::test]
async fn a_byte_now_and_then_is_ended_by_the_limit_of_the_exchange() {
    // Never silent for as long as the limit of silence, and never done.
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\nX-Slow: ";
    for (head, within) in [(body, "a body"), (head, "a head")] {
        let (url, sent) = endless(head, "x".to_owned(), Duration::from_millis(20)).await;
        let broken = asked(url, Duration::from_secs(2)).await.unwrap_err();
        assert!(matches!(broken, Broken::TimedOut(_)), "{within}: {broken:?}");
        assert!(sent.load(Ordering::Relaxed) > 0, "{within}: nothing came");
    }
}

#[tokio::test]
async fn headers_without_end_are_given_up_and_not_kept() {
    let line = |name: &str, length| format!("{name}: {}\r\n", "x".repeat(length));
    for (name, piece) in [
        ("many", line("Set-Cookie", 20)),
        ("long", line("X-Long", 100_000)),
        ("one", "x".repeat(10_000)),
    ] {
        let (url, sent) = endless("HTTP/1.1 200 OK\r\nX-A: ", piece, Duration::ZERO).await;
        let broken = asked(url, TOTAL).await.unwrap_err();
        assert!(!matches!(broken, Broken::NotSent(_) | Broken::TimedOut(_)), "{name}: {broken:?}");
        // What is on its way inside the machine counts as well.
        let taken = sent.load(Ordering::Relaxed);
        assert!(taken < 16 << 20, "{name}: {taken} bytes");
    }
}

#[tokio::test]
async fn an_answer_with_more_headers_than_allowed_is_refused() {
    let headers = |count: usize| {
        let mut answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_owned();
        (0..count).for_each(|at| answer.push_str(&format!("X-{at}: y\r\n")));
        answer + "\r\n"
    };
    for (count, fits) in [(90, true), (250, false), (100_000, false)] {
        let (url, _) = endless("", headers(count), Duration::from_hours(1)).await;
        let answer = asked(url, TOTAL).await;
        assert_eq!(answer.is_ok(), fits, "{count}: {answer:?}");
    }
}

#[tokio::test]
async fn an_answer_of_which_only_the_first_packet_comes_is_given_up() {
    // What larger packets meet that nobody may take apart, and nobody says so.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let (url, sent) = endless(head, "x".repeat(1_200), Duration::from_hours(1)).await;
    let broken = asked(url, Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(broken, Broken::TimedOut(_)), "{broken:?}");
    assert_eq!(sent.load(Ordering::Relaxed), 1_200);
}
