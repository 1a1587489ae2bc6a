//! How each table of `[kubernetes]` is written, as the fix of one that is wrong.

pub const TOLERATIONS: &str = "give it a list of tolerations, as [{ key = \"agents\", operator = \"Exists\", effect = \"NoSchedule\" }], \
     with key, operator (Equal, Exists), value, effect (NoSchedule, PreferNoSchedule, NoExecute) and toleration_seconds";
pub const RESOURCES: &str =
    "give it quantities, as { requests = { cpu = \"100m\", memory = \"256Mi\" }, limits = { cpu = \"2\", memory = \"2Gi\" } }";
pub const QUOTA: &str = "give it true, false or quantities of a ResourceQuota, as { pods = 50, \"requests.cpu\" = \"16\" }";
pub const LIMITS: &str = "give it true, false or quantities of a LimitRange, as { max = { cpu = \"8\" }, default = { cpu = \"1\" }, \
     default_request = { cpu = \"100m\" } }";
pub const NETWORK_POLICY: &str = "give it true, false or a table, as { egress = [\"0.0.0.0/0\"], egress_except = [\"169.254.0.0/16\"], \
     ingress_namespaces = [\"gaggle\"] }";
pub const POD_SECURITY: &str = "give it true, false, \"restricted\", \"baseline\" or \"privileged\"";
pub const STORAGE: &str = "give it a table, as { size = \"10Gi\", class = \"standard\", access_mode = \"ReadWriteOnce\" }; access_mode may \
     also be ReadWriteOncePod or ReadWriteMany";
pub const INGRESS: &str = "give it false or a table, as { domain = \"agents.example.com\", class = \"nginx\", \
     tls_secret = \"tls-{project}-{owner}\", annotations = { \"example.com/a\" = \"b\" } }";
