//! Certificates as legacy servers have them, made by OpenSSL.

use std::path::PathBuf;

use crate::cluster::Cluster;

/// A new key, and a request for a certificate of it.
const KEY: &str = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// The authorities `ca` and `stranger`; `client` by the one, `unknown` by the other, both for the role `wb_cert`.
pub fn authorities(cluster: &Cluster) {
    let mut script = String::new();
    for name in ["ca", "stranger"] {
        script += &format!("{KEY} -x509 -days 30 -subj /CN={name} -keyout {name}.key -out {name}.pem\n");
    }
    for (name, authority) in [("client", "ca"), ("unknown", "stranger")] {
        script += &format!(
            "{KEY} -subj /CN=wb_cert -keyout {name}.key -out {name}.csr\n\
             openssl x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 30 -out {name}.pem\n"
        );
    }
    cluster.shell(&script);
}

/// A file among the server's.
pub fn file(cluster: &Cluster, name: &str) -> PathBuf {
    PathBuf::from(cluster.data()).join(name)
}

/// The server's next certificate.
pub struct Server {
    pub subject: &'static str,
    /// Lines of an extension file; none: version 1 of X.509.
    pub extensions: &'static str,
    pub authority: &'static str,
    pub days: i32,
}

/// What a good one is.
pub const GOOD: Server = Server {
    subject: "/CN=server",
    extensions: "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost",
    authority: "ca",
    days: 30,
};

impl Server {
    /// Puts it in place.
    pub fn install(&self, cluster: &Cluster) {
        let (subject, authority, days) = (self.subject, self.authority, self.days);
        let extfile = if self.extensions.is_empty() {
            ""
        } else {
            "-extfile extensions"
        };
        cluster.shell(&format!(
            "printf '{}' > extensions\n{KEY} -subj {subject} -keyout new.key -out new.csr\n\
             openssl x509 -req -in new.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days {days} -out new.crt {extfile}\n\
             chmod 600 new.key\nmv new.key server.key\nmv new.crt server.crt",
            self.extensions.replace('\n', "\\n"),
        ));
        cluster.reload();
    }
}

/// One that is signed by itself, as the first page of every manual makes it.
pub fn self_signed(cluster: &Cluster) {
    cluster.shell(&format!(
        "{KEY} -x509 -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout new.key -out new.crt\n\
         chmod 600 new.key\nmv new.key server.key\nmv new.crt server.crt"
    ));
    cluster.reload();
}
