//! `twinspan probe modbus`: what could these registers mean?

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use config::Check as _;
use mapper_sdk::{Driver as _, Fault, Session as _, Verdict};
use modbus::link::Parity;
use modbus::probe::{Expected, Reading, readings};
use modbus::{Area, Link, Modbus, ModbusSession};

use super::BAD_SETTINGS;

/// What to probe.
#[derive(Debug, Args)]
pub(super) struct Probe {
    /// Host and port of a device, or a serial port such as /dev/ttyUSB0.
    address: String,
    /// The unit id.
    #[arg(long, default_value_t = 1)]
    unit: u8,
    /// The number of a holding register, as the manual has it.
    #[arg(long, required_unless_present = "input", conflicts_with = "input")]
    holding: Option<u16>,
    /// The number of an input register, as the manual has it.
    #[arg(long)]
    input: Option<u16>,
    /// How many registers to read from there.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    count: u16,
    /// What the device shows: a number such as 21.5 or a range such as 20..22.
    #[arg(long)]
    expect: Option<Expected>,
    /// The frames of a serial line, also one behind host and port; without it rtu on a serial port and Modbus TCP elsewhere.
    #[arg(long, value_parser = PossibleValuesParser::new(["rtu", "ascii"]))]
    framing: Option<String>,
    /// Bits per second of a serial port.
    #[arg(long, default_value_t = 19_200)]
    baud: u32,
    /// The parity of a serial port.
    #[arg(long, default_value = "even", value_parser = PossibleValuesParser::new(["none", "even", "odd"]))]
    parity: String,
    /// The stop bits of a serial port, 1 or 2; without it 1, and 2 without parity.
    #[arg(long)]
    stop_bits: Option<u8>,
    /// The data bits of a serial port; without it 8, and 7 with ascii.
    #[arg(long)]
    data_bits: Option<u8>,
    /// How long an answer may take, in milliseconds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    timeout: u64,
}

/// Ends with 0, 64 when there can be no such device, 1 when it does not answer.
pub(super) fn probe(probe: &Probe) -> ExitCode {
    let link = link(probe);
    if let Err(fault) = link.check() {
        eprintln!("error: {}; {}", fault.message, fault.hint);
        return ExitCode::from(BAD_SETTINGS);
    }
    super::block_on(run(probe, &link))
}

/// How the device is reached.
fn link(probe: &Probe) -> Link {
    let (address, unit) = (&*probe.address, probe.unit);
    let ascii = probe.framing.as_deref() == Some("ascii");
    let link = if address.starts_with('/') {
        let link =
            if ascii { Link::ascii(address, probe.baud, unit) } else { Link::rtu(address, probe.baud, unit) };
        let parity = match &*probe.parity {
            "none" => Parity::None,
            "odd" => Parity::Odd,
            _ => Parity::Even,
        };
        link.with_line(Some(parity), probe.stop_bits, probe.data_bits)
    } else if ascii {
        Link::ascii_over_tcp(address, unit)
    } else if probe.framing.is_some() {
        Link::rtu_over_tcp(address, unit)
    } else {
        Link::tcp(address, unit)
    };
    link.with_timeout(Duration::from_millis(probe.timeout))
}

async fn run(probe: &Probe, link: &Link) -> anyhow::Result<()> {
    let (area, number) = match (probe.holding, probe.input) {
        (Some(number), _) => (Area::Holding, number),
        (None, number) => (Area::Input, number.unwrap_or_default()),
    };
    let mut session = Modbus::default().connect(link).await?;
    let (mut plausible, mut read) = (Vec::new(), 0);
    let customs = [("0", Some(number)), ("1", number.checked_sub(1))];
    for (from, start) in customs.into_iter().filter_map(|(from, start)| Some((from, start?))) {
        if let Some(found) = show(&mut session, probe, area, (from, number, start)).await? {
            plausible.extend(found);
            read += 1;
        }
    }
    session.close().await;
    anyhow::ensure!(read > 0, "the device answers, but gives none of these registers");
    print_yaml(probe, &plausible);
    Ok(())
}

/// Prints what one custom of counting gives, and hands back what is plausible; none where the device gives nothing.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn show(
    session: &mut ModbusSession,
    probe: &Probe,
    area: Area,
    (from, number, start): (&str, u16, u16),
) -> Result<Option<Vec<Reading>>, Fault> {
    println!("{area} {number}, counted from {from} (`{}: {start}`)", area.key());
    let words = match session.words(area, start, probe.count).await {
        Ok(words) => words,
        Err(fault) if fault.verdict() == Verdict::Reconnect => return Err(fault),
        Err(fault) => {
            println!("  {fault}\n");
            return Ok(None);
        }
    };
    let raw: Vec<String> = words.iter().map(|word| format!("{word:04x}")).collect();
    println!("  raw: {}", raw.join(" "));
    let mut plausible = Vec::new();
    for (at, place) in (start..).zip(0..words.len()) {
        let found = readings(area, at, &words[place..], probe.expect);
        for reading in found {
            // All types at the place that was asked for; elsewhere only what is expected.
            if place == 0 || reading.plausible.is_some() {
                let mark = if reading.plausible.is_some() { "*" } else { " " };
                println!("  {mark} {:<28} {}", reading.value.to_string(), reading.yaml());
            }
            plausible.extend(Some(reading).filter(|reading| reading.plausible.is_some()));
        }
    }
    println!();
    Ok(Some(plausible))
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print_yaml(probe: &Probe, plausible: &[Reading]) {
    if probe.expect.is_none() {
        return;
    }
    let mut seen = std::collections::BTreeSet::new();
    let lines: Vec<String> =
        plausible.iter().map(Reading::yaml).filter(|line| seen.insert(line.clone())).collect();
    if lines.is_empty() {
        println!(
            "nothing here gives what is expected; try another --holding or --input, or a larger --count"
        );
        return;
    }
    println!("plausible (the property is a float or an int):");
    for line in lines {
        println!("  {line}");
    }
}
