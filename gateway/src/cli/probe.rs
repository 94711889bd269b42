//! `twinspan probe modbus`: what could these registers mean?

use std::process::ExitCode;

use clap::Args;
use mapper_sdk::{Driver as _, Session as _};
use modbus::probe::{Expected, Reading, readings};
use modbus::{Area, Link, Modbus, ModbusSession};

/// What to probe.
#[derive(Debug, Args)]
pub(super) struct Probe {
    /// Host and port of a Modbus TCP device, or a serial port such as /dev/ttyUSB0.
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
    /// Bits per second of a serial port (eight data bits, no parity, one stop bit).
    #[arg(long, default_value_t = 9600)]
    baud: u32,
}

/// Ends with 0, or 1 when the device does not answer.
pub(super) fn probe(probe: &Probe) -> ExitCode {
    super::block_on(run(probe))
}

async fn run(probe: &Probe) -> anyhow::Result<()> {
    let link = if probe.address.starts_with('/') {
        Link::rtu(&probe.address, probe.baud, probe.unit)
    } else {
        Link::tcp(&probe.address, probe.unit)
    };
    let (area, number) = match (probe.holding, probe.input) {
        (Some(number), _) => (Area::Holding, number),
        (None, number) => (Area::Input, number.unwrap_or_default()),
    };
    let mut session = Modbus::default().connect(&link).await?;
    let mut plausible = Vec::new();
    let customs = [("0", Some(number)), ("1", number.checked_sub(1))];
    for (from, start) in customs.into_iter().filter_map(|(from, start)| Some((from, start?))) {
        plausible.extend(show(&mut session, probe, area, (from, number, start)).await);
    }
    session.close().await;
    print_yaml(probe, &plausible);
    Ok(())
}

/// Prints what one custom of counting gives, and hands back what is plausible.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn show(
    session: &mut ModbusSession,
    probe: &Probe,
    area: Area,
    (from, number, start): (&str, u16, u16),
) -> Vec<Reading> {
    println!("{area} {number}, counted from {from} (`{}: {start}`)", area.key());
    let words = match session.words(area, start, probe.count).await {
        Ok(words) => words,
        Err(fault) => {
            println!("  {fault}\n");
            return Vec::new();
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
    plausible
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
