//! A PostgreSQL of a test's own, which it may stop, start and break.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::port::free_port;

/// A cluster, stopped and removed at the end.
pub struct Cluster {
    pub port: u16,
    bin: PathBuf,
    home: TempDir,
}

fn program_folder() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.filter_map(|one| Some(one.ok()?.path().join("bin"))).collect();
    found.sort();
    found.pop()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|facts| std::os::unix::fs::MetadataExt::uid(&facts) == 0)
}

/// Runs quietly; as root, as user postgres: PostgreSQL refuses root.
fn run(program: &Path, arguments: &[&str]) {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    let done = command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(done.unwrap().success(), "{} {arguments:?}", program.display());
}

/// A folder that the server's user may write to.
fn home() -> TempDir {
    let home = tempfile::Builder::new().prefix("walbridge-pg-").tempdir().unwrap();
    if is_root() {
        assert!(
            Command::new("chown")
                .arg("postgres")
                .arg(home.path())
                .status()
                .unwrap()
                .success()
        );
    }
    home
}

impl Cluster {
    /// Starts one with these lines in `postgresql.conf`, and this `pg_hba.conf` unless it is empty; none: skipped, with a
    /// line that says so.
    pub fn new(conf: &str, hba: &str) -> Option<Self> {
        if std::env::var("WALBRIDGE_TEST_PG").is_err() {
            eprintln!("skipped: WALBRIDGE_TEST_PG is not set");
            return None;
        }
        let Some(bin) = program_folder() else {
            panic!("no PostgreSQL is installed below /usr/lib/postgresql");
        };
        let out = Self {
            port: free_port(),
            bin,
            home: home(),
        };
        let port = out.port;
        let data = out.data();
        run(
            &out.bin.join("initdb"),
            &[
                "-D",
                &data,
                "-A",
                "trust",
                "-U",
                "postgres",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ],
        );
        let place = out.home.path().display();
        let lines = format!(
            "wal_level=logical\nfsync=off\nport={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{place}'\n{conf}\n"
        );
        let file = format!("{data}/postgresql.conf");
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + &lines).unwrap();
        if !hba.is_empty() {
            std::fs::write(format!("{data}/pg_hba.conf"), hba).unwrap();
        }
        out.start();
        Some(out)
    }

    /// Makes an authority and a certificate for `localhost`, and turns TLS on; gives the authority's.
    pub fn certify(&self) -> PathBuf {
        self.shell(
            "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=authority -keyout ca.key -out ca.pem \
             && openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr \
             && printf 'subjectAltName=DNS:localhost' > san && openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key \
             -CAcreateserial -days 30 -out server.crt -extfile san && chmod 600 server.key && chmod 644 ca.pem",
        );
        self.set("ssl=on");
        self.stop("fast");
        self.start();
        let authority = self.home.path().join("authority.pem");
        std::fs::copy(format!("{}/ca.pem", self.data()), &authority).unwrap();
        authority
    }

    /// Runs a script as the server's user, among its files.
    pub fn shell(&self, script: &str) {
        let script = format!("cd \"$0\" && {{ {script}\n}}");
        run(Path::new("/bin/sh"), &["-ec", &script, &self.data()]);
    }

    /// Adds lines to `postgresql.conf`; they count after a [`Cluster::reload`] or a start.
    pub fn set(&self, lines: &str) {
        let file = format!("{}/postgresql.conf", self.data());
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + lines + "\n").unwrap();
    }

    /// A copy of it, which stays a standby that hears nothing; `pg_hba.conf` must let it be made by the Unix socket.
    pub fn standby(&self) -> Self {
        let out = Self {
            port: free_port(),
            bin: self.bin.clone(),
            home: home(),
        };
        let (socket, port, to) = (self.socket_directory(), self.port.to_string(), out.data());
        let socket = socket.display().to_string();
        run(
            &self.bin.join("pg_basebackup"),
            &["-D", &to, "-h", &socket, "-p", &port, "-U", "postgres", "-c", "fast"],
        );
        out.shell("touch standby.signal");
        out.set(&format!(
            "port={}\nunix_socket_directories='{}'",
            out.port,
            out.home.path().display()
        ));
        out.start();
        out
    }

    /// Lets the server read its files again.
    pub fn reload(&self) {
        run(&self.bin.join("pg_ctl"), &["-D", &self.data(), "reload"]);
    }

    /// Its files.
    pub fn data(&self) -> String {
        self.home.path().join("data").display().to_string()
    }

    /// Where its Unix socket is.
    pub fn socket_directory(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    pub fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub fn start(&self) {
        let log = self.home.path().join("log").display().to_string();
        run(
            &self.bin.join("pg_ctl"),
            &["-D", &self.data(), "-l", &log, "-w", "start"],
        );
    }

    /// `immediate` is a crash, `fast` an orderly stop; gives the time it took.
    pub fn stop(&self, mode: &str) -> Duration {
        let begun = Instant::now();
        run(
            &self.bin.join("pg_ctl"),
            &["-D", &self.data(), "-m", mode, "-w", "-t", "60", "stop"],
        );
        begun.elapsed()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.home.path().join("data/postmaster.pid").exists() {
            self.stop("immediate");
        }
    }
}
