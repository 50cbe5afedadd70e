//! One JSON object a line. `JSON.md` beside this crate's manifest names every `type`.

use serde::Serialize;

/// Version of what the lines mean; it rises when a field changes its meaning or goes away, not when one is added.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Line<'a, T> {
    r#type: &'a str,
    schema: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// `body`'s fields after `type` and `schema`. Rates that are not defined (NaN) become `null`.
pub(crate) fn line<T: Serialize>(kind: &str, body: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Line { r#type: kind, schema: SCHEMA, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kolmo::observe::Event;
    use kolmo::summary::SplitRates;

    #[test]
    fn type_and_schema_come_first_and_nan_is_null() {
        let rates = SplitRates { train: 3.5, validation: 3.25, test: f64::NAN };
        assert_eq!(line("rates", &rates).unwrap(), r#"{"type":"rates","schema":1,"train":3.5,"validation":3.25,"test":null}"#);
    }

    #[test]
    fn an_event_keeps_its_name() {
        let event = Event::Progress { stage: "encoding", done: 3, total: 9 };
        assert_eq!(line("event", &event).unwrap(), r#"{"type":"event","schema":1,"event":"progress","stage":"encoding","done":3,"total":9}"#);
    }
}
