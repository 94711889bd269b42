//! One datapoint: its registers, its type, its scale, and when it is reported.

use crate::fields::Fields;
use crate::plan::{Access, Area, Data, Point, Property};
use crate::read::Node;
use crate::report::Report;
use crate::thingsboard::milliseconds;

/// How many properties one range of addresses may become.
const MOST_IN_RANGE: i64 = 1_000;

/// The datapoints of a slave.
pub(super) struct Datapoints {
    byte_order: Option<String>,
    word_order: Option<String>,
    every: Option<u64>,
    reports: Reports,
    properties: Vec<Property>,
}

/// When values are passed on.
#[derive(Debug, Clone, Copy, Default)]
struct Reports {
    max_silence: Option<u64>,
    min_interval: Option<u64>,
}

impl Datapoints {
    pub(super) fn new(slave: &Fields<'_>, report: &mut Report) -> Self {
        let order = |key| slave.get(key).and_then(Node::text).map(str::to_owned);
        let period = slave.float("pollPeriod", report).or(slave.float("timeseriesPollPeriod", report));
        let attributes = slave.float("attributesPollPeriod", report);
        if let (Some(attributes), Some(period)) = (attributes, period)
            && attributes != period
        {
            slave.left("attributesPollPeriod", "attributes are read as often as time series here", report);
        }
        let mut points = Self {
            byte_order: order("byteOrder"),
            word_order: order("wordOrder"),
            every: period.map(milliseconds),
            reports: Reports::default(),
            properties: Vec::new(),
        };
        points.reports = points.reports(slave, report);
        points
    }

    pub(super) fn finish(self) -> Vec<Property> {
        self.properties
    }

    /// A time series or an attribute.
    pub(super) fn read(&mut self, fields: Fields<'_>, report: &mut Report) {
        if let Some(properties) = self.properties_of(&fields, report) {
            let code = fields.int("functionCode", report).unwrap_or(3);
            if code > 4 {
                fields.left("functionCode", format!("{code} does not read, so this is left out"), report);
            } else {
                self.properties.extend(properties);
            }
        }
        fields.finish(report);
    }

    /// Something that is written: a property that is read as well becomes writable.
    pub(super) fn written(&mut self, fields: Fields<'_>, report: &mut Report) {
        let code = fields.int("functionCode", report).unwrap_or(6);
        let Some(properties) = self.properties_of(&fields, report) else { return };
        if code <= 4 {
            // It asks for what is read anyway, or for what nobody else reads.
            for property in properties {
                if !self.properties.iter().any(|known| known.point == property.point) {
                    let what = "a value read on request: it is read all the time here";
                    self.properties.push(Property { looks: vec![what.into()], ..property });
                }
            }
            fields.pass_over(&["value"]);
            fields.finish(report);
            return;
        }
        if fields.get("value").is_some() {
            fields.left("value", "a fixed value to be written: write it as desired value", report);
        }
        for property in properties {
            let same = |known: &&mut Property| {
                (known.point.area, known.point.start, known.point.bit)
                    == (property.point.area, property.point.start, property.point.bit)
            };
            match self.properties.iter_mut().find(same) {
                Some(known) if known.point.data == property.point.data => {
                    known.access = Access::ReadWrite;
                    if known.name != property.name {
                        known.looks.push(format!("written as `{}` there", property.name));
                    }
                    if known.point != property.point {
                        known.looks.push("it is written with another scale or order there".into());
                    }
                }
                Some(known) => {
                    let what = format!("it writes what `{}` reads, but as another type", known.name);
                    report.left(fields.place(), what);
                }
                None => self.properties.push(Property { access: Access::Write, ..property }),
            }
        }
        fields.finish(report);
    }

    /// What a datapoint becomes: one property, or one for each address of a range.
    fn properties_of(&self, fields: &Fields<'_>, report: &mut Report) -> Option<Vec<Property>> {
        let tag = fields.first(&["tag", "key"], |tag| Some(tag.to_owned())).unwrap_or_default();
        let code = fields.int("functionCode", report).unwrap_or(3);
        let area = match code {
            1 | 5 | 15 => Area::Coil,
            2 => Area::Discrete,
            3 | 6 | 16 => Area::Holding,
            4 => Area::Input,
            other => {
                fields.left("functionCode", format!("{other} is no function that is used here"), report);
                return None;
            }
        };
        let count = ["objectsCount", "registersCount", "registerCount"];
        let count = fields.first(&count, |text| text.parse::<u16>().ok()).unwrap_or(1).max(1);
        let kind = fields.text("type", report).unwrap_or("16int").to_ascii_lowercase();
        fields.pass_over(&["address", "byteOrder", "wordOrder", "bitTargetType", "maxRegistersPerRequest"]);
        let point = self.point(fields, area, &kind, count, report)?;
        let mut property = Property::new(tag, point);
        property.every = self.every;
        let reports = self.reports(fields, report);
        (property.max_silence, property.min_interval) = (reports.max_silence, reports.min_interval);
        self.at_addresses(fields, &property, (code, &kind, count), report)
    }

    fn at_addresses(
        &self,
        fields: &Fields<'_>,
        property: &Property,
        (code, kind, count): (i64, &str, u16),
        report: &mut Report,
    ) -> Option<Vec<Property>> {
        let address = fields.get("address")?;
        let range = address.text().filter(|text| text.contains('-') && address.int().is_none());
        let Some(range) = range else {
            let start = address.int().and_then(|start| u16::try_from(start).ok());
            let Some(start) = start else {
                fields.left("address", "it is no address from 0 to 65535", report);
                return None;
            };
            let point = Point { start, ..property.point.clone() };
            return Some(vec![Property { point, ..property.clone() }]);
        };
        let ends =
            range.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
        let Some((first, last)) = ends.filter(|(first, last): &(i64, i64)| {
            first <= last && *first >= 0 && *last <= 65_535 && last - first < MOST_IN_RANGE
        }) else {
            let what = format!("`{range}` is not a range of at most {MOST_IN_RANGE} addresses");
            fields.left("address", what, report);
            return None;
        };
        let overrides = fields.get("tagOverrides");
        let template = if property.name.contains("${address}") {
            property.name.clone()
        } else {
            format!("{}_${{address}}", property.name)
        };
        let mut properties = Vec::new();
        for start in (first..=last).step_by(usize::from(count)) {
            let own = overrides.and_then(|all| all.get(&start.to_string())).and_then(Node::text);
            let name = own.map_or_else(
                || {
                    let name = template.replace("${address}", &start.to_string());
                    let name = name.replace("${functionCode}", &code.to_string()).replace("${type}", kind);
                    name.replace("${objectsCount}", &count.to_string())
                },
                str::to_owned,
            );
            let start = u16::try_from(start).unwrap_or(u16::MAX);
            let point = Point { start, ..property.point.clone() };
            properties.push(Property { name, point, ..property.clone() });
        }
        Some(properties)
    }

    fn point(
        &self,
        fields: &Fields<'_>,
        area: Area,
        kind: &str,
        count: u16,
        report: &mut Report,
    ) -> Option<Point> {
        let data = match kind {
            "bit" | "bits" => return bits(fields, area, count, report),
            "string" => Some(Data::Text { words: count }),
            "bytes" => Some(Data::Bytes { words: count }),
            // The first byte of the register, whatever the order.
            "8int" => Some(Data::Byte { high: true, signed: true }),
            "8uint" => Some(Data::Byte { high: true, signed: false }),
            "16int" => Data::int(1, true),
            "16uint" => Data::int(1, false),
            "32int" => Data::int(2, true),
            "32uint" => Data::int(2, false),
            "64int" => Data::int(4, true),
            "64uint" => Data::int(4, false),
            "32float" => Data::float(2),
            "64float" => Data::float(4),
            "int" | "long" | "integer" | "word" | "dword" | "dword/integer" => Data::int(count, true),
            "uint" | "unsigned" | "unsigned int" | "unsigned integer" => Data::int(count, false),
            "float" | "double" => Data::float(count),
            _ => None,
        };
        let Some(data) = data else {
            fields.left("type", format!("`{kind}` of {count} registers is not read here"), report);
            return None;
        };
        let point = Point::new(area, 0, data);
        if !data.is_number() {
            return Some(point);
        }
        let little = |own: Option<&Node>, common: &Option<String>| {
            let order = own.and_then(Node::text).or(common.as_deref()).unwrap_or("LITTLE");
            !order.eq_ignore_ascii_case("BIG")
        };
        let bytes = little(fields.get("byteOrder"), &self.byte_order);
        let words = little(fields.get("wordOrder"), &self.word_order);
        let ordered = !matches!(data, Data::Byte { .. });
        let mut point = point.ordered(bytes && ordered, words);
        scale(&mut point, fields, report);
        if let Some(variants) = fields.get("variants") {
            names(&mut point, variants, fields, report);
        }
        Some(point)
    }

    fn reports(&self, fields: &Fields<'_>, report: &mut Report) -> Reports {
        let period = self.every.unwrap_or(1_000);
        let mut reports = self.reports;
        if let Some(only_changes) = fields.bool("sendDataOnlyOnChange", report) {
            let silence = fields.float("reportPeriod", report).map_or(period, milliseconds);
            reports.max_silence = (!only_changes).then_some(silence);
        }
        let Some(strategy) = fields.map("reportStrategy", report) else { return reports };
        let every = strategy.float("reportPeriod", report).map_or(60_000, milliseconds);
        reports = match strategy
            .text("type", report)
            .unwrap_or("ON_REPORT_PERIOD")
            .to_ascii_uppercase()
            .as_str()
        {
            "ON_CHANGE" => Reports::default(),
            "ON_CHANGE_OR_REPORT_PERIOD" => Reports { max_silence: Some(every), min_interval: None },
            "ON_REPORT_PERIOD" => Reports { max_silence: Some(every), min_interval: Some(every) },
            "ON_RECEIVED" => Reports { max_silence: Some(period), min_interval: None },
            other => {
                strategy.left("type", format!("`{other}` is no way to report that is known here"), report);
                reports
            }
        };
        strategy.finish(report);
        reports
    }
}

/// Bits of coils and of registers. The first of several bits in one value have no counterpart: a property is one value.
fn bits(fields: &Fields<'_>, area: Area, count: u16, report: &mut Report) -> Option<Point> {
    let bit = fields.int("bit", report);
    if area.is_bits() {
        if count > 1 || bit.is_some_and(|bit| bit != 0) {
            let what = "several bits as one value: write a property for each of them";
            fields.left("objectsCount", what, report);
            return None;
        }
        return Some(Point::new(area, 0, Data::Bit));
    }
    let Some(bit) = bit.and_then(|bit| u8::try_from(bit).ok()) else {
        let what = "the bits of a register as one value: write a property with `bit: N` for each of them";
        fields.left("type", what, report);
        return None;
    };
    Some(Point { bit, ..Point::new(area, 0, Data::Bit) })
}

/// `divider` goes before `multiplier`; both together divide and multiply.
fn scale(point: &mut Point, fields: &Fields<'_>, report: &mut Report) {
    let divider = fields.float("divider", report).filter(|divider| *divider != 0.0);
    let multiplier = fields.float("multiplier", report).filter(|multiplier| *multiplier != 0.0);
    let factor = match (divider, multiplier) {
        (Some(divider), _) => Some(1.0 / divider),
        (None, multiplier) => multiplier,
    };
    if divider.is_some() && multiplier.is_some() {
        fields.left("multiplier", "beside a divider it is not used by newer versions, nor here", report);
    }
    *point = point.clone().scaled(factor, fields.float("offset", report));
    let digits = fields.int("round", report).and_then(|digits| u8::try_from(digits).ok());
    let decimals = divider
        .filter(|_| matches!(point.data, Data::Int { .. } | Data::Byte { .. }) && point.offset.is_none());
    point.precision = match decimals.map(f64::log10) {
        // A tenth is no number of its own to a computer: without this 3 / 10 would show as 0.30000000000000004.
        Some(power) if power.fract() == 0.0 && (1.0..=9.0).contains(&power) =>
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 1 to 9")]
            Some(power as u8)
        }
        Some(_) => None,
        None => digits.filter(|_| matches!(point.data, Data::Float { .. }) && point.scale.is_none()),
    };
}

fn names(point: &mut Point, variants: &Node, fields: &Fields<'_>, report: &mut Report) {
    for (number, name) in variants.entries().unwrap_or(&[]) {
        match (number.parse::<i64>(), name.text()) {
            (Ok(number), Some(name)) => drop(point.names.insert(number, name.to_owned())),
            _ => fields.left("variants", format!("`{number}` is not a whole number with a name"), report),
        }
    }
}
