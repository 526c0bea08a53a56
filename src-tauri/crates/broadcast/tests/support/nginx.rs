use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A real nginx with its rtmp module on a free port of loopback (or inside a network namespace). Application `live`
/// records what it gets into one FLV for each publication; `guarded` asks an HTTP server first. Dies with the value.
pub struct Nginx {
    folder: tempfile::TempDir,
    address: SocketAddr,
    child: Option<Child>,
    inside: Option<String>,
}

impl Nginx {
    /// On loopback. `ask`: where `guarded` asks for permission.
    pub fn start(ask: Option<SocketAddr>) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::at(free, ask, None)
    }

    /// At `address` in the network namespace `inside`.
    pub fn at(address: SocketAddr, ask: Option<SocketAddr>, inside: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("flv")).unwrap();
        let root = rustix::process::geteuid().is_root();
        let ask = ask.map_or(String::new(), |a| format!("application guarded {{ live on; on_publish http://{a}/; }}"));
        let conf = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n{user}\ndaemon off; master_process off; worker_processes 1;\n\
             pid {dir}/pid; error_log {dir}/error.log info;\nevents {{ worker_connections 64; }}\n\
             rtmp {{ access_log {dir}/access.log; server {{ listen {address}; chunk_size 4096;\n\
             application live {{ live on; record all; record_path {dir}/flv; record_unique on; }} {ask} }} }}\n",
            user = if root { "user root;" } else { "" },
            dir = folder.path().display(),
        );
        fs::write(folder.path().join("nginx.conf"), conf).unwrap();
        let mut nginx = Self { folder, address, child: None, inside: inside.map(str::to_owned) };
        nginx.run();
        nginx
    }

    /// Starts it (again) and waits until it listens.
    pub fn run(&mut self) {
        let conf = self.folder.path().join("nginx.conf");
        let mut command = match &self.inside {
            Some(namespace) => {
                let mut c = Command::new("ip");
                c.args(["netns", "exec", namespace, "/usr/sbin/nginx"]);
                c
            }
            None => Command::new("/usr/sbin/nginx"),
        };
        command.arg("-p").arg(self.folder.path()).arg("-c").arg(conf).arg("-e").arg(self.folder.path().join("error.log"));
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
            assert!(Instant::now() < until, "nginx does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `rtmp://…/live/KEY` through `address`, which may be a proxy's.
    pub fn url(address: SocketAddr) -> String {
        format!("rtmp://{address}/live")
    }

    /// What was recorded so far, oldest first.
    pub fn recorded(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.folder.path().join("flv")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort_by_key(|f| fs::metadata(f).and_then(|m| m.created()).unwrap());
        files
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}
