//! Story files that every surface has to tell: a line is what somebody says, the indented lines below it what is seen then.
//!
//! `! text` is a refusal, `? field = value` fills in a form, `? yes` and `? no` answer a question, `@ text` waits for an approval,
//! `~ text` is part of an answer that went on, `@BOB` stands for how somebody is mentioned. Absence: nothing here knows a surface.

use async_trait::async_trait;

#[async_trait]
pub trait Player {
    /// Somebody says something where the team talks, or in the thread that is under way.
    async fn says(&mut self, who: &str, text: &str);

    /// Waits until that is seen by who spoke last, or `refused`.
    async fn sees(&mut self, text: &str, refused: bool);

    async fn fills(&mut self, field: &str, value: &str);

    async fn decides(&mut self, yes: bool);

    async fn waits_for_approval(&mut self);

    fn mention(&self, who: &str) -> String;

    /// Everything that was ever seen, for what must not be.
    fn everything(&self) -> String;
}

pub async fn play(player: &mut impl Player, story: &str) {
    for (at, line) in story.lines().enumerate() {
        let Some(indented) = line.strip_prefix("  ") else {
            if let Some((who, text)) = line.split_once(": ").filter(|_| !line.starts_with('#')) {
                let text = text.replace("@BOB", &player.mention("bob"));
                player.says(who, &text).await;
            }
            continue;
        };
        eprintln!("{}: {line}", at + 1);
        match indented.split_at(1.min(indented.len())) {
            ("!", text) => player.sees(text.trim(), true).await,
            ("@", _) => player.waits_for_approval().await,
            ("~", text) => player.sees(text.trim(), false).await,
            ("?", answer) => match answer.trim() {
                "yes" => player.decides(true).await,
                "no" => player.decides(false).await,
                field => {
                    let (field, value) = field.split_once(" = ").expect("field = value");
                    player.fills(field, value).await;
                }
            },
            _ => player.sees(indented, false).await,
        }
    }
    let everything = player.everything();
    assert!(!everything.contains("hunter2"), "a secret was shown: {everything}");
}

/// Every story file by name.
pub const STORIES: &[(&str, &str)] = &[
    ("first_day", include_str!("../stories/shared/first_day.story")),
    ("sharing", include_str!("../stories/shared/sharing.story")),
    ("secrets", include_str!("../stories/shared/secrets.story")),
    ("approvals", include_str!("../stories/shared/approvals.story")),
    ("ends", include_str!("../stories/shared/ends.story")),
];

pub fn story(name: &str) -> &'static str {
    STORIES.iter().find(|(known, _)| *known == name).expect("a story of that name").1
}
