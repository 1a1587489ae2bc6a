//! Typed tables over redb's bytes: a key is order-preserving bytes, a value is a version byte and JSON. Every table stands here.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use anyhow::Context as _;
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, TableError, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

use super::audit::AuditEntry;
use super::broken;
use super::clusters::KeptScan;
use super::inbox::{Kept, Receipt};
use super::releases::KeptFile;
use crate::error::{Error, Result};
use crate::model::{
    Approval, ApprovalId, ChannelCluster, Cluster, ClusterId, ConversationId, PersonId, Project, ProjectId, Release, ReleaseId,
    Revision, Session, SessionId, Thread, Turn, TurnId,
};

/// The layout of a value, before its JSON.
const VALUE_VERSION: u8 = 1;

pub struct Table<K, V> {
    pub name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

pub type Raw = TableDefinition<'static, &'static [u8], &'static [u8]>;

impl<K, V> Table<K, V> {
    const fn new(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }

    fn raw(&self) -> Raw {
        TableDefinition::new(self.name)
    }
}

pub const META: Table<String, u64> = Table::new("meta");
pub const NOTES: Table<String, String> = Table::new("notes");
pub const IDENTITIES: Table<String, PersonId> = Table::new("identities");
pub const PROJECTS: Table<ProjectId, Project> = Table::new("projects");
pub const PROJECT_NAMES: Table<(PersonId, String), ProjectId> = Table::new("project_names");
pub const GRANTS: Table<(PersonId, ProjectId), ()> = Table::new("grants");
pub const SESSIONS: Table<SessionId, Session> = Table::new("sessions");
pub const PROJECT_SESSIONS: Table<(ProjectId, SessionId), ()> = Table::new("project_sessions");
pub const THREADS: Table<ConversationId, Thread> = Table::new("threads");
pub const CURRENT: Table<ConversationId, ConversationId> = Table::new("current_threads");
pub const TURNS: Table<TurnId, Turn> = Table::new("turns");
pub const OPEN_TURNS: Table<TurnId, SessionId> = Table::new("open_turns");
pub const SESSION_TURNS: Table<(SessionId, TurnId), ()> = Table::new("session_turns");
pub const TURN_TEXT: Table<(TurnId, u64), String> = Table::new("turn_text");
pub const APPROVALS: Table<ApprovalId, Approval> = Table::new("approvals");
pub const OPEN_APPROVALS: Table<ApprovalId, ()> = Table::new("open_approvals");
pub const SECRETS: Table<(String, String), String> = Table::new("secrets");
pub const CONNECTIONS: Table<ProjectId, String> = Table::new("agent_connections");
pub const AUDIT: Table<u64, AuditEntry> = Table::new("audit");
pub const RECEIPTS: Table<String, Receipt> = Table::new("receipts");
pub const INBOX: Table<String, Kept> = Table::new("inbox");
pub const DRAFTS: Table<TurnId, String> = Table::new("drafts");
pub const ATTACHMENTS: Table<(TurnId, u64), String> = Table::new("attachments");
pub const NAMES: Table<PersonId, String> = Table::new("names");
pub const CHANNEL_PROJECTS: Table<ConversationId, ProjectId> = Table::new("channel_projects");
pub const CLUSTERS: Table<ClusterId, Cluster> = Table::new("clusters");
pub const CHANNEL_CLUSTERS: Table<ConversationId, ChannelCluster> = Table::new("channel_clusters");
/// By cluster, and by namespace or `*`.
pub const SCANS: Table<(String, String), KeptScan> = Table::new("scans");
pub const RELEASES: Table<ReleaseId, Release> = Table::new("releases");
pub const REVISIONS: Table<(ReleaseId, u64), Revision> = Table::new("revisions");
pub const COMPOSE_FILES: Table<String, KeptFile> = Table::new("compose_files");

/// Every table, for the backup and so that a reader finds each one there.
pub const ALL: [&str; 31] = [
    META.name,
    NOTES.name,
    IDENTITIES.name,
    PROJECTS.name,
    PROJECT_NAMES.name,
    GRANTS.name,
    SESSIONS.name,
    PROJECT_SESSIONS.name,
    THREADS.name,
    CURRENT.name,
    TURNS.name,
    OPEN_TURNS.name,
    SESSION_TURNS.name,
    TURN_TEXT.name,
    APPROVALS.name,
    OPEN_APPROVALS.name,
    SECRETS.name,
    CONNECTIONS.name,
    AUDIT.name,
    RECEIPTS.name,
    INBOX.name,
    DRAFTS.name,
    ATTACHMENTS.name,
    NAMES.name,
    CHANNEL_PROJECTS.name,
    CLUSTERS.name,
    CHANNEL_CLUSTERS.name,
    SCANS.name,
    RELEASES.name,
    REVISIONS.name,
    COMPOSE_FILES.name,
];

pub fn raw(name: &'static str) -> Raw {
    TableDefinition::new(name)
}

/// Order-preserving bytes. Strings hold no NUL, which separates the parts of a pair.
pub trait Key: Sized {
    fn bytes(&self) -> Vec<u8>;
    fn parse(bytes: &[u8]) -> Option<Self>;
}

impl Key for u64 {
    fn bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u64::from_be_bytes)
    }
}

impl Key for String {
    fn bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn parse(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

macro_rules! wrapped {
    ($($name:ident($inner:ty)),*) => {$(
        impl Key for $name {
            fn bytes(&self) -> Vec<u8> {
                self.0.bytes()
            }
            fn parse(bytes: &[u8]) -> Option<Self> {
                <$inner>::parse(bytes).map($name)
            }
        }
    )*};
}
wrapped!(
    SessionId(u64),
    TurnId(u64),
    ApprovalId(u64),
    ProjectId(String),
    ConversationId(String),
    PersonId(String),
    ClusterId(String),
    ReleaseId(String)
);

macro_rules! pair_of_text {
    ($($a:ident, $b:ident);*) => {$(
        impl Key for ($a, $b) {
            fn bytes(&self) -> Vec<u8> {
                [prefix(&self.0), self.1.bytes()].concat()
            }
            fn parse(bytes: &[u8]) -> Option<Self> {
                let cut = bytes.iter().position(|b| *b == 0)?;
                Some(($a::parse(&bytes[..cut])?, $b::parse(&bytes[cut + 1..])?))
            }
        }
    )*};
}
pair_of_text!(PersonId, String; PersonId, ProjectId; ProjectId, SessionId; String, String; ReleaseId, u64);

macro_rules! pair_of_numbers {
    ($($a:ident, $b:ident);*) => {$(
        impl Key for ($a, $b) {
            fn bytes(&self) -> Vec<u8> {
                [self.0.bytes(), self.1.bytes()].concat()
            }
            fn parse(bytes: &[u8]) -> Option<Self> {
                let (a, b) = bytes.split_at_checked(8)?;
                Some(($a::parse(a)?, $b::parse(b)?))
            }
        }
    )*};
}
pair_of_numbers!(SessionId, TurnId; TurnId, u64);

/// The bytes that all pairs with this first part begin with.
pub fn prefix(first: &impl Key) -> Vec<u8> {
    let mut bytes = first.bytes();
    bytes.push(0);
    bytes
}

pub fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = vec![VALUE_VERSION];
    serde_json::to_writer(&mut bytes, value).map_err(|e| Error::Broken(e.into()))?;
    Ok(bytes)
}

pub fn decode<V: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<V> {
    match bytes.split_first() {
        Some((&VALUE_VERSION, json)) => serde_json::from_slice(json)
            .with_context(|| format!("a value of table {table} does not parse"))
            .map_err(Error::Broken),
        _ => Err(Error::Broken(anyhow::anyhow!("a value of table {table} has an unknown version"))),
    }
}

/// Reading, the same in a read and in a write transaction.
pub trait Read {
    fn fetch<K: Key, V: DeserializeOwned>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>>;

    /// Visits the entries whose key begins with `prefix`, in order or backwards, until told to stop.
    fn visit<K: Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
        backwards: bool,
        visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<()>;

    fn scan<K: Key, V: DeserializeOwned>(&self, table: &Table<K, V>, prefix: &[u8]) -> Result<Vec<(K, V)>> {
        let mut found = Vec::new();
        self.visit(table, prefix, false, |k, v| {
            found.push((k, v));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

macro_rules! read {
    ($tx:ty, $open:expr) => {
        impl Read for $tx {
            fn fetch<K: Key, V: DeserializeOwned>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>> {
                let Some(open) = $open(self, table.raw())? else { return Ok(None) };
                let found = open.get(key.bytes().as_slice()).map_err(broken)?;
                found.map(|v| decode(table.name, v.value())).transpose()
            }

            fn visit<K: Key, V: DeserializeOwned>(
                &self,
                table: &Table<K, V>,
                prefix: &[u8],
                backwards: bool,
                mut visit: impl FnMut(K, V) -> ControlFlow<()>,
            ) -> Result<()> {
                let Some(open) = $open(self, table.raw())? else { return Ok(()) };
                let end = after(prefix);
                let mut range = match &end {
                    Some(end) => open.range(prefix..end.as_slice()),
                    None => open.range(prefix..),
                }
                .map_err(broken)?;
                while let Some(entry) = if backwards { range.next_back() } else { range.next() } {
                    let (key, value) = entry.map_err(broken)?;
                    let key = K::parse(key.value())
                        .ok_or_else(|| Error::Broken(anyhow::anyhow!("a key of table {} does not parse", table.name)))?;
                    if visit(key, decode(table.name, value.value())?).is_break() {
                        break;
                    }
                }
                Ok(())
            }
        }
    };
}

read!(ReadTransaction, |tx: &ReadTransaction, raw: Raw| match tx.open_table(raw) {
    Ok(table) => Ok(Some(table)),
    Err(TableError::TableDoesNotExist(_)) => Ok(None),
    Err(e) => Err(broken(e)),
});
read!(WriteTransaction, |tx, raw| WriteTransaction::open_table(tx, raw).map(Some).map_err(broken));

/// The first key after all those with this prefix.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

pub fn put<K: Key, V: Serialize>(tx: &WriteTransaction, table: &Table<K, V>, key: &K, value: &V) -> Result<()> {
    let mut open = tx.open_table(table.raw()).map_err(broken)?;
    open.insert(key.bytes().as_slice(), encode(value)?.as_slice()).map_err(broken)?;
    Ok(())
}

/// Puts values under the next numbers of a counter, and removes what is `kept` numbers older.
pub fn append<V: Serialize>(
    tx: &WriteTransaction,
    table: &Table<u64, V>,
    counter: &str,
    kept: u64,
    values: Vec<V>,
) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let key = counter.to_owned();
    let mut number = tx.fetch(&META, &key)?.unwrap_or(0);
    {
        let mut open = tx.open_table(table.raw()).map_err(broken)?;
        for value in values {
            number += 1;
            open.insert(number.bytes().as_slice(), encode(&value)?.as_slice()).map_err(broken)?;
            if let Some(old) = number.checked_sub(kept) {
                open.remove(old.bytes().as_slice()).map_err(broken)?;
            }
        }
    }
    put(tx, &META, &key, &number)
}

pub fn remove<K: Key, V>(tx: &WriteTransaction, table: &Table<K, V>, key: &K) -> Result<bool> {
    let mut open = tx.open_table(table.raw()).map_err(broken)?;
    let found = open.remove(key.bytes().as_slice()).map_err(broken)?.is_some();
    Ok(found)
}

/// The next number of a counter, from 1.
pub fn next(tx: &WriteTransaction, counter: &'static str) -> Result<u64> {
    let key = counter.to_owned();
    let number = tx.fetch(&META, &key)?.unwrap_or(0) + 1;
    put(tx, &META, &key, &number)?;
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_back_and_stay_in_order() {
        let low = (ProjectId::from("abc"), SessionId(2));
        let high = (ProjectId::from("abc"), SessionId(300));
        assert!(low.bytes() < high.bytes());
        assert_eq!(Key::parse(&high.bytes()), Some(high));
        let pair = (SessionId(1), TurnId(0));
        assert_eq!(Key::parse(&pair.bytes()), Some(pair));
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(after(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after(&[1, 255]), Some(vec![2]));
        assert_eq!(after(&[255]), None);
    }
}
