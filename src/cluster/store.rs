//! Redis as the rest of this crate sees it: commands in, values out, whether it is one server, a cluster, or the master that
//! sentinels name.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, ServerError, Value};
use tokio::task::JoinSet;

use crate::address::{Address, Kind};

/// How long a connection may take to come about.
pub(crate) const CONNECT: Duration = Duration::from_secs(2);

/// How long Redis may take to answer. Beyond that it counts as gone, and what was asked is asked again later.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// Commands that are under way at once to a cluster, where each goes its own way.
const AT_ONCE: usize = 512;

/// A connection.
#[derive(Clone)]
pub(crate) enum Store {
    /// One server. By `client` there are further connections to it.
    Single {
        connection: MultiplexedConnection,
        client: Arc<Client>,
    },
    Cluster(Box<ClusterConnection>),
}

impl Store {
    /// Connects.
    pub(crate) async fn connect(address: &Address) -> Result<Self, RedisError> {
        match &address.kind {
            Kind::Single => {
                let server = address.servers.first().ok_or_else(nobody)?;
                Self::single(address.client(server)?).await
            }
            Kind::Sentinel { master } => {
                let mut last = None;
                for sentinel in &address.servers {
                    match tokio::time::timeout(CONNECT, Self::ask_sentinel(address, sentinel, master)).await {
                        Ok(Ok(client)) => return Self::single(client).await,
                        Ok(Err(error)) => last = Some(error),
                        Err(_) => {}
                    }
                }
                Err(last.unwrap_or_else(nobody))
            }
            Kind::Cluster => {
                let servers =
                    address.servers.iter().map(|server| address.info(server)).collect::<Result<Vec<_>, _>>()?;
                let mut builder = ClusterClientBuilder::new(servers)
                    .connection_timeout(CONNECT)
                    .response_timeout(ANSWER)
                    .overall_response_timeout(Some(ANSWER))
                    .retries(3);
                if let Some(certificates) = address.certificates() {
                    builder = builder.certs(certificates);
                }
                let connection = builder.build()?.get_async_connection().await?;
                Ok(Self::Cluster(Box::new(connection)))
            }
        }
    }

    async fn single(client: Client) -> Result<Self, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Self::Single { connection, client: Arc::new(client) })
    }

    /// Asks a sentinel who the master is.
    async fn ask_sentinel(address: &Address, sentinel: &str, master: &str) -> Result<Client, RedisError> {
        let Self::Single { mut connection, .. } = Self::single(address.client(sentinel)?).await? else {
            return Err(nobody());
        };
        let found: Option<(String, u16)> =
            redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(master).query_async(&mut connection).await?;
        let (host, port) = found.ok_or_else(|| {
            RedisError::from((
                redis::ErrorKind::InvalidClientConfig,
                "the sentinels know no such master",
                master.to_owned(),
            ))
        })?;
        address.client(&format!("{host}:{port}"))
    }

    /// Sends the commands and gives an answer to each, an error of the server's as a value. Fails when the server can't be
    /// reached or does not answer.
    pub(crate) async fn ask(&mut self, commands: Vec<Cmd>) -> Result<Vec<Value>, RedisError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Single { connection, .. } => {
                let mut pipeline = redis::Pipeline::with_capacity(commands.len());
                for command in commands {
                    pipeline.add_command(command);
                }
                pipeline.ignore_errors().query_async(connection).await
            }
            Self::Cluster(connection) => {
                let mut answers = vec![Value::Nil; commands.len()];
                let mut waiting = commands.into_iter().enumerate();
                let mut under_way = JoinSet::new();
                loop {
                    while under_way.len() < AT_ONCE
                        && let Some((at, command)) = waiting.next()
                    {
                        let mut connection = connection.clone();
                        under_way.spawn(async move { (at, command.query_async::<Value>(&mut *connection).await) });
                    }
                    match under_way.join_next().await {
                        None => return Ok(answers),
                        Some(Err(_)) => return Err(nobody()),
                        Some(Ok((at, answer))) => {
                            let answer = match answer {
                                Err(error) => Value::ServerError(ServerError::try_from(error)?),
                                Ok(answer) => answer,
                            };
                            if let Some(place) = answers.get_mut(at) {
                                *place = answer;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Sends one command to one server of a cluster.
    pub(crate) async fn ask_one(&mut self, command: Cmd, host: &str, port: u16) -> Result<Value, RedisError> {
        match self {
            Self::Single { connection, .. } => command.query_async(connection).await,
            Self::Cluster(connection) => {
                let to = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
                connection.route_command(command, RoutingInfo::SingleNode(to)).await
            }
        }
    }
}

fn nobody() -> RedisError {
    (redis::ErrorKind::Io, "nobody has answered").into()
}
