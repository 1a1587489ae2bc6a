#[test]
fn scratch() {
    let mut out = String::new();
    for line in std::fs::read_to_string("/tmp/lines.txt").unwrap().lines() {
        let line = line.replace("\\n", "\n");
        out.push_str(&match gaggle_commands::parse_text(&line) {
            Ok(c) => format!("> {line}\nOK {c:?}\n   {}\n   {}\n", c.to_text(), c.summary()),
            Err(u) => format!("> {line}\n{u}\n"),
        });
    }
    std::fs::write("/tmp/out.txt", out).unwrap();
}
