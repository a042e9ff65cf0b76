//! A check that a drawing is well-formed XML as far as drawings use it: tags that close, attributes in quotes, no stray
//! `<` or `&`.

/// Panics with what is wrong.
pub(crate) fn assert_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        assert_text(&rest[..start]);
        let end = rest[start..].find('>').map(|end| start + end).expect("a tag that ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closes what is open");
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(char::is_alphanumeric), "a tag's name: {name:?}");
        assert_attributes(attributes);
        if !is_empty {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    assert!(rest.trim().is_empty(), "after the end: {rest:?}");
}

fn assert_attributes(attributes: &str) {
    let mut rest = attributes.trim();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("an attribute in quotes");
        assert!(!names.contains(&name), "{name} twice in {attributes}");
        names.push(name);
        let (value, after) = value.split_once('"').expect("quotes that end");
        assert_text(value);
        assert!(!value.contains("NaN") && !value.contains("inf"), "a number: {value}");
        rest = after.trim_start();
    }
}

fn assert_text(text: &str) {
    for part in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;"];
        assert!(known.iter().any(|entity| part.starts_with(entity)), "a bare & in {text:?}");
    }
    let bad = |letter: char| letter.is_control() && !matches!(letter, '\n');
    assert!(!text.chars().any(bad), "a control character in {text:?}");
}
