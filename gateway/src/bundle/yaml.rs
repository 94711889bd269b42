//! A configuration without its secrets: written anew from what a parser sees, so that nothing of the text slips through
//! that was not looked at. Comments are gone, anchors and aliases stand as `&1` and `*1`.

use granit_parser::{Event, Parser};
use serde_json::{Map, Value};

use super::scrub::{MASK, Scrubber, is_reference, is_secret_name};

const MAX_DEPTH: usize = 64;

/// What a YAML text says, as JSON, without secrets; and the secrets, so that they can be looked for elsewhere.
pub(super) fn render(text: &str) -> Result<(Value, Vec<String>), String> {
    let options = granit_parser::options! {
        flow_nesting_limit: 2 * MAX_DEPTH,
        block_nesting_limit: 2 * MAX_DEPTH,
    };
    let mut reader = Reader::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, _) =
            event.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        reader.take(event);
    }
    Ok((Value::Array(reader.documents), reader.secrets))
}

enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

#[derive(Default)]
struct Reader {
    documents: Vec<Value>,
    /// What is open, each with whether it stands under a secret name.
    open: Vec<(Open, bool)>,
    secrets: Vec<String>,
}

impl Reader {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum of the parser may grow")]
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Scalar(text, ..) => {
                let text = text.into_owned();
                if let Some((Open::Map(_, key @ None), _)) = self.open.last_mut() {
                    *key = Some(text);
                    return;
                }
                let shown = if self.is_secret() && !is_reference(&text) && !text.is_empty() {
                    self.secrets.push(text);
                    MASK.to_owned()
                } else {
                    Scrubber::default().value(&text)
                };
                self.put(Value::String(shown));
            }
            Event::SequenceStart(..) => self.open.push((Open::List(Vec::new()), self.is_secret())),
            Event::MappingStart(..) => self.open.push((Open::Map(Map::new(), None), self.is_secret())),
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = self.open.pop().map(|(open, _)| match open {
                    Open::List(list) => Value::Array(list),
                    Open::Map(map, _) => Value::Object(map),
                });
                if let Some(closed) = closed {
                    self.put(closed);
                }
            }
            Event::Alias(anchor) => self.put(Value::String(format!("*{anchor}"))),
            _ => {}
        }
    }

    /// Whether what comes next is not to be shown.
    fn is_secret(&self) -> bool {
        match self.open.last() {
            Some((Open::Map(_, Some(key)), inherited)) => *inherited || is_secret_name(key),
            Some((_, inherited)) => *inherited,
            None => false,
        }
    }

    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            Some((Open::List(list), _)) => list.push(value),
            Some((Open::Map(map, key), _)) => match key.take() {
                Some(key) => drop(map.insert(Scrubber::default().value(&key), value)),
                // A key that is no text: a list or a map.
                None => *key = Some(value.to_string()),
            },
            None => self.documents.push(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_however_they_are_written() {
        let text = "\
# password: SECRET1
gateway:
  cloud: { url: 'wss://a:SECRET2@cloud:7443', token: \"SECRET3\" }
  mqtt:
    external:
      username: SECRET4
      password: |
        SECRET5
        SECRET6
      ? token
      : - SECRET7
        - { inner: SECRET8 }
  other: &x SECRET-NOT
  again: *x
  \"pass\\u0077ord\": SECRET9
  from: { password: \"${env:BROKER}\" }
devices: { pump: { opcua: { url: opc.tcp://10.0.0.1, user: SECRETA, password: SECRETB } } }
";
        let (value, secrets) = render(text).unwrap();
        let said = value.to_string();
        for n in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B"] {
            assert!(!said.contains(&format!("SECRET{n}")), "SECRET{n} is in {said}");
        }
        assert!(
            said.contains("${env:BROKER}")
                && said.contains("opc.tcp://10.0.0.1")
                && said.contains("SECRET-NOT")
        );
        assert!(
            secrets.contains(&"SECRET3".to_owned())
                && secrets.iter().any(|secret| secret.contains("SECRET6"))
        );
    }

    #[test]
    fn what_cannot_be_parsed_is_not_shown() {
        assert!(render("a: [unclosed").is_err());
        assert!(render("{".repeat(1000).as_str()).is_err());
        let laughs = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n";
        assert!(render(laughs).unwrap().0.to_string().len() < 200);
    }
}
