//! Networks that are half broken: a name with an address that swallows what is
//! sent to it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use crate::preload::library;
use crate::support::{Setup, World};

/// A port of IPv6 that takes up nothing: its queue is full for as long as what
/// comes back is kept. None on a machine without IPv6, which refuses at once.
async fn black_hole(port: u16) -> Option<(tokio::net::TcpListener, Vec<TcpStream>)> {
    let address: SocketAddr = format!("[::1]:{port}").parse().unwrap();
    let socket = TcpSocket::new_v6().ok()?;
    socket.bind(address).ok()?;
    let listener = socket.listen(1).ok()?;
    let mut queue = Vec::new();
    while let Ok(Ok(waiting)) =
        tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await
    {
        queue.push(waiting);
    }
    Some((listener, queue))
}

#[test]
fn an_address_of_ipv6_that_swallows_everything_does_not_hold_up_the_other_one() {
    let world = World::new(Setup::default());
    let path = world.path("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("127.0.0.1", "localhost")).unwrap();
    let port = world.sandbox.origin().rsplit_once(':').unwrap().1.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _hole = runtime.block_on(black_hole(port));
    let mut command = world.command(&["sync", "ingress"]);
    let output = command.env("LD_PRELOAD", library("twofold")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    world.equal();
}
