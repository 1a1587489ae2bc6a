//! Text as Slack writes it: what a person typed, as they meant it, and our own words made safe for it.
//!
//! Slack's `text` alone is read. The `rich_text` blocks beside it tell the same with exact formatting, and all that an agent could
//! use of that, code, stands in `text` between backticks. Invariant: what Slack escaped is taken back exactly once.
//!
//! Commands are about ids, which are unique; what is said to an agent has names.

use std::borrow::Cow;

/// A name for the id of a person, a channel or a user group.
pub type Known<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Without the mention of the bot that it began with.
    pub text: String,
    /// Whether the bot is mentioned, wherever.
    pub mentions_bot: bool,
}

/// A message. What begins with a slash is a command, and treated as [`typed`] does.
pub fn meant(text: &str, bot: &str) -> Said {
    let (rest, first) = addressed(text, bot);
    let (text, seen) = plain(rest, links(rest), bot, None);
    Said { text, mentions_bot: first || seen }
}

/// The text of a slash command: of links only the address is kept.
pub fn typed(text: &str) -> String {
    plain(text.trim(), Links::Address, "", None).0
}

/// What is said to an agent in a message or command, with names in place of ids; the ids of its arguments stay.
pub fn spoken(text: &str, bot: &str, known: Known<'_>) -> String {
    let (rest, _) = addressed(text, bot);
    let with_ids = plain(rest, links(rest), bot, None).0;
    plain(rest, links(rest), bot, Some((free_text(&with_ids), known))).0
}

/// Whom and what the words for an agent name by ids alone.
pub fn unnamed(text: &str, bot: &str) -> Vec<String> {
    let (rest, _) = addressed(text, bot);
    let with_ids = plain(rest, links(rest), bot, None).0;
    if rest.starts_with('/') && free_text(&with_ids) == with_ids.len() {
        return Vec::new();
    }
    let inside = text.split('<').skip(1).filter_map(|part| Some(part.split_once('>')?.0));
    let ids = inside.filter_map(|inside| {
        let (what, label) = inside.split_once('|').unwrap_or((inside, ""));
        let id = what.strip_prefix('@').or_else(|| what.strip_prefix('#')).or_else(|| what.strip_prefix("!subteam^"))?;
        let is_id = id.len() > 6 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        (label.is_empty() && is_id).then(|| id.to_owned())
    });
    ids.collect()
}

/// Whether a command has words for an agent.
pub fn asks(text: &str, bot: &str) -> bool {
    matches!(gaggle_commands::parse_text(&meant(text, bot).text), Ok(gaggle_commands::Command::Ask(_)))
}

/// Without the mentions of the bot that it begins with; whether there were some.
fn addressed<'a>(text: &'a str, bot: &str) -> (&'a str, bool) {
    let mut rest = text.trim();
    let mut first = false;
    while let Some(after) = after_mention(rest, bot) {
        first = true;
        rest = after;
    }
    (rest, first)
}

fn links(text: &str) -> Links {
    if text.starts_with('/') { Links::Address } else { Links::Markdown }
}

/// Where the words for an agent begin. A command that has none ends before.
fn free_text(text: &str) -> usize {
    if !gaggle_commands::is_command(text) {
        return 0;
    }
    match gaggle_commands::parse_text(text) {
        Ok(gaggle_commands::Command::Ask(ask)) => {
            text.trim_end().strip_suffix(ask.message.trim_end()).map_or(text.len(), str::len)
        }
        _ => text.len(),
    }
}

fn after_mention<'a>(text: &'a str, bot: &str) -> Option<&'a str> {
    let inner = text.strip_prefix("<@")?;
    let (inside, after) = inner.split_once('>')?;
    let id = inside.split('|').next().unwrap_or(inside);
    (!bot.is_empty() && id == bot).then(|| after.trim_start_matches([':', ',']).trim_start())
}

#[derive(Clone, Copy, PartialEq)]
enum Links {
    Address,
    Markdown,
}

/// `names`: from which byte on there are names in place of ids.
fn plain(text: &str, links: Links, bot: &str, names: Option<(usize, Known<'_>)>) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut mentioned = false;
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((c, after)) = entity(rest) {
            out.push(c);
            rest = after;
            continue;
        }
        let inside = rest
            .strip_prefix('<')
            .and_then(|r| r.find(['>', '<', '\n']).filter(|end| r.as_bytes()[*end] == b'>').map(|end| &r[..end]));
        let known = names.filter(|(from, _)| out.len() >= *from).map(|(_, known)| known);
        match inside.and_then(|inside| Some((inside, reference(inside, links, known)?))) {
            Some((inside, shown)) => {
                mentioned |= !bot.is_empty() && inside.strip_prefix('@').is_some_and(|id| id.split('|').next() == Some(bot));
                out.push_str(&shown);
                rest = &rest[inside.len() + 2..];
            }
            None => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    (out, mentioned)
}

fn entity(text: &str) -> Option<(char, &str)> {
    [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')].into_iter().find_map(|(name, c)| Some((c, text.strip_prefix(name)?)))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (c, after) = entity(rest).unwrap_or(('&', &rest[1..]));
        out.push(c);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands between `<` and `>`.
fn reference(inside: &str, links: Links, known: Option<Known<'_>>) -> Option<String> {
    let (what, label) = match inside.split_once('|') {
        Some((what, label)) => (what, Some(label).filter(|l| !l.is_empty())),
        None => (inside, None),
    };
    let named = |sign: char, name: &str| format!("{sign}{}", unescape(name.trim_start_matches(sign)));
    let called = |sign: char, id: &str| match (label, known.and_then(|known| known(id))) {
        (Some(label), _) => named(sign, label),
        (None, Some(name)) => format!("{sign}{name}"),
        (None, None) => named(sign, id),
    };
    if let Some(user) = what.strip_prefix('@').filter(|id| !id.is_empty()) {
        // For a command the id even where Slack adds the name: names are not unique.
        return Some(if known.is_some() { called('@', user) } else { named('@', user) });
    }
    if let Some(channel) = what.strip_prefix('#').filter(|id| !id.is_empty()) {
        return Some(called('#', channel));
    }
    if let Some(special) = what.strip_prefix('!').filter(|s| !s.is_empty()) {
        let mut parts = special.split('^');
        return Some(match (parts.next(), parts.next()) {
            (Some("subteam"), Some(id)) => called('@', id),
            (Some("date"), Some(second)) => unescape(label.unwrap_or(second)),
            (Some(name), None) => named('@', name),
            _ => unescape(label.unwrap_or(special)),
        });
    }
    if let Some(address) = what.strip_prefix("mailto:") {
        return Some(unescape(address));
    }
    if let Some(number) = what.strip_prefix("tel:") {
        return Some(unescape(label.unwrap_or(number)));
    }
    let (scheme, _) = what.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !is_scheme {
        return None;
    }
    let Some(label) = label else { return Some(unescape(what)) };
    // Slack takes `README.md` and `example.com` for addresses and writes `<http://README.md|README.md>`.
    if what.strip_prefix("http://").is_some_and(|bare| bare == label || bare.strip_suffix('/') == Some(label)) {
        return Some(unescape(label));
    }
    let shortened = label == what || what.strip_prefix("https://").is_some_and(|bare| bare == label);
    Some(match links {
        Links::Markdown if !shortened => format!("[{}]({})", unescape(label), unescape(what)),
        _ => unescape(what),
    })
}

/// Whether it has the form of a user's id.
pub fn is_user(id: &str) -> bool {
    id.starts_with(['U', 'W']) && id.len() > 6 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// For `mrkdwn`: the three signs that Slack gives a meaning to wherever they stand.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// For Markdown of our own: a name that stays a name, whatever signs it has.
pub fn literal(name: &str) -> Cow<'_, str> {
    const SIGNS: &[char] = &['\\', '*', '_', '~', '`', '[', ']', '<', '>', '&', '|', '#'];
    if !name.contains(SIGNS) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if SIGNS.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    Cow::Owned(out)
}

/// Standing between the letters of what would call people together, it takes the call away and is not seen.
pub(super) const UNSEEN: char = '\u{200b}';

const CALLS: [&str; 4] = ["here", "channel", "everyone", "group"];

/// Markdown in which nobody is mentioned. Works from left to right without looking ahead, so that it does the same to a text that
/// grows.
pub fn quiet(text: &str) -> Cow<'_, str> {
    if !text.contains(['@', '<']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        let before = &text[..at];
        if calls(before, c) {
            out.push(UNSEEN);
        }
        out.push(c);
    }
    Cow::Owned(out)
}

/// Whether `c` is the sign that completes a mention.
fn calls(before: &str, c: char) -> bool {
    match c {
        'U' | 'W' => before.ends_with("<@"),
        'C' | 'G' | 'D' if before.ends_with("<#") => true,
        '^' => before.ends_with("<!subteam"),
        _ => CALLS.iter().any(|word| {
            let (Some(end), start) = (word.chars().next_back(), word.len() - 1) else { return false };
            c.eq_ignore_ascii_case(&end)
                && before.len() > start
                && before.is_char_boundary(before.len() - start)
                && before[before.len() - start..].eq_ignore_ascii_case(&word[..start])
                && (before[..before.len() - start].ends_with('@') || before[..before.len() - start].ends_with("<!"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(text: &str) -> String {
        typed(text)
    }

    #[test]
    fn a_command_is_what_was_typed() {
        for (slack, want) in [
            ("project share demo <@U123ABC|ann>", "project share demo @U123ABC"),
            ("ask shop look at <http://README.md|README.md>", "ask shop look at README.md"),
            (
                "project create shop --repo <https://github.com/acme/shop>",
                "project create shop --repo https://github.com/acme/shop",
            ),
            ("--repo <https://github.com/acme/shop|github.com/acme/shop>", "--repo https://github.com/acme/shop"),
            ("--repo <mailto:git@github.com|git@github.com>:acme/shop.git", "--repo git@github.com:acme/shop.git"),
            ("use <#C1|general> and <#C2> and <#C3|>", "use #general and #C2 and #C3"),
            ("<!here> <!channel|@channel> <!subteam^S1|@devs> <!subteam^S2>", "@here @channel @devs @S2"),
            ("on <!date^1392734382^{date}|18 Feb 2014>", "on 18 Feb 2014"),
            ("call <tel:+4930123|+49 30 123>", "call +49 30 123"),
            ("a &lt;b&gt; &amp;&amp; c &amp;lt;", "a <b> && c &lt;"),
            ("<https://x.org/?a=1&amp;b=2|x>", "https://x.org/?a=1&b=2"),
            ("“smart” –flag", "“smart” –flag"),
            ("a < b <nothing> <@> <", "a < b <nothing> <@> <"),
        ] {
            assert_eq!(command(slack), want, "{slack}");
        }
    }

    #[test]
    fn a_message_keeps_its_links_and_loses_the_bot_in_front() {
        let said = meant(" <@UBOT1234>: see <https://x.org/a|the log> ", "UBOT1234");
        assert_eq!(said, Said { text: "see [the log](https://x.org/a)".into(), mentions_bot: true });
        let said = meant("hello <@UBOT1234|gaggle> and <@U2>", "UBOT1234");
        assert_eq!(said, Said { text: "hello @UBOT1234 and @U2".into(), mentions_bot: true });
        let said = meant("<@U2> hello", "UBOT1234");
        assert_eq!(said, Said { text: "@U2 hello".into(), mentions_bot: false });
        let said = meant("<@UBOT1234> /project create x --repo <https://x.org/a|the log>", "UBOT1234");
        assert_eq!(said.text, "/project create x --repo https://x.org/a");
        assert_eq!(meant("<@UBOT1234>", "UBOT1234").text, "");
    }

    #[test]
    fn agents_are_told_names() {
        let known = |id: &str| {
            let names = [("U0BOB1234", "Bob <3"), ("C0GENERAL", "general"), ("S0TEAM001", "devs"), ("UBOT12345", "gaggle")];
            names.iter().find(|(known, _)| *known == id).map(|(_, name)| (*name).to_owned())
        };
        for (slack, want) in [
            ("ask <@U0BOB1234> and <@U0CAT1234|cat.x>", "ask @Bob <3 and @cat.x"),
            ("in <#C0GENERAL>, <#C0OTHER12|> or <#C0DEV1234|dev>", "in #general, #C0OTHER12 or #dev"),
            ("<!subteam^S0TEAM001> <!subteam^S0OTHER12|@ops> <!here>", "@devs @ops @here"),
            ("<@UBOT12345> hi <@UBOT12345>, could you look?", "hi @gaggle, could you look?"),
            ("/project share demo <@U0BOB1234>", "/project share demo @U0BOB1234"),
            ("/ask <@U0BOB1234>/demo tell <@U0BOB1234> of <#C0GENERAL>", "/ask @U0BOB1234/demo tell @Bob <3 of #general"),
            ("<@UBOT12345> /ask demo <@U0BOB1234>", "/ask demo @Bob <3"),
            ("/ask demo", "/ask demo"),
        ] {
            assert_eq!(spoken(slack, "UBOT12345", &known), want, "{slack}");
        }
        assert_eq!(
            unnamed("<@U0BOB1234> <@U0CAT1234|cat> <#C0GENERAL> <!subteam^S0TEAM001> <!here> <https://x.org> <@>", ""),
            ["U0BOB1234", "C0GENERAL", "S0TEAM001"]
        );
        assert_eq!(unnamed("/project share demo <@U0BOB1234>", ""), [""; 0]);
    }

    #[test]
    fn nobody_is_called() {
        assert_eq!(
            quiet("<!here> @everyone <@U1> <!subteam^S1> @Channel"),
            "<!her\u{200b}e> @everyon\u{200b}e <@\u{200b}U1> <!subteam\u{200b}^S1> @Channe\u{200b}l"
        );
        assert_eq!(quiet("ann@example.com <b> @ann <!-- x -->"), "ann@example.com <b> @ann <!-- x -->");
    }

    proptest! {
        #[test]
        fn any_text_is_understood(text in "[<>@#!&|^:;a-zA-Z0-9 \\n“]{0,60}", bot in "U[A-Z0-9]{0,3}") {
            let _ = meant(&text, &bot);
            let _ = typed(&text);
            let _ = (spoken(&text, &bot, &|_| Some("x".into())), unnamed(&text, &bot));
        }

        #[test]
        fn what_is_escaped_comes_back(text in "\\PC{0,80}") {
            prop_assert_eq!(typed(&escape(&text)), text.trim());
        }

        #[test]
        fn quiet_text_grows_as_its_source_does(text in "(<!|<@|<#|@|U1|C1|here|channel|subteam\\^|é| ){0,12}") {
            let whole = quiet(&text).into_owned();
            for (at, _) in text.char_indices() {
                prop_assert!(whole.starts_with(&*quiet(&text[..at])));
            }
        }
    }
}
