//! The tables of keys in docs/configuration.md are those of the types.

use std::path::Path;

const RENEW: &str = "TWINSPAN_RENEW";

/// The text with what stands between `begin` and `end` replaced; none where they do not stand in it.
fn replaced(text: &str, begin: &str, end: &str, with: &str) -> Option<String> {
    let from = text.find(begin)? + begin.len();
    let to = from + text[from..].find(end)?;
    Some(format!("{}{with}{}", &text[..from], &text[to..]))
}

#[test]
fn every_key_stands_in_the_documentation_as_the_types_have_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let written = std::fs::read_to_string(&path).expect("docs/configuration.md");
    let schema = config::json_schema(&twinspan::wiring::protocols());
    let mut now = written.clone();
    for section in config_import::key_tables(&schema) {
        let begin = format!("<!-- keys: {} -->\n", section.title);
        let next = replaced(&now, &begin, "<!-- end of keys -->", &section.table);
        now = next.unwrap_or_else(|| panic!("docs/configuration.md has no place {begin}"));
    }
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&path, now).expect("docs/configuration.md");
        return;
    }
    let drift = written.lines().zip(now.lines()).find(|(written, now)| written != now);
    assert!(
        written == now,
        "docs/configuration.md is not what the types say; renew it: {RENEW}=1 cargo test -p twinspan --test keys\n{drift:?}"
    );
}
