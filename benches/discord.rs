//! Interactions by gateway at 50 a second: how soon they have their first response and what they cost, beside the barest bot that can
//! be made of serenity (this program again, as `bare URL`), in turns. `GAGGLE_TEST_EXE` is the program to measure, if not this build's
//! own; `GAGGLE_BENCH_RATE` is how many interactions a second there are, `GAGGLE_BENCH_ROUNDS` how many turns each of them has.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

use std::time::Duration;

use serenity::all::{
    Context, CreateInteractionResponse, CreateInteractionResponseMessage, EventHandler, GatewayIntents, HttpBuilder, Interaction,
};
use support::discord::{APP, Bot, Discord, TOKEN, Way};

const SECONDS: u32 = 20;

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |number| number.parse().unwrap())
}

struct Bare;

#[serenity::async_trait]
impl EventHandler for Bare {
    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        let Interaction::Command(command) = interaction else { return };
        let message = CreateInteractionResponseMessage::new().content("pong").ephemeral(true);
        command.create_response(&context.http, CreateInteractionResponse::Message(message)).await.unwrap();
    }
}

async fn bare(url: &str) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let http = HttpBuilder::new(TOKEN).application_id(APP.parse().unwrap()).proxy(url).ratelimiter_disabled(true).build();
    let mut client =
        serenity::client::ClientBuilder::new_with_http(http, GatewayIntents::empty()).event_handler(Bare).await.unwrap();
    client.start().await.unwrap();
}

/// One turn of one bot.
#[derive(Clone, Copy)]
struct Measured {
    p50: f64,
    p99: f64,
    max: f64,
    /// Seconds for a thousand.
    cpu: f64,
}

impl Measured {
    fn print(&self, name: &str) {
        println!("{name:<14} {:>6.2} ms {:>6.2} ms {:>6.2} ms {:>12.3}", self.p50, self.p99, self.max, self.cpu);
    }
}

fn median(all: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("bare") {
        return bare(&arguments.next().unwrap()).await;
    }
    println!("{:<14} {:>9} {:>9} {:>9} {:>12}", "", "p50", "p99", "max", "CPU s/1000");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..number("GAGGLE_BENCH_ROUNDS", 3) {
        theirs.push(of_bare().await);
        ours.push(of_gaggle("whoami").await);
    }
    of_gaggle("project list").await;
    let ratio = |of: fn(&Measured) -> f64| median(&ours, of) / median(&theirs, of);
    println!("gaggle / bare: p50 {:.2}, p99 {:.2}, CPU {:.2}", ratio(|m| m.p50), ratio(|m| m.p99), ratio(|m| m.cpu));
}

async fn of_gaggle(command: &str) -> Measured {
    let discord = Discord::start(Way::Gateway).await;
    let mut bot = Bot::prepare(&discord, "", "default_role = \"member\"", "name = \"demo\"", "");
    bot.launch();
    bot.ready().await;
    let measured = measure(&discord, bot.pid().cast_unsigned(), &format!("/{command}")).await;
    measured.print(command);
    bot.terminate().await;
    measured
}

async fn of_bare() -> Measured {
    let discord = Discord::start(Way::Gateway).await;
    let url = discord.api_url().replace("/api", "");
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    let mut child = child.args(["bare", &url]).kill_on_drop(true).spawn().unwrap();
    discord.connected().await;
    discord.change(|s| {
        let known = serde_json::json!([{ "name": "whoami", "description": "who", "type": 1 }]);
        s.put_commands(None, &known).unwrap();
    });
    let measured = measure(&discord, child.id().unwrap(), "/whoami").await;
    measured.print("bare serenity");
    child.kill().await.unwrap();
    measured
}

async fn measure(discord: &Discord, pid: u32, command: &str) -> Measured {
    let channel = discord.channel("general");
    let ann = discord.user("ann");
    let rate = number("GAGGLE_BENCH_RATE", 50);
    // What only the first of all costs is no part of it.
    for _ in 0..20 {
        ann.command(&channel, command).await.ok();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = cpu(pid);
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut sent = Vec::new();
    for _ in 0..rate * SECONDS {
        tick.tick().await;
        let (ann, channel, command) = (ann.clone(), channel.clone(), command.to_owned());
        sent.push(tokio::spawn(async move { ann.command(&channel, &command).await.ok().took }));
    }
    let mut took = Vec::new();
    for one in sent {
        took.push(one.await.unwrap());
    }
    let used = cpu(pid) - before;
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    Measured { p50: at(0.5), p99: at(0.99), max: at(1.0), cpu: used / f64::from(rate * SECONDS) * 1000.0 }
}

/// Seconds of both kinds.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}
