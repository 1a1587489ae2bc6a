//! Text of others on its way to the terminal: whatever could move the cursor, set the title or hide something becomes visible.

/// The character that is shown for `c`. Line ends and tabs are for the caller.
pub fn visible(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '␡',
        // C1 controls begin escape sequences too; marks of direction can make text look like another.
        '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' => {
            '\u{fffd}'
        }
        '\u{2028}' | '\u{2029}' => ' ',
        c => c,
    }
}

/// One line: line ends and tabs become spaces.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { visible(c) }).collect()
}

/// Without colour sequences: a log line that was written for a terminal.
pub fn uncoloured(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        match after.find(|c: char| !c.is_ascii_digit() && c != ';') {
            Some(end) if after[end..].starts_with('m') => rest = &after[end + 1..],
            _ => {
                plain.push('␛');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let hostile = "a\x1b[2J\x1b]0;title\x07b\u{9b}31mc\x08\x7f\u{202e}d\re\u{85}";
        let shown = line(hostile);
        assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
        assert_eq!(shown, "a␛[2J␛]0;title␇b\u{fffd}31mc␈␡\u{fffd}d e\u{fffd}");
        for c in (0..=0x9f).filter_map(char::from_u32) {
            assert!(!visible(c).is_control(), "{c:?}");
        }
    }

    #[test]
    fn colours_of_a_log_line_go() {
        assert_eq!(uncoloured("\x1b[33m WARN\x1b[0m gaggle: x"), " WARN gaggle: x");
        assert_eq!(uncoloured("a\x1b[2Jb"), "a␛2Jb");
    }
}
