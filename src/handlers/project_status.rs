//! `/project status`: how a project stands where it runs, at this moment.

use serde_json::{Map, Value};

use super::{Context, show};
use crate::error::Result;
use crate::model::{Project, Reply};

pub async fn status(context: &Context, project: &Project) -> Result<Reply> {
    let facts = show::project_data(context, project).await?;
    let mut lines = vec![format!("**{}** is {}", project.name, project.status.as_str())];
    if let Some(reason) = &project.reason {
        lines.push(format!("Reason: {reason}"));
    }
    if let Some(endpoint) = facts["endpoint"].as_str() {
        lines.push(format!("Endpoint: {endpoint}"));
    }
    let mut look: Map<String, Value> = Map::new();
    match context.work.runtime().look(&project.into()).await {
        Ok(found) => {
            lines.extend(found.lines.into_iter().map(|(name, value)| format!("{name}: {value}")));
            look = found.data;
        }
        // What is known without it is true all the same.
        Err(error) => lines.push(error.told().to_string()),
    }
    lines.push(format!("Last used: {}", show::ago(project.used)));
    Ok(Reply::ok(lines.join("\n")).with("projects", [facts]).with("look", look))
}
