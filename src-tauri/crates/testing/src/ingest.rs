//! A real RTMP server: nginx with its rtmp module, in a folder of its own.

use crate::ports;
use crate::slow_link::SlowLink;
use anyhow::{Context as _, bail, ensure};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where Debian and others put the module.
const MODULES: [&str; 3] = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/lib/x86_64-linux-gnu/nginx/modules"];
const START_LIMIT: Duration = Duration::from_secs(10);

/// The server. It is killed when dropped, and its folder removed.
#[derive(Debug)]
pub struct Ingest {
    folder: TempDir,
    process: Option<Child>,
    host: Ipv4Addr,
    rtmp: u16,
    http: u16,
    /// Wraps the start of the server, where it runs on another host.
    elsewhere: Option<Vec<String>>,
}

impl Ingest {
    /// Starts it with the application `live`, recording everything that is published.
    ///
    /// # Errors
    /// nginx or its module is missing, or it does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST, None)
    }

    /// The same on the far host of a slow link.
    ///
    /// # Errors
    /// As [`Ingest::start`].
    pub fn start_behind(link: &SlowLink) -> anyhow::Result<Self> {
        let command = link.command("nginx");
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        Self::start_at(link.far(), Some(words.map(|w| w.to_string_lossy().into_owned()).collect()))
    }

    fn start_at(host: Ipv4Addr, elsewhere: Option<Vec<String>>) -> anyhow::Result<Self> {
        let [rtmp, http] = ports::free_ports();
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("recordings"))?;
        let module = MODULES.iter().map(|m| Path::new(m).join("ngx_rtmp_module.so")).find(|m| m.exists());
        let load = module.map(|m| format!("load_module {};", m.display())).unwrap_or_default();
        let here = folder.path().display();
        // One process in the foreground: it is the one that is killed, and it writes as the user who runs the test.
        let config = format!(
            "{load}\ndaemon off; master_process off; worker_processes 1; pid {here}/pid; error_log {here}/error.log info;\n\
             events {{ worker_connections 256; }}\n\
             rtmp {{ access_log off; server {{ listen {host}:{rtmp}; chunk_size 4096; ping 30s;\n\
               application live {{ live on; record all; record_path {here}/recordings; record_unique on; record_suffix .flv; }} }} }}\n\
             http {{ access_log off; client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;\n\
               uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;\n\
               server {{ listen {host}:{http}; location /stat {{ rtmp_stat all; }} }} }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), config)?;
        let mut ingest = Self { folder, process: None, host, rtmp, http, elsewhere };
        ingest.restart()?;
        Ok(ingest)
    }

    /// Starts it again after [`Ingest::kill`], at the same address.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        let here = self.folder.path();
        let words = self.elsewhere.clone().unwrap_or_else(|| vec!["nginx".to_owned()]);
        let mut nginx = Command::new(&words[0]);
        nginx.args(&words[1..]);
        // Debian has it outside of an ordinary user's path.
        if let Some(path) = std::env::var_os("PATH") {
            let all = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
            nginx.env("PATH", std::env::join_paths(all)?);
        }
        nginx.arg("-p").arg(here).arg("-c").arg(here.join("nginx.conf")).arg("-e").arg(here.join("error.log"));
        nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(nginx.spawn().context("nginx does not start: is it installed?")?);
        let begun = Instant::now();
        while TcpStream::connect(self.address()).is_err() {
            let ended = self.process.as_mut().is_some_and(|p| matches!(p.try_wait(), Ok(Some(_))));
            if ended || begun.elapsed() > START_LIMIT {
                bail!("nginx does not listen: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((self.host, self.rtmp))
    }

    /// `rtmp://HOST:PORT/live`: what goes into `--to`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("rtmp://{}:{}/live", self.host, self.rtmp)
    }

    /// The same application through another address, for example the fault proxy's.
    #[must_use]
    pub fn url_at(address: SocketAddr) -> String {
        format!("rtmp://{address}/live")
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    /// The files recorded under this stream key so far, oldest first. Empty ones (refused publishers) are left out.
    #[must_use]
    pub fn recordings(&self, key: &str) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.folder.path().join("recordings"));
        let names = folder.into_iter().flatten().flatten().map(|e| e.path());
        let mine = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&format!("{key}-")));
        let mut found: Vec<PathBuf> = names.filter(mine).filter(|p| p.metadata().is_ok_and(|m| m.len() > 0)).collect();
        found.sort();
        found
    }

    /// The only recording under this key.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn recording(&self, key: &str) -> anyhow::Result<PathBuf> {
        let mut found = self.recordings(key);
        ensure!(found.len() == 1, "{} recordings of {key}: {}", found.len(), self.log());
        found.pop().context("one recording")
    }

    /// Media bytes of this key that reached the server and stand in its recordings.
    #[must_use]
    pub fn received(&self, key: &str) -> u64 {
        self.recordings(key).iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum()
    }

    /// Waits until more than `bytes` of this key have arrived.
    ///
    /// # Errors
    /// The limit is over.
    pub fn wait_received(&self, key: &str, bytes: u64, limit: Duration) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        while self.received(key) <= bytes {
            ensure!(begun.elapsed() < limit, "only {} bytes of {key} after {limit:?}: {}", self.received(key), self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(begun.elapsed())
    }

    /// Is somebody publishing under this key now?
    #[must_use]
    pub fn is_publishing(&self, key: &str) -> bool {
        let Ok(answer) = crate::http::get(&format!("http://{}:{}/stat", self.host, self.http)) else { return false };
        let text = answer.text();
        text.split("<stream>").skip(1).any(|s| s.contains(&format!("<name>{key}</name>")) && s.contains("<publishing/>"))
    }

    /// Waits until somebody is, or is no more.
    ///
    /// # Errors
    /// The limit is over.
    pub fn wait_publishing(&self, key: &str, wanted: bool, limit: Duration) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        while self.is_publishing(key) != wanted {
            ensure!(begun.elapsed() < limit, "publishing of {key} is not {wanted} after {limit:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(begun.elapsed())
    }

    /// Somebody else who holds this key: a later publisher is refused (`NetStream.Publish.BadName`). Ends when dropped.
    ///
    /// # Errors
    /// ffmpeg is missing, or is refused itself.
    pub fn occupy(&self, key: &str) -> anyhow::Result<Occupant> {
        let url = format!("{}/{key}", self.url());
        let occupant = Occupant(publisher("color=s=64x64:r=5", &url).spawn().context("ffmpeg does not start")?);
        self.wait_publishing(key, true, START_LIMIT)?;
        Ok(occupant)
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A publisher that holds a key.
#[derive(Debug)]
pub struct Occupant(pub(crate) Child);

impl Drop for Occupant {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// ffmpeg, publishing in real time what its filters draw, until it is ended.
pub(crate) fn publisher(picture: &str, url: &str) -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", picture]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-f", "flv", url]).stdin(Stdio::null()).stderr(Stdio::null());
    ffmpeg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{self, Made};
    use crate::clip::Clip;

    fn push(clip: &Path, url: &str) -> Command {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-hide_banner", "-loglevel", "error", "-re", "-i"]).arg(clip).args(["-c", "copy", "-f", "flv", url]);
        ffmpeg.stdin(Stdio::null()).stderr(Stdio::null());
        ffmpeg
    }

    #[test]
    fn what_is_pushed_is_recorded_and_a_taken_key_is_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let clip = folder.path().join("clip.mp4");
        Clip::new(160, 120, 30, 4).write(&clip)?;
        let mut ingest = Ingest::start()?;
        let url = format!("{}/k", ingest.url());
        let mut first = push(&clip, &url).spawn()?;
        ingest.wait_publishing("k", true, Duration::from_secs(10))?;
        // Recordings are named by the second: a refused publisher within the same one would empty the file.
        std::thread::sleep(Duration::from_millis(1100));
        assert!(!push(&clip, &url).status()?.success(), "the name is taken");
        assert!(first.wait()?.success());
        ingest.wait_publishing("k", false, Duration::from_secs(10))?;
        let found = analysis::read(&ingest.recording("k")?, Made { size: None, loops_after: None })?;
        assert_eq!((found.frames, found.missing, found.repeated), (120, 0, 0), "{found}");
        assert!(found.worst_ms() < 5.0, "{found}");

        // A server that dies takes its publisher along, and comes back at the same address.
        let mut second = push(&clip, &format!("{}/m", ingest.url())).spawn()?;
        ingest.wait_received("m", 1000, Duration::from_secs(10))?;
        ingest.kill();
        assert!(!second.wait()?.success());
        assert!(!ingest.is_publishing("m"));
        ingest.restart()?;
        let occupant = ingest.occupy("m")?;
        drop(occupant);
        ingest.wait_publishing("m", false, Duration::from_secs(10))?;
        Ok(())
    }
}
