//! The history of a property: what is asked, and how it is answered, as JSON and as CSV.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use twin_core::history::{Bucket, Fold, Reading, SampleRange, Span};
use twin_core::{DeviceDefinition, DeviceId, PropertyId, PropertyName, Timestamp, ValueType};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Problem, ProblemKind};
use crate::words::QualityWord;

const DAY_MS: i64 = 86_400_000;
/// The most items of one answer.
const MOST: u32 = 10_000;
const USUAL: u32 = 1_000;
/// The most stretches between `from` and `to`.
const MOST_STEPS: i64 = 1_000_000;

/// Which part of which history.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// The property.
    pub property: String,
    /// From this moment on: milliseconds since 1970, or so long ago, like `-24h`. A day before `to` when left out.
    pub from: Option<String>,
    /// Before this moment, written like `from`; now when left out.
    pub to: Option<String>,
    /// Put the samples of so long a time together, like `1m` (units ms, s, m, h, d); every sample by itself when left out.
    pub step: Option<String>,
    /// What is made of the samples of a step: `min`, `max`, `mean`, `last` or `count`; `mean` for numbers and `last` for
    /// the rest when left out. What is of bad quality is left out and counted.
    #[serde(rename = "fn")]
    #[param(rename = "fn")]
    pub fold: Option<String>,
    /// The most items of the answer, 1 to 10000; 1000 when left out.
    pub limit: Option<u32>,
    /// Go on here: the `next` of the answer before, with the same `from`, `to`, `step` and `fn`.
    pub after: Option<String>,
    /// `json` or `csv`; what the header `Accept` prefers when left out.
    pub format: Option<String>,
}

/// What is read of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryAsk {
    /// Samples.
    Samples(SampleRange),
    /// Stretches.
    Steps(Span, Fold),
}

/// A question that has been understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRequest {
    /// What to read. Its limit is one more than what is shown, so that it is seen whether there is more.
    pub ask: HistoryAsk,
    /// Whether the answer is CSV.
    pub csv: bool,
    limit: u32,
    from: Timestamp,
    to: Timestamp,
}

/// A part of the history of one property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryPage {
    /// The device.
    pub device: String,
    /// The property.
    pub property: String,
    /// From this moment on. Give it with `next`.
    pub from: i64,
    /// Before this moment. Give it with `next`.
    pub to: i64,
    /// The length of a step in milliseconds, where samples were put together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_ms: Option<u64>,
    /// What was made of the samples of a step.
    #[serde(rename = "fn", default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<String>,
    /// What was known just before `from`; left out where nothing was, and on later pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<HistoryItem>,
    /// Samples in order of time, or steps in which there were samples.
    pub items: Vec<HistoryItem>,
    /// To be given as `after` for what comes next; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A sample, or what the samples of a step come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryItem {
    /// Since when it was so; the beginning of the step.
    pub at: i64,
    /// The value; left out where only the quality changed, and in a step without a value that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// How far it can be believed; of samples only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityWord>,
    /// Why not further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The device's own time of the value, if it has a clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_time: Option<i64>,
    /// How many values were used; of steps only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many samples were of bad quality; of steps only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<u64>,
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::BadRequest, detail)
}

/// A number with a unit, in milliseconds.
fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)? {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

/// The furthest moment that is taken: in the year 9999, either way.
const FAR_MS: i64 = 253_402_300_799_999;

fn moment(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let ago = || text.strip_prefix('-').and_then(duration_ms).map(|ms| now.as_millis().saturating_sub(ms));
    let ms = text.parse::<i64>().ok().or_else(ago).filter(|ms| (-FAR_MS..=FAR_MS).contains(ms));
    ms.map(Timestamp::from_millis).ok_or_else(|| {
        bad(format!("{name} must be milliseconds since 1970, or how long ago it is, like -24h or -30m"))
    })
}

impl HistoryRequest {
    /// Understands what is asked of the history of a device of this definition.
    ///
    /// # Errors
    /// [`Problem`] says what cannot be, and what to write.
    pub fn read(
        query: &HistoryQuery,
        device: &DeviceId,
        definition: &DeviceDefinition,
        accepts_csv: bool,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let csv = match query.format.as_deref() {
            None => accepts_csv,
            Some("csv") => true,
            Some("json") => false,
            Some(_) => return Err(bad("format must be json or csv")),
        };
        let property: PropertyName = query.property.parse().map_err(|e| bad(format!("property: {e}")))?;
        let Some(known) = definition.properties.get(&property) else {
            let detail = format!("device {device} has no property {property}");
            return Err(Problem::new(ProblemKind::UnknownProperty, detail));
        };
        if known.history.is_none() {
            let detail = format!(
                "no history is kept of {property} of {device}: write `history: 30d` to the property in the configuration"
            );
            return Err(Problem::new(ProblemKind::NoHistory, detail));
        }
        let limit = query.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(bad(format!("limit must lie between 1 and {MOST}")));
        }
        let to = query.to.as_deref().map_or(Ok(now), |text| moment("to", text, now))?;
        let day_before = Timestamp::from_millis(to.as_millis().saturating_sub(DAY_MS));
        let from = query.from.as_deref().map_or(Ok(day_before), |text| moment("from", text, now))?;
        if from >= to {
            return Err(bad("from must be before to"));
        }
        let after = query.after.as_deref().map(place).transpose()?;
        let id = PropertyId::new(device.clone(), property);
        let ask = match &query.step {
            None if query.fold.is_some() => return Err(bad("fn needs a step, like step=1m")),
            None => {
                let after = after.map(|(at, seq)| (Timestamp::from_millis(at), seq));
                HistoryAsk::Samples(SampleRange { id, from, to, after, limit: limit + 1 })
            }
            Some(step) => {
                let fold = fold(query.fold.as_deref(), known.value_type, &id)?;
                let step_ms = step_ms(step, from, to)?;
                let first = after.map_or(0, |(number, _)| u64::try_from(number).unwrap_or(0));
                let step_ms = step_ms.unsigned_abs();
                HistoryAsk::Steps(Span { id, from, to, step_ms, first, limit: limit + 1 }, fold)
            }
        };
        Ok(Self { ask, csv, limit, from, to })
    }

    /// Whether what was known before the range belongs to the answer: on its first page.
    #[must_use]
    pub fn wants_before(&self) -> bool {
        match &self.ask {
            HistoryAsk::Samples(range) => range.after.is_none(),
            HistoryAsk::Steps(span, _) => span.first == 0,
        }
    }

    /// The property that is asked about, and from when.
    #[must_use]
    pub fn subject(&self) -> (&PropertyId, Timestamp) {
        match &self.ask {
            HistoryAsk::Samples(range) => (&range.id, range.from),
            HistoryAsk::Steps(span, _) => (&span.id, span.from),
        }
    }

    /// The answer of samples, each with the number that orders those of the same time.
    #[must_use]
    pub fn samples(&self, before: Option<&Reading>, samples: &[(u64, Reading)]) -> HistoryPage {
        let shown = samples.get(..self.limit as usize);
        let next = shown.and_then(<[_]>::last).filter(|_| samples.len() > self.limit as usize);
        let next = next.map(|(seq, reading)| format!("{}.{seq}", reading.at.as_millis()));
        let items =
            shown.unwrap_or(samples).iter().map(|(_, reading)| HistoryItem::sample(reading)).collect();
        self.page(before, items, next, None, None)
    }

    /// The answer of steps.
    #[must_use]
    pub fn steps(&self, before: Option<&Reading>, buckets: &[Bucket]) -> HistoryPage {
        let (step_ms, fold) = match &self.ask {
            HistoryAsk::Steps(span, fold) => (Some(span.step_ms), Some(fold.word().to_owned())),
            HistoryAsk::Samples(_) => (None, None),
        };
        let step = i64::try_from(step_ms.unwrap_or(1)).unwrap_or(i64::MAX);
        let at = |number: u64| {
            let offset = step.saturating_mul(i64::try_from(number).unwrap_or(i64::MAX));
            self.from.as_millis().saturating_add(offset)
        };
        let next = buckets.get(self.limit as usize).map(|bucket| format!("{}.0", bucket.number));
        let shown = buckets.iter().take(self.limit as usize);
        let items = shown
            .map(|bucket| HistoryItem {
                at: at(bucket.number),
                value: bucket.value.as_ref().map(twin_core::Value::to_json),
                quality: None,
                why: None,
                source_time: None,
                count: Some(bucket.count),
                bad: Some(bucket.bad),
            })
            .collect();
        self.page(before, items, next, step_ms, fold)
    }

    fn page(
        &self,
        before: Option<&Reading>,
        items: Vec<HistoryItem>,
        next: Option<String>,
        step_ms: Option<u64>,
        fold: Option<String>,
    ) -> HistoryPage {
        let (id, _) = self.subject();
        HistoryPage {
            device: id.device.to_string(),
            property: id.property.to_string(),
            from: self.from.as_millis(),
            to: self.to.as_millis(),
            step_ms,
            fold,
            before: before.map(HistoryItem::sample),
            items,
            next,
        }
    }
}

/// Reads a place that an answer has given: two numbers.
fn place(text: &str) -> Result<(i64, u64), Problem> {
    let parts = text.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    parts
        .filter(|(a, b): &(i64, u64)| (-FAR_MS..=FAR_MS).contains(a) && i64::try_from(*b).is_ok())
        .ok_or_else(|| bad("after must be the `next` of an earlier answer"))
}

fn fold(word: Option<&str>, value_type: ValueType, id: &PropertyId) -> Result<Fold, Problem> {
    let is_number = match value_type {
        ValueType::Bool | ValueType::Int | ValueType::Float => true,
        ValueType::String | ValueType::Bytes | ValueType::Json => false,
    };
    let fold = match word {
        None if is_number => Fold::Mean,
        None => Fold::Last,
        Some(word) => Fold::ALL
            .into_iter()
            .find(|fold| fold.word() == word)
            .ok_or_else(|| bad("fn must be min, max, mean, last or count"))?,
    };
    if fold.of_numbers() && !is_number {
        let property = &id.property;
        return Err(bad(format!(
            "{fold} is for numbers, and {property} is a {value_type}: take last or count"
        )));
    }
    Ok(fold)
}

fn step_ms(text: &str, from: Timestamp, to: Timestamp) -> Result<i64, Problem> {
    let step = duration_ms(text).filter(|ms| *ms > 0);
    let step = step.ok_or_else(|| bad("step must be a number and a unit: 500ms, 10s, 1m, 6h or 1d"))?;
    let range = to.as_millis().saturating_sub(from.as_millis());
    if range / step >= MOST_STEPS {
        let least = range / MOST_STEPS + 1;
        return Err(bad(format!(
            "step is too fine for the range: {MOST_STEPS} steps at most; write at least step={least}ms, or a shorter range"
        )));
    }
    Ok(step)
}

impl HistoryItem {
    fn sample(reading: &Reading) -> Self {
        Self {
            at: reading.at.as_millis(),
            value: reading.value.as_ref().map(twin_core::Value::to_json),
            quality: Some(QualityWord::from(&reading.quality)),
            why: reading.quality.why().map(|why| why.word().to_owned()),
            source_time: reading.source_time.map(Timestamp::as_millis),
            count: None,
            bad: None,
        }
    }
}

impl HistoryPage {
    /// The media type of [`csv`](Self::csv).
    pub const CSV_TYPE: &'static str = "text/csv; charset=utf-8";

    /// The header of the HTTP answer that bears `next`, where the body cannot.
    pub const NEXT_HEADER: &'static str = "twinspan-next";

    /// The items as CSV (RFC 4180) with a line of names.
    #[must_use]
    pub fn csv(&self) -> String {
        let steps = self.step_ms.is_some();
        let mut text = String::from(if steps {
            "at,value,count,bad\r\n"
        } else {
            "at,value,quality,why,source_time\r\n"
        });
        for item in &self.items {
            let value = item.value.as_ref().map(cell).unwrap_or_default();
            let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
            // Writing to a text does not fail.
            let _ = if steps {
                write!(text, "{},{value},{},{}\r\n", item.at, number(item.count), number(item.bad))
            } else {
                let quality = item.quality.map_or("", QualityWord::as_str);
                let why = item.why.as_deref().map(quoted).unwrap_or_default();
                let source = item.source_time.map(|ms| ms.to_string()).unwrap_or_default();
                write!(text, "{},{value},{quality},{why},{source}\r\n", item.at)
            };
        }
        text
    }
}

fn cell(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::Array(_) | Json::Object(_) => quoted(&value.to_string()),
    }
}

/// A cell as a spreadsheet reads it; a text that it would take for a formula gets an apostrophe before it.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::history::HistoryPolicy;
    use twin_core::{Access, PropertyDefinition, Quality, Value, Why};

    fn definition() -> DeviceDefinition {
        let mut definition = DeviceDefinition::default();
        for (name, value_type, history) in [
            ("flow", ValueType::Float, true),
            ("mode", ValueType::String, true),
            ("plain", ValueType::Int, false),
        ] {
            let mut property = PropertyDefinition::new(value_type, Access::Read);
            property.history = history.then(HistoryPolicy::default);
            definition.properties.insert(name.parse().unwrap(), property);
        }
        definition
    }

    fn read(change: impl FnOnce(&mut HistoryQuery)) -> Result<HistoryRequest, Problem> {
        let mut query = HistoryQuery { property: "flow".into(), ..HistoryQuery::default() };
        change(&mut query);
        let now = Timestamp::from_millis(10 * DAY_MS);
        HistoryRequest::read(&query, &"pump".parse().unwrap(), &definition(), false, now)
    }

    #[test]
    fn what_is_left_out_is_the_last_day_sample_by_sample() {
        let request = read(|_| {}).unwrap();
        let HistoryAsk::Samples(range) = &request.ask else { panic!("{request:?}") };
        assert_eq!((range.from.as_millis(), range.to.as_millis()), (9 * DAY_MS, 10 * DAY_MS));
        assert_eq!((range.limit, range.after, request.csv), (1001, None, false));
    }

    #[test]
    fn every_wrong_question_is_answered_with_what_to_write() {
        let text = |text: &str| Some(text.to_owned());
        let wrong: [(Result<HistoryRequest, Problem>, u16, &str); 14] = [
            (read(|q| q.property = "nosuch".into()), 404, "has no property nosuch"),
            (read(|q| q.property = "a b".into()), 400, "not a property name"),
            (read(|q| q.property = "plain".into()), 422, "write `history: 30d`"),
            (read(|q| q.from = text("yesterday")), 400, "like -24h"),
            (read(|q| q.to = text("99999999999999999")), 400, "to must be milliseconds"),
            (read(|q| q.from = text("-0s")), 400, "from must be before to"),
            (read(|q| q.step = text("1")), 400, "a number and a unit"),
            (read(|q| q.step = text("0s")), 400, "a number and a unit"),
            (read(|q| q.step = text("10ms")), 400, "at least step=87ms"),
            (read(|q| q.fold = text("max")), 400, "fn needs a step"),
            (read(|q| (q.step, q.fold) = (text("1m"), text("median"))), 400, "min, max, mean, last or count"),
            (
                read(|q| (q.property, q.step, q.fold) = ("mode".into(), text("1m"), text("max"))),
                400,
                "mode is a string: take last",
            ),
            (read(|q| q.limit = Some(0)), 400, "between 1 and 10000"),
            (read(|q| q.after = text("17")), 400, "`next` of an earlier answer"),
        ];
        for (answer, status, words) in wrong {
            let problem = answer.unwrap_err();
            assert!(problem.status == status && problem.detail.contains(words), "{problem:?}, not {words}");
        }
    }

    #[test]
    fn the_next_page_goes_on_where_this_one_ends() {
        let request = read(|q| q.limit = Some(2)).unwrap();
        let reading = |at| Reading {
            at: Timestamp::from_millis(at),
            source_time: None,
            quality: Quality::Good,
            value: Some(Value::Int(at)),
        };
        let three = [(4, reading(1)), (5, reading(2)), (6, reading(2))];
        let page = request.samples(Some(&reading(0)), &three);
        assert_eq!((page.items.len(), page.next.as_deref()), (2, Some("2.5")));
        assert_eq!(page.before.map(|item| item.at), Some(0));
        let request = read(|q| (q.limit, q.after) = (Some(2), page.next)).unwrap();
        let HistoryAsk::Samples(range) = &request.ask else { panic!("{request:?}") };
        assert_eq!(range.after, Some((Timestamp::from_millis(2), 5)));
        assert!(!request.wants_before());
        assert_eq!(request.samples(None, &three[2..]).next, None);

        let request = read(|q| (q.limit, q.step) = (Some(1), Some("1h".into()))).unwrap();
        let bucket = |number| Bucket { number, value: Value::float(1.5).ok(), count: 3, bad: 1 };
        let page = request.steps(None, &[bucket(3), bucket(7)]);
        assert_eq!((page.items[0].at, page.next.as_deref()), (9 * DAY_MS + 3 * 3_600_000, Some("7.0")));
        let request = read(|q| (q.limit, q.step, q.after) = (Some(1), Some("1h".into()), page.next)).unwrap();
        assert!(matches!(&request.ask, HistoryAsk::Steps(span, Fold::Mean) if span.first == 7));
    }

    #[test]
    fn csv_is_what_a_spreadsheet_reads_and_no_formula() {
        let request = read(|q| q.property = "mode".into()).unwrap();
        let reading = |value: Option<&str>, quality| Reading {
            at: Timestamp::from_millis(7),
            source_time: Some(Timestamp::from_millis(6)),
            quality,
            value: value.map(|text| Value::String(text.into())),
        };
        let rows = [
            (1, reading(Some("a \"b\", c"), Quality::Good)),
            (2, reading(None, Quality::Bad(Why::Stale))),
            (3, reading(Some("=1+1"), Quality::Good)),
        ];
        let csv = request.samples(None, &rows).csv();
        assert_eq!(
            csv,
            "at,value,quality,why,source_time\r\n7,\"a \"\"b\"\", c\",good,,6\r\n7,,bad,stale,6\r\n7,'=1+1,good,,6\r\n"
        );
        let request = read(|q| q.step = Some("1h".into())).unwrap();
        let bucket = Bucket { number: 0, value: Value::float(2.5).ok(), count: 2, bad: 1 };
        assert_eq!(
            request.steps(None, &[bucket]).csv(),
            format!("at,value,count,bad\r\n{},2.5,2,1\r\n", 9 * DAY_MS)
        );
    }
}
