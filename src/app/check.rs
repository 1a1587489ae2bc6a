//! `gaggle check`: what can be tried of a configuration before anybody relies on it, as a table.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::parts::{agent_on_kubernetes, runtime};
use super::{environment, say};
use crate::chat::{discord, slack};
use crate::config::{Config, RuntimeKind};
use crate::runtime::Health;
use crate::runtime::kubernetes::{self, ServerKeys};
use crate::server;
use crate::store::Store;

pub async fn run_check(file: &Path) -> anyhow::Result<ExitCode> {
    let config = match Config::load(Some(file), environment()) {
        Ok(config) => config,
        Err(faults) => {
            let rows = faults.iter().map(|f| Health { what: f.key.clone(), found: f.what.clone(), fault: Some(f.fix.clone()) });
            return Ok(table(rows.collect()));
        }
    };
    let mut rows = vec![Health { what: "configuration".into(), found: "understood".into(), fault: None }];
    rows.extend(config.warnings.iter().map(|w| Health { what: "warning".into(), found: w.clone(), fault: None }));
    let (dir, key) = (config.data_dir.clone(), config.secret_key.clone());
    let opened = tokio::task::spawn_blocking(move || Store::open(&dir, key.as_ref())).await?;
    // Operators check next to the Gaggle that runs: in its pod, say.
    let running = matches!(&opened, Err(e) if e.in_use);
    rows.push(match opened {
        Err(e) if running => {
            Health { what: "store".into(), found: format!("{} is in use by a running Gaggle", e.path.display()), fault: None }
        }
        Ok(store) => Health { what: "store".into(), found: format!("{} is writable", store.dir().display()), fault: None },
        Err(e) => Health { what: "store".into(), found: e.what, fault: Some(e.fix) },
    });
    if let Some(address) = config.server.listen {
        rows.push(match server::listen(address) {
            Ok(_) => Health { what: "server.listen".into(), found: format!("{address} is free"), fault: None },
            Err(_) if running => {
                Health { what: "server.listen".into(), found: format!("{address} is in use while Gaggle runs"), fault: None }
            }
            Err(_) => Health {
                what: "server.listen".into(),
                found: format!("{address} cannot be listened on"),
                fault: Some("stop what listens there, or choose another address".into()),
            },
        });
    }
    if let Some(options) = &config.slack {
        let wanted: Vec<&str> = slack::manifest::SCOPES.iter().map(|(scope, _)| *scope).collect();
        let found = slack::check::check(options, &wanted).await;
        rows.extend(found.into_iter().map(|f| Health { what: f.what.to_owned(), found: f.found, fault: f.fix }));
    }
    if let Some(options) = &config.discord {
        let found = discord::check::check(options).await;
        rows.extend(found.into_iter().map(|f| Health { what: f.what.to_owned(), found: f.found, fault: f.fix }));
    }
    if config.runtime.kind == RuntimeKind::Kubernetes {
        // Asked without a runtime, which would begin to watch.
        rows.push(Health { what: "agent".into(), found: agent_on_kubernetes(&config), fault: None });
        rows.extend(kubernetes::check::check(&config.cluster).await);
        return Ok(table(rows));
    }
    let mut config = config;
    config.data_dir = config.data_dir.canonicalize().unwrap_or(config.data_dir);
    // Nobody is spoken to in their name.
    let no_keys: ServerKeys = Arc::new(|_| String::new().into());
    match runtime(&config, false, no_keys).await {
        Ok((runtime, agent, _)) => {
            rows.push(Health { what: "agent".into(), found: agent, fault: None });
            rows.extend(runtime.health().await);
        }
        Err(error) => {
            rows.push(Health { what: "runtime".into(), found: format!("{error:#}"), fault: Some("mend the setting".into()) })
        }
    }
    Ok(table(rows))
}

fn table(rows: Vec<Health>) -> ExitCode {
    let wide = rows.iter().map(|r| r.what.chars().count()).max().unwrap_or(0);
    let mut code = ExitCode::SUCCESS;
    for row in rows {
        let pad = " ".repeat(wide - row.what.chars().count());
        match row.fault {
            None => say(&format!("ok     {}{pad}  {}", row.what, row.found)),
            Some(fix) => {
                say(&format!("FAULT  {}{pad}  {}; {fix}", row.what, row.found));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
