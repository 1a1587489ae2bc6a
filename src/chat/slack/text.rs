//! Text as Slack writes it: what a person typed, as they meant it, and our own words made safe for it.
//!
//! Slack's `text` alone is read. The `rich_text` blocks beside it tell the same with exact formatting, and all that an agent could
//! use of that, code, stands in `text` between backticks. Invariant: what Slack escaped is taken back exactly once.

use std::borrow::Cow;

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
    let mut rest = text.trim();
    let mut mentions_bot = false;
    while let Some(after) = after_mention(rest, bot) {
        mentions_bot = true;
        rest = after;
    }
    let links = if rest.starts_with('/') { Links::Address } else { Links::Markdown };
    let (text, seen) = plain(rest, links, bot);
    Said { text, mentions_bot: mentions_bot || seen }
}

/// The text of a slash command: of links only the address is kept.
pub fn typed(text: &str) -> String {
    plain(text.trim(), Links::Address, "").0
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

fn plain(text: &str, links: Links, bot: &str) -> (String, bool) {
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
        match inside.and_then(|inside| Some((inside, reference(inside, links)?))) {
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
fn reference(inside: &str, links: Links) -> Option<String> {
    let (what, label) = match inside.split_once('|') {
        Some((what, label)) => (what, Some(label).filter(|l| !l.is_empty())),
        None => (inside, None),
    };
    let named = |sign: char, name: &str| format!("{sign}{}", unescape(name.trim_start_matches(sign)));
    if let Some(user) = what.strip_prefix('@').filter(|id| !id.is_empty()) {
        // The id even where Slack adds the name: names are not unique.
        return Some(named('@', user));
    }
    if let Some(channel) = what.strip_prefix('#').filter(|id| !id.is_empty()) {
        return Some(named('#', label.unwrap_or(channel)));
    }
    if let Some(special) = what.strip_prefix('!').filter(|s| !s.is_empty()) {
        let mut parts = special.split('^');
        return Some(match (parts.next(), parts.next()) {
            (Some("subteam"), Some(id)) => named('@', label.unwrap_or(id)),
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
