//! The kinds that a scan looks for: the built-in table and the rows of the user's own.
//!
//! Invariant: everything that a scan knows of a kind stands in its row.

use std::collections::HashMap;

use serde::Deserialize;

use super::image::{Says, says};
use super::table::{Row, TABLE};
use super::words::{Head, Words, split};

/// A kind. Empty fields say nothing; those that hold lists may hold any number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindRow {
    pub name: String,
    /// Where clients connect, the usual one first.
    pub ports: Vec<u16>,
    /// What its pods also listen on, and no client wants: peers, metrics, consoles.
    pub side_ports: Vec<u16>,
    /// Its images: the last segment of the repository, or several segments with `/`. What follows it as a version (`postgresql-15`)
    /// does not count.
    pub images: Vec<String>,
    /// Words that stand for it in names and labels.
    pub words: Vec<String>,
    /// Names of ports that it alone has.
    pub port_names: Vec<String>,
    /// Labels that an operator gives its pods: a key, or `key=value`.
    pub labels: Vec<String>,
    /// Programs that run in its container, whatever the image is called.
    pub commands: Vec<String>,
    /// Folders that are mounted there.
    pub paths: Vec<String>,
    /// Words of names and roles that make it none for clients, even though the image is its own.
    pub not: Vec<String>,
    /// Where providers of it have their hosts.
    pub hosts: Vec<String>,
    /// With the places `{host}` and `{port}`, and `USER`, `PASSWORD` and `DB` for people.
    pub connection: String,
    /// Variables that usually hold where it is.
    pub variables: Vec<String>,
}

impl KindRow {
    pub fn default_port(&self) -> u16 {
        self.ports.first().copied().unwrap_or_default()
    }

    pub fn connection(&self, address: &str) -> String {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let template = if self.connection.is_empty() { "{host}:{port}" } else { &self.connection };
        template.replace("{host}", host).replace("{port}", port)
    }

    /// Adds what another row of the same name says.
    fn extend(&mut self, other: KindRow) {
        if !other.ports.is_empty() {
            self.ports = other.ports;
        }
        if !other.connection.is_empty() {
            self.connection = other.connection;
        }
        self.side_ports.extend(other.side_ports);
        self.images.extend(other.images);
        self.words.extend(other.words);
        self.port_names.extend(other.port_names);
        self.labels.extend(other.labels);
        self.commands.extend(other.commands);
        self.paths.extend(other.paths);
        self.not.extend(other.not);
        self.hosts.extend(other.hosts);
        self.variables.extend(other.variables);
        let ports = &self.ports;
        self.side_ports.retain(|port| !ports.contains(port));
    }
}

impl From<&Row> for KindRow {
    fn from(row: &Row) -> Self {
        let owned = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
        Self {
            name: row.name.to_owned(),
            ports: row.ports.to_vec(),
            side_ports: row.side_ports.to_vec(),
            images: owned(row.images),
            words: owned(row.words),
            port_names: owned(row.port_names),
            labels: owned(row.labels),
            commands: owned(row.commands),
            paths: owned(row.paths),
            not: owned(row.not),
            hosts: owned(row.hosts),
            connection: row.connection.to_owned(),
            variables: owned(row.variables),
        }
    }
}

/// What a variable wants of the kind that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    Url,
    Host,
    Port,
    /// `HOST:PORT`
    Address,
}

/// All kinds of a scan.
#[derive(Debug, Clone)]
pub struct Kinds {
    rows: Vec<KindRow>,
    pub(super) words: Words,
    /// Last segments of repositories.
    pub(super) images: HashMap<String, usize>,
    /// Ends of repositories of several segments.
    pub(super) paths: Vec<(Vec<String>, usize)>,
}

impl Kinds {
    pub fn builtin() -> Self {
        Self::of(TABLE.iter().map(KindRow::from).collect())
    }

    /// With rows of the user's own. One with the name of another adds to that.
    pub fn with(self, own: Vec<KindRow>) -> Self {
        let mut rows = self.rows;
        for mut row in own {
            if row.words.is_empty() && !rows.iter().any(|known| known.name == row.name) {
                row.words.push(row.name.clone());
            }
            match rows.iter_mut().find(|known| known.name == row.name) {
                Some(known) => known.extend(row),
                None => rows.push(row),
            }
        }
        Self::of(rows)
    }

    fn of(rows: Vec<KindRow>) -> Self {
        let words = Words::new(rows.iter().map(|row| row.words.as_slice()));
        let (mut images, mut paths) = (HashMap::new(), Vec::new());
        for (kind, row) in rows.iter().enumerate() {
            for image in &row.images {
                let image = image.to_lowercase();
                if image.contains('/') {
                    paths.push((image.split('/').map(str::to_owned).collect(), kind));
                } else {
                    images.insert(image, kind);
                }
            }
        }
        Self { rows, words, images, paths }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.name.as_str())
    }

    pub fn rows(&self) -> &[KindRow] {
        &self.rows
    }

    pub fn row(&self, name: &str) -> Option<&KindRow> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The kind that an image is of, by its name alone.
    pub fn of_image(&self, image: &str) -> Option<&KindRow> {
        match says(self, image) {
            Says::Is(kind) | Says::Looks(kind) => self.rows.get(kind),
            Says::Other { .. } | Says::Nothing => None,
        }
    }

    /// The kind that a variable usually means, and what of it: `ORDERS_REDIS_URL` wants the URL of a `redis`.
    pub fn of_variable(&self, variable: &str) -> Option<(&KindRow, Wants)> {
        let words = split(variable);
        let wants = match words.last()?.as_str() {
            "host" | "hostname" | "server" | "pghost" => Wants::Host,
            "port" | "pgport" => Wants::Port,
            "brokers" | "broker" | "servers" | "endpoint" | "endpoints" | "address" | "hosts" | "points" => Wants::Address,
            "url" | "uri" | "dsn" | "addr" => Wants::Url,
            _ => return None,
        };
        let own = self.rows.iter().find(|row| row.variables.iter().any(|v| v == variable));
        let found = own.or_else(|| match self.words.head(&words[..words.len() - 1].join("-")) {
            Head::Kind(kind) => self.rows.get(kind),
            _ => None,
        })?;
        // Where there is no URL, an address it is.
        let wants = if wants == Wants::Url && found.connection == "{host}:{port}" { Wants::Address } else { wants };
        Some((found, wants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_mean_kinds() {
        let kinds = Kinds::builtin();
        let of = |variable: &str| kinds.of_variable(variable).map(|(row, wants)| (row.name.clone(), wants));
        for (variable, kind, wants) in [
            ("MONGODB_URI", "mongo", Wants::Url),
            ("ORDERS_REDIS_URL", "redis", Wants::Url),
            ("DATABASE_URL", "postgres", Wants::Url),
            ("PGHOST", "postgres", Wants::Host),
            ("POSTGRES_PORT", "postgres", Wants::Port),
            ("KAFKA_BOOTSTRAP_SERVERS", "kafka", Wants::Address),
            ("TEMPORAL_ADDRESS", "temporal", Wants::Address),
            ("VAULT_ADDR", "vault", Wants::Url),
            ("REDIS_HOST", "redis", Wants::Host),
        ] {
            assert_eq!(of(variable), Some((kind.to_owned(), wants)), "{variable}");
        }
        for none in ["MONGOOSE_URL", "API_URL", "REDIS_PASSWORD", "REDIS_API_URL", "", "_", "URL"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn own_rows_add_kinds_and_add_to_kinds() {
        let own = KindRow { name: "influx".into(), ports: vec![8086], ..KindRow::default() };
        let more = KindRow { name: "redis".into(), images: vec!["garnet".into()], ..KindRow::default() };
        let kinds = Kinds::builtin().with(vec![own, more]);
        assert_eq!(kinds.names().count(), Kinds::builtin().names().count() + 1);
        let redis = kinds.row("redis").unwrap();
        assert!(redis.images.iter().any(|i| i == "garnet") && redis.default_port() == 6379);
        assert_eq!(kinds.row("influx").unwrap().words, ["influx"]);
        assert_eq!(kinds.row("influx").unwrap().connection("a:1"), "a:1");
    }

    #[test]
    fn rows_are_whole() {
        let kinds = Kinds::builtin();
        for row in kinds.rows() {
            assert!(!row.ports.is_empty() && !row.images.is_empty() && !row.words.is_empty(), "{}", row.name);
            assert!(row.connection.contains("{host}") && !row.variables.is_empty(), "{}", row.name);
            assert!(!row.side_ports.iter().any(|port| row.ports.contains(port)), "{}", row.name);
            assert!(row.words.iter().all(|w| w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())), "{}", row.name);
        }
    }
}
