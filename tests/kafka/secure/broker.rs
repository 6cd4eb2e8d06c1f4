//! A broker as companies run it: TLS, logins of every kind, and an authorizer that denies what is not granted.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::port::free_port;

/// Makes keys and certificates: an authority and a stranger; the broker's, for `localhost`; clients by each of them.
const CERTIFICATES: &str = r"
new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
for name in ca stranger; do $new -x509 -days 30 -subj /CN=$name -keyout $name.key -out $name.pem; done
sign() {
    $new -subj /CN=$1 -keyout $1.key -out $1.csr
    printf 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\n' > extensions
    openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 30 -extfile extensions -out $1.pem
    cat $1.key $1.pem > $1.both.pem
}
sign broker ca; sign client ca; sign unknown stranger";

const PROPERTIES: &str = r#"process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:CONTROLLER_PORT
listeners=LOGIN://127.0.0.1:LOGIN_PORT,MUTUAL://127.0.0.1:MUTUAL_PORT,LOCAL://127.0.0.1:LOCAL_PORT,CONTROLLER://127.0.0.1:CONTROLLER_PORT
advertised.listeners=LOGIN://localhost:LOGIN_PORT,MUTUAL://localhost:MUTUAL_PORT,LOCAL://127.0.0.1:LOCAL_PORT
listener.security.protocol.map=LOGIN:SASL_SSL,MUTUAL:SSL,LOCAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=LOCAL
controller.listener.names=CONTROLLER
log.dirs=HOME/data
ssl.keystore.type=PEM
ssl.keystore.location=HOME/broker.both.pem
ssl.truststore.type=PEM
ssl.truststore.location=HOME/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_bridge="hunter2";
listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=4194304
"#;

/// The broker; it is ended and removed at the end.
pub(crate) struct Broker {
    pub(crate) login: u16,
    pub(crate) mutual: u16,
    local: u16,
    home: TempDir,
    libs: String,
    process: Option<Child>,
}

fn quiet(command: &mut Command) {
    let done = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(done.unwrap().success(), "{command:?}");
}

impl Broker {
    /// Starts one, with the user `bridge` whose password is `hunter2`; none: skipped, with a line that says so.
    pub(crate) fn new() -> Option<Self> {
        let Ok(libs) = std::env::var("WALBRIDGE_TEST_KAFKA_LIBS") else {
            println!("skipped: WALBRIDGE_TEST_KAFKA_LIBS is not set");
            return None;
        };
        let (login, mutual, local, home) = (free_port(), free_port(), free_port(), tempfile::tempdir().unwrap());
        quiet(Command::new("sh").args(["-ec", CERTIFICATES]).current_dir(home.path()));
        let place = home.path().display().to_string();
        let properties = PROPERTIES
            .replace("LOGIN_PORT", &login.to_string())
            .replace("MUTUAL_PORT", &mutual.to_string())
            .replace("LOCAL_PORT", &local.to_string())
            .replace("CONTROLLER_PORT", &free_port().to_string())
            .replace("HOME", &place);
        let file = home.path().join("server.properties");
        std::fs::write(&file, properties).unwrap();
        let mut out = Self {
            login,
            mutual,
            local,
            home,
            libs,
            process: None,
        };
        let mut format = out.java("kafka.tools.StorageTool");
        format.args(["format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c"]).arg(&file);
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            format.args(["--add-scram", &format!("{mechanism}=[name=bridge,password=hunter2]")]);
        }
        quiet(&mut format);
        out.start();
        Some(out)
    }

    fn start(&mut self) {
        let mut start = self.java("kafka.Kafka");
        start
            .arg(self.file("server.properties"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(start.spawn().unwrap());
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.local)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the broker does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Another authority, and certificates of it for the broker, which starts again, and for clients.
    pub(crate) fn replace_certificates(&mut self) {
        self.stop();
        quiet(
            Command::new("sh")
                .args(["-ec", CERTIFICATES])
                .current_dir(self.home.path()),
        );
        self.start();
    }

    fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args([
            "-Xmx192m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xss256k",
            "-cp",
            &self.libs,
            class,
        ]);
        java
    }

    /// A file of certificates or keys.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Grants by the script that users have, or takes away.
    pub(crate) fn grant(&self, principal: &str, name: &str, remove: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/kafka_acls.sh");
        let tool = self.acl();
        let mut command = Command::new(script);
        command
            .args([principal, name, &format!("{name}.")])
            .arg(tool.get_program())
            .args(tool.get_args());
        quiet(command.env("REMOVE", remove));
    }

    /// Takes the right to its transactional id away, and no other: which of several a client hears of first is chance.
    pub(crate) fn deny_transactions(&self, principal: &str, name: &str) {
        let id = format!("walbridge.{name}");
        self.deny(
            principal,
            &[
                "--operation",
                "Write",
                "--operation",
                "Describe",
                "--transactional-id",
                &id,
            ],
        );
        self.await_without(principal, "TRANSACTIONAL_ID");
    }

    /// The same of the topics it writes to; the broker may take a moment for it.
    pub(crate) fn deny_topics(&self, principal: &str, name: &str) {
        let prefix = format!("{name}.");
        self.deny(
            principal,
            &[
                "--operation",
                "Write",
                "--topic",
                &prefix,
                "--resource-pattern-type",
                "prefixed",
            ],
        );
    }

    fn deny(&self, principal: &str, what: &[&str]) {
        let mut acl = self.acl();
        quiet(
            acl.args(["--remove", "--force", "--allow-principal", principal])
                .args(what),
        );
    }

    /// Until the broker knows of no such right any more.
    pub(crate) fn await_without(&self, principal: &str, kind: &str) {
        let begun = Instant::now();
        while self.rights(principal).contains(kind) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{principal} keeps its rights"
            );
        }
    }

    /// The rights of somebody as the broker knows them.
    fn rights(&self, principal: &str) -> String {
        let listed = self.acl().args(["--list", "--principal", principal]).output().unwrap();
        assert!(listed.status.success(), "{listed:?}");
        String::from_utf8_lossy(&listed.stdout).into_owned()
    }

    /// Kafka's own command for rights, at the administrator's door.
    fn acl(&self) -> Command {
        let mut acl = self.java("org.apache.kafka.tools.AclCommand");
        acl.args(["--bootstrap-server", &self.local()]);
        acl
    }

    /// The administrator's door.
    pub(crate) fn local(&self) -> String {
        format!("127.0.0.1:{}", self.local)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}
