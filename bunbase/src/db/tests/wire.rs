//! What is said between a pool and its server, counted on the way.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

/// Passes connections on to a Postgres server and counts the round trips: the messages that the server answers with "ready".
pub(super) struct Wire {
    address: SocketAddr,
    round_trips: Arc<AtomicU32>,
    connections: Arc<AtomicU32>,
    passing: tokio::task::JoinHandle<()>,
}

impl Wire {
    /// Stands before the server of an URL.
    pub(super) async fn before(url: &str) -> Self {
        Self::far_before(url, Duration::ZERO).await
    }

    /// Likewise, and makes the way there as long as that for each round trip.
    pub(super) async fn far_before(url: &str, way: Duration) -> Self {
        let url = url::Url::parse(url).unwrap();
        let server = (url.host_str().unwrap_or("127.0.0.1").to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (round_trips, connections) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let passing = tokio::spawn({
            let (round_trips, connections) = (round_trips.clone(), connections.clone());
            async move {
                let mut all = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (server, round_trips) = (server.clone(), round_trips.clone());
                    all.spawn(async move { pass(client, server, round_trips, way).await });
                }
            }
        });
        Self { address, round_trips, connections, passing }
    }

    /// Returns an URL that leads through it, unencrypted.
    pub(super) fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_ip_host(self.address.ip()).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.query_pairs_mut().append_pair("sslmode", "disable");
        url.to_string()
    }

    /// Returns how many round trips there were since it was asked last, those of opening connections included.
    pub(super) fn round_trips(&self) -> u32 {
        self.round_trips.swap(0, Ordering::SeqCst)
    }

    /// Returns how many connections there have been.
    pub(super) fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

async fn pass(client: TcpStream, server: (String, u16), round_trips: Arc<AtomicU32>, way: Duration) {
    let server = TcpStream::connect(server).await.unwrap();
    // A small message must not wait for the next.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async { tokio::io::copy(&mut from_server, &mut to_client).await };
    let questions = questions(&mut from_client, &mut to_server, &round_trips, way);
    tokio::select! {
        _ = answers => {}
        _ = questions => {}
    }
}

async fn questions(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    round_trips: &AtomicU32,
    way: Duration,
) -> std::io::Result<std::convert::Infallible> {
    // The first message has no kind before its length.
    forward(from, to, None).await?;
    loop {
        let kind = from.read_u8().await?;
        // Sync and Query: Postgres documentation, "Message Formats".
        if matches!(kind, b'S' | b'Q') {
            round_trips.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(way).await;
        }
        forward(from, to, Some(kind)).await?;
    }
}

async fn forward(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, kind: Option<u8>) -> std::io::Result<()> {
    let length = from.read_u32().await?;
    let mut message: Vec<u8> = kind.into_iter().chain(length.to_be_bytes()).collect();
    let head = message.len();
    message.resize(head + length as usize - 4, 0);
    from.read_exact(&mut message[head..]).await?;
    to.write_all(&message).await
}
