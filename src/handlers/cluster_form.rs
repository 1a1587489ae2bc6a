//! What is asked of whoever adds a cluster.

use gaggle_commands::ClusterAbout;

use super::show;
use crate::model::{Field, Form};

fn optional(name: &str, label: &str, hint: &str) -> Field {
    Field { required: false, hint: Some(hint.to_owned()), ..Field::new(name, label) }
}

fn fields() -> Vec<Field> {
    let long = |field: Field| Field { long: true, file: true, ..field };
    let secret = |field: Field| Field { secret: true, ..field };
    vec![
        secret(long(optional(
            "kubeconfig",
            "Kubeconfig",
            "What `kubectl config view --raw --minify --flatten` prints; or the fields below",
        ))),
        optional("server", "Server", "https://host:port, if there is no kubeconfig"),
        secret(optional("token", "Token", "Of a service account; or certificate and key")),
        long(optional("ca", "CA", "PEM of who signed the server's certificate")),
        long(optional("cert", "Client certificate", "PEM")),
        secret(long(optional("key", "Client key", "PEM"))),
    ]
}

pub fn credentials(name: &str, about: &ClusterAbout) -> Form {
    let mut fields = fields();
    let filled = |field: Field, value: Option<String>| Field { value, ..field };
    fields.push(filled(optional("provider", "Provider", "Who runs it, as EKS"), about.provider.clone()));
    let tags = (!about.tags.is_empty()).then(|| about.tags.join(", "));
    fields.push(filled(optional("tags", "Tags", "Separated by commas"), tags));
    fields.push(filled(optional("namespace", "Default namespace", "What is meant where none is named"), about.namespace.clone()));
    let title = format!("Add the cluster `{name}`.");
    Form::new(title, fields)
}

pub fn new_credentials(name: &str) -> Form {
    let title = format!("New credentials for the cluster `{name}`.");
    Form::new(title, fields())
}

/// More than a menu holds are typed.
pub fn contexts(name: &str, contexts: Vec<String>) -> Form {
    let hint = match contexts.len() {
        0..=25 => None,
        many => Some(format!("One of the kubeconfig's {}", show::count(many, "context"))),
    };
    let value = contexts.first().cloned();
    let options = if hint.is_none() { contexts } else { Vec::new() };
    let field = Field { options, value, hint, ..Field::new("context", "Context") };
    let title = format!("Which context of the kubeconfig is the cluster `{name}`?");
    Form::new(title, vec![field])
}
