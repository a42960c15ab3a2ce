//! The node's side of the control socket.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::line::{self, MAX_REQUEST_BYTES};
use super::{Event, Request};
use crate::bans::BanOffice;
use crate::capture::Captures;
use crate::data_directory::control_socket;
use crate::publication::Publication;

/// Commands at once; further ones wait.
const MAX_COMMANDS: usize = 8;

/// How long a command may take to say what it wants, and to take what it is told.
const STALL: Duration = Duration::from_secs(30);

/// Events that wait to be written.
const EVENTS: usize = 64;

/// What commands are done by.
#[derive(Clone)]
pub(crate) struct Commands {
    pub(crate) publication: Arc<Publication>,
    pub(crate) captures: Arc<Captures>,
    pub(crate) bans: Arc<BanOffice>,
}

/// The control socket; its file goes with it.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl ControlSocket {
    /// Binds the socket in a data directory that this process has locked: a socket that is there is left over.
    ///
    /// # Errors
    /// When it can't be made.
    pub(crate) fn bind(data_dir: &Path) -> io::Result<Self> {
        let path = control_socket(data_dir);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let short = ShortPath::new(data_dir)?;
        let listener = UnixListener::bind(short.socket())?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Takes commands until it is dropped.
    pub(crate) async fn serve(self, commands: Commands) {
        let places = Arc::new(Semaphore::new(MAX_COMMANDS));
        loop {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let commands = commands.clone();
                    tokio::spawn(async move {
                        let _place = place;
                        if let Err(error) = answer(stream, &commands).await {
                            tracing::debug!(%error, "a command broke off");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a command was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Connects to the socket of a data directory.
pub(super) async fn connect(data_dir: &Path) -> io::Result<UnixStream> {
    // The file's absence tells more than what a path through /proc would.
    fs::symlink_metadata(control_socket(data_dir))?;
    let short = ShortPath::new(data_dir)?;
    UnixStream::connect(short.socket()).await
}

/// A socket's address holds 107 bytes, and data directories lie deeper than that: it is named by way of the opened
/// directory.
struct ShortPath {
    directory: File,
}

impl ShortPath {
    fn new(data_dir: &Path) -> io::Result<Self> {
        let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(data_dir)?;
        Ok(Self { directory })
    }

    fn socket(&self) -> PathBuf {
        control_socket(Path::new(&format!("/proc/self/fd/{}", self.directory.as_raw_fd())))
    }
}

async fn answer(stream: UnixStream, commands: &Commands) -> io::Result<()> {
    // The file's mode keeps others out; between the making of the socket and its mode this does.
    let peer = stream.peer_cred()?.uid();
    // SAFETY: it takes no argument and always succeeds.
    let own = unsafe { libc::geteuid() };
    let (from, mut to) = stream.into_split();
    if peer != own && peer != 0 {
        return line::write(&mut to, &Event::Failed { message: "this socket is its owner's alone".to_owned() }).await;
    }
    let mut from = BufReader::new(from);
    let request = match timeout(STALL, line::read::<Request>(&mut from, MAX_REQUEST_BYTES)).await? {
        Ok(Some(request)) => request,
        Ok(None) => return Ok(()),
        Err(error) => {
            let message = format!(
                "this node (ringway {}) does not understand the command: {error}; use the program that is running",
                env!("CARGO_PKG_VERSION")
            );
            return line::write(&mut to, &Event::Failed { message }).await;
        }
    };
    tracing::debug!(?request, "a command");
    let (events, mut told) = mpsc::channel::<Event>(EVENTS);
    let executing = async {
        let done = match request {
            Request::Capture(new) => commands.captures.run(new, peer, &mut from, &events).await,
            Request::Bans(request) => commands.bans.execute(request, &events).await,
            other => commands.publication.execute(other, &mut from, &events).await,
        };
        let last = match done {
            Ok(()) => Event::Done,
            Err(message) => Event::Failed { message },
        };
        let _ = events.send(last).await;
        drop(events);
    };
    let telling = async move {
        while let Some(event) = told.recv().await {
            // Somebody who does not listen must not hold the database: the receiver goes, and the command runs on.
            timeout(STALL, line::write(&mut to, &event)).await??;
        }
        to.shutdown().await
    };
    let (told, ()) = tokio::join!(telling, executing);
    told
}
