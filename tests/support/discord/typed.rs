//! Slash commands as Discord's client lets them be typed: by the registered tree, with options of the right kind.
//!
//! Invariant: what the client would not send is never sent; [`Refused`] says why.

use serde_json::{Map, Value, json};

use super::state::{BOT, Registered, State};
use super::tree::kind;
use super::user::{Outcome, User};

/// Why the client did not send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// A command that was found, with its path, and the options that it has.
struct Found {
    command: Registered,
    /// Groups and subcommands below it.
    path: Vec<String>,
    options: Vec<Value>,
}

fn refused<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

impl State {
    /// What the client offers in that channel: the guild's own, and those of everywhere.
    fn offered(&self, name: &str, kind_of: u64, channel: &str) -> Option<Registered> {
        let guild = self.channels.get(channel)?.guild.clone();
        let fits = |c: &&Registered| {
            let context = if guild.is_some() { 0 } else { 1 };
            let in_context = c.body["contexts"].as_array().is_none_or(|l| l.iter().any(|v| *v == context));
            let in_dm = guild.is_some() || c.guild.is_none() && c.body["dm_permission"] != false;
            c.body["name"] == name && kind(&c.body) == kind_of && (c.guild.is_none() || c.guild == guild) && in_context && in_dm
        };
        let mut all: Vec<&Registered> = self.commands.iter().filter(fits).collect();
        all.sort_by_key(|c| c.guild.is_none());
        all.first().map(|c| (*c).clone())
    }

    fn found(&self, words: &[&str], channel: &str) -> Result<(Found, usize), Refused> {
        let name = words.first().copied().unwrap_or_default();
        let Some(command) = self.offered(name, 1, channel) else { return refused(format!("no command /{name}")) };
        let list = |value: &Value| value["options"].as_array().cloned().unwrap_or_default();
        let mut options = list(&command.body);
        let (mut path, mut used) = (Vec::new(), 1);
        while options.iter().any(|o| kind(o) <= 2) {
            let word = words.get(used).copied().unwrap_or_default();
            let Some(below) = options.iter().find(|o| o["name"] == word).cloned() else {
                return refused(format!("/{} has no {word:?}", words[..used].join(" ")));
            };
            path.push(word.to_owned());
            options = list(&below);
            used += 1;
        }
        Ok((Found { command, path, options }, used))
    }

    /// The value of an option as the client sends it; what it names goes into `resolved`.
    fn value(&mut self, option: &Value, text: &str, channel: &str, resolved: &mut Map<String, Value>) -> Result<Value, Refused> {
        let name = option["name"].as_str().unwrap_or_default();
        let wrong = |what: &str| Refused(format!("{name}: {text:?} is no {what}"));
        let id = || text.trim_matches(|c: char| !c.is_ascii_digit()).to_owned();
        let mut put = |key: &str, id: &str, value: Value| {
            let all = resolved.entry(key).or_insert_with(|| json!({}));
            all[id] = value;
        };
        if let Some(choices) = option["choices"].as_array().filter(|c| !c.is_empty()) {
            let chosen = choices.iter().find(|c| c["name"] == text || plain(&c["value"]) == text);
            return chosen.map(|c| c["value"].clone()).ok_or_else(|| wrong("choice"));
        }
        let within = |number: f64| {
            option["min_value"].as_f64().is_none_or(|least| number >= least)
                && option["max_value"].as_f64().is_none_or(|most| number <= most)
        };
        match kind(option) {
            3 => {
                let length = text.chars().count() as u64;
                let most = option["max_length"].as_u64().unwrap_or(6_000);
                if length < option["min_length"].as_u64().unwrap_or(0) || length > most {
                    return refused(format!("{name}: {length} characters"));
                }
                Ok(json!(text))
            }
            4 => text.parse::<i64>().ok().filter(|n| within(*n as f64)).map(|n| json!(n)).ok_or_else(|| wrong("integer")),
            5 => text.parse::<bool>().map(|b| json!(b)).map_err(|_| wrong("yes or no")),
            6 | 9 => {
                let id = id();
                if !self.users.contains_key(&id) {
                    return Err(wrong("user"));
                }
                let guild = self.channels[channel].guild.clone();
                let (user, member) = User::resolved_user(self, guild.as_deref(), &id);
                put("users", &id, user);
                if let Some(member) = member {
                    put("members", &id, member);
                }
                Ok(json!(id))
            }
            7 => {
                let id = id();
                let place = self.channels.get(&id).cloned().ok_or_else(|| wrong("channel"))?;
                put("channels", &id, self.partial_channel(&place, BOT));
                Ok(json!(id))
            }
            8 => {
                let id = id();
                let role = self.guilds.values().find_map(|g| g.roles.get(&id)).ok_or_else(|| wrong("role"))?;
                put("roles", &id, role.json());
                Ok(json!(id))
            }
            10 => text.parse::<f64>().ok().filter(|n| within(*n)).map(|n| json!(n)).ok_or_else(|| wrong("number")),
            11 => {
                let file = self.files.get(text).ok_or_else(|| wrong("file"))?;
                put("attachments", text, self.file_json(file, true));
                Ok(json!(text))
            }
            _ => refused(format!("{name}: no option to type")),
        }
    }

    /// The `data` of the interaction, with options below their subcommands.
    fn data(&self, found: &Found, given: Vec<Value>, resolved: Map<String, Value>) -> Value {
        let mut options = given;
        for (depth, name) in found.path.iter().enumerate().rev() {
            let group = found.path.len() == 2 && depth == 0;
            options = vec![json!({ "type": if group { 2 } else { 1 }, "name": name, "options": options })];
        }
        let mut data = json!({ "id": found.command.id, "name": found.command.body["name"], "type": 1 });
        if !options.is_empty() {
            data["options"] = options.into();
        }
        if !resolved.is_empty() {
            data["resolved"] = resolved.into();
        }
        if let Some(guild) = &found.command.guild {
            data["guild_id"] = json!(guild);
        }
        data
    }

    /// `given`: options by name; `focused`: the one that is being typed.
    fn compose(
        &mut self,
        found: &Found,
        given: &[(String, String)],
        focused: Option<(&str, &str)>,
        channel: &str,
    ) -> Result<Value, Refused> {
        let mut resolved = Map::new();
        let mut options = Vec::new();
        for (name, text) in given {
            let Some(option) = found.options.iter().find(|o| o["name"] == name.as_str()) else {
                return refused(format!("no option {name:?}"));
            };
            let value = self.value(option, text, channel, &mut resolved)?;
            options.push(json!({ "name": name, "type": option["type"], "value": value }));
        }
        if let Some((name, text)) = focused {
            let Some(option) = found.options.iter().find(|o| o["name"] == name && o["autocomplete"] == true) else {
                return refused(format!("the option {name:?} does not complete"));
            };
            options.push(json!({ "name": name, "type": option["type"], "value": text, "focused": true }));
        } else if let Some(missing) =
            found.options.iter().find(|o| o["required"] == true && !given.iter().any(|(n, _)| o["name"] == n.as_str()))
        {
            return refused(format!("the option {} is required", missing["name"]));
        }
        // As the client lays them out: in the order of the tree.
        options.sort_by_key(|given| found.options.iter().position(|o| o["name"] == given["name"]));
        Ok(self.data(found, options, resolved))
    }
}

/// `demo --env K=V hello world` for these options: flags by name, the rest in order, the last of them to the end.
fn split(options: &[Value], words: &[String]) -> Result<Vec<(String, String)>, Refused> {
    let mut given: Vec<(String, String)> = Vec::new();
    let named = |word: &str| {
        let plain = word.replace('-', "_");
        options
            .iter()
            .find(|o| o["name"] == word || o["name"] == plain.as_str())
            .map(|o| (o["name"].as_str().unwrap_or_default().to_owned(), kind(o)))
    };
    // Takes whatever is written, and so more than one word of it.
    let takes_all = |o: &Value| kind(o) == 3 && o["autocomplete"] != true && o["choices"].is_null();
    let open = |name: &str| options.iter().any(|o| o["name"] == name && takes_all(o)).then(|| name.to_owned());
    let mut loose: Vec<&str> = Vec::new();
    // The option that was named last, while its text goes on.
    let mut goes_on: Option<String> = None;
    let mut words = words.iter();
    let mut ended = false;
    while let Some(word) = words.next() {
        if let Some(flag) = word.strip_prefix("--").filter(|_| !ended) {
            goes_on = None;
            if flag.is_empty() {
                ended = true;
                continue;
            }
            let (flag, value) = flag.split_once('=').map_or((flag, None), |(f, v)| (f, Some(v.to_owned())));
            let Some((name, of)) = named(flag) else { return refused(format!("no option --{flag}")) };
            let value = match value {
                Some(value) => value,
                None if of == 5 => "true".into(),
                None => words.next().cloned().ok_or_else(|| Refused(format!("--{flag} of nothing")))?,
            };
            goes_on = open(&name);
            // What may be said more than once is one option here.
            match given.iter_mut().find(|(n, _)| *n == name) {
                Some((_, all)) => *all = format!("{all} {value}"),
                None => given.push((name, value)),
            }
            continue;
        }
        let typed = word.split_once(':').and_then(|(n, v)| named(n).map(|(name, _)| (name, v)));
        if let Some((name, value)) = typed.filter(|(_, value)| !ended && !value.starts_with("//")) {
            goes_on = open(&name);
            given.push((name, value.to_owned()));
            continue;
        }
        let missing = |o: &&Value| o["required"] == true && !given.iter().any(|(n, _)| o["name"] == n.as_str());
        let enough = options.iter().filter(missing).count() <= loose.len();
        match given.iter_mut().find(|(name, _)| enough && !ended && goes_on.as_deref() == Some(name)) {
            Some((_, all)) => *all = format!("{all} {word}").trim_start().to_owned(),
            None => loose.push(word),
        }
    }
    let free: Vec<&Value> =
        options.iter().filter(|o| kind(o) != 5 && !given.iter().any(|(n, _)| o["name"] == n.as_str())).collect();
    // Free words are for the options that have to be there. What is more belongs to the last of them, if it is a text of its own; else
    // to what may follow it.
    let needed = free.iter().take_while(|o| o["required"] == true).count();
    let places = match needed.checked_sub(1).map(|at| takes_all(free[at])) {
        Some(true) => needed,
        _ => loose.len().min(free.len()).max(needed),
    };
    let mut values: Vec<String> = Vec::new();
    for word in loose {
        if values.len() < places {
            values.push(word.to_owned());
        } else {
            let Some(last) = values.last_mut().filter(|_| takes_all(free[places - 1])) else {
                return refused(format!("no option for {word:?}"));
            };
            *last = format!("{last} {word}");
        }
    }
    given.extend(free.iter().zip(values).map(|(option, value)| (option["name"].as_str().unwrap_or_default().to_owned(), value)));
    Ok(given)
}

impl User {
    /// `/project create demo --repo URL`, in words, or options as `name:value`.
    pub async fn command(&self, channel: &str, text: &str) -> Outcome {
        self.try_command(channel, text).await.unwrap_or_else(|why| panic!("{text}: their client would not send it: {why:?}"))
    }

    pub async fn try_command(&self, channel: &str, text: &str) -> Result<Outcome, Refused> {
        let words = words(text);
        let data = self.discord.change(|s| {
            let shown: Vec<&str> = words.iter().map(String::as_str).collect();
            let (found, used) = s.found(&shown, channel)?;
            let given = split(&found.options, &words[used..])?;
            s.compose(&found, &given, None, channel)
        })?;
        Ok(self.send(channel, text, data).await)
    }

    /// `project create`, with options by name.
    pub async fn run(&self, channel: &str, path: &str, options: &[(&str, &str)]) -> Result<Outcome, Refused> {
        self.run_with(channel, path, options, &[]).await
    }

    /// … and files by option: its name, the file's, the content.
    pub async fn run_with(
        &self,
        channel: &str,
        path: &str,
        options: &[(&str, &str)],
        files: &[(&str, &str, &[u8])],
    ) -> Result<Outcome, Refused> {
        let data = self.discord.change(|s| {
            let words: Vec<&str> = path.trim_start_matches('/').split(' ').collect();
            let (found, used) = s.found(&words, channel)?;
            if used < words.len() {
                return refused(format!("no command {path:?}"));
            }
            let mut given: Vec<(String, String)> = options.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            for (option, name, content) in files {
                let id = s.store(channel, name, None, content.to_vec());
                given.push(((*option).to_owned(), id));
            }
            s.compose(&found, &given, None, channel)
        })?;
        Ok(self.send(channel, path, data).await)
    }

    /// What is offered while that option is being typed.
    pub async fn complete(
        &self,
        channel: &str,
        path: &str,
        options: &[(&str, &str)],
        focused: (&str, &str),
    ) -> Result<Outcome, Refused> {
        let data = self.discord.change(|s| {
            let words: Vec<&str> = path.trim_start_matches('/').split(' ').collect();
            let (found, _) = s.found(&words, channel)?;
            let given: Vec<(String, String)> = options.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            s.compose(&found, &given, Some(focused), channel)
        })?;
        let what = format!("autocomplete of {path} {}", focused.0);
        Ok(self.discord.inner.ask(|s| s.begin(4, &what, &self.id, channel, data, None)).await)
    }

    async fn send(&self, channel: &str, what: &str, data: Value) -> Outcome {
        self.discord
            .inner
            .ask(|s| {
                s.can(&self.id, channel, super::permissions::USE_COMMANDS);
                s.begin(2, what, &self.id, channel, data, None)
            })
            .await
    }

    /// The command in a message's menu.
    pub async fn message_command(&self, channel: &str, message: &str, name: &str) -> Outcome {
        let data = self.discord.look(|s| {
            let command = s.offered(name, 3, channel).unwrap_or_else(|| panic!("no command {name:?} for messages"));
            let target = s.message(channel, message).expect("a message");
            let mut data = json!({
                "id": command.id, "name": name, "type": 3, "target_id": message,
                "resolved": { "messages": { message: s.message_json(target) } },
            });
            if let Some(guild) = &command.guild {
                data["guild_id"] = json!(guild);
            }
            data
        });
        self.send(channel, name, data).await
    }
}

/// Words as a shell would take them; what cannot be taken so, as it stands.
fn words(text: &str) -> Vec<String> {
    let text = text.trim().trim_start_matches('/');
    shell_words::split(text).unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect())
}

/// A value as it is typed.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
