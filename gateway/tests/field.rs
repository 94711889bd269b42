//! The commands for a technician at the device: plan, read, write and probe, against a simulated plant.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};

use modbus::sim::{Plant, SimError, SimFault, SimUnit};
use tempfile::NamedTempFile;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const NOBODY: &str = "127.0.0.1:1";

/// A plant with one boiler, and a configuration for it.
struct Field {
    unit: SimUnit,
    address: SocketAddr,
    config: NamedTempFile,
    stop: CancellationToken,
    _tasks: JoinSet<Result<(), SimError>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone, Copy)]
enum Over {
    Tcp,
    Rtu,
    Ascii,
}

impl Field {
    fn start(over: Over) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let unit = SimUnit::new(100);
        {
            let mut tables = unit.tables();
            tables.holding[10] = 0x41AC; // 21.5, the high word first
            tables.holding[20] = 215;
            tables.holding[21] = 1;
            tables.coils[0] = true;
        }
        let units = BTreeMap::from([(1, unit.clone())]);
        let plant = runtime.block_on(Plant::start("127.0.0.1:0".parse().expect("an address"), units));
        let plant = plant.expect("a plant");
        let address = plant.address();
        let plant = match over {
            Over::Tcp => plant,
            Over::Rtu => plant.over_rtu(),
            Over::Ascii => plant.over_ascii(),
        };
        let key = match over {
            Over::Tcp => "tcp",
            Over::Rtu => "rtu_over_tcp",
            Over::Ascii => "ascii_over_tcp",
        };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn_on(async move { plant.run(token).await }, runtime.handle());
        let config = written(&format!(
            "gateway: {{node: field}}\n\
             devices:\n  boiler:\n    modbus: {{{key}: \"{address}\", timeout: 500ms}}\n    properties:\n      \
             temperature: {{type: float, unit: degC, modbus: {{holding: 10, type: float32}}}}\n      \
             setpoint: {{type: float, unit: degC, access: read_write, range: [0, 90], modbus: {{holding: 20, scale: 0.1}}}}\n      \
             mode: {{type: string, access: read_write, modbus: {{holding: 21, enum: {{0: off, 1: eco, 2: boost}}}}}}\n      \
             pump: {{type: bool, access: read_write, modbus: {{coil: 0}}}}\n      \
             reset: {{type: bool, access: write, modbus: {{coil: 1}}}}\n      \
             gone: {{type: int, modbus: {{holding: 500}}}}\n  \
             outside:\n    properties:\n      level: {{type: int}}\n"
        ));
        Self { unit, address, config, stop, _tasks: tasks, _runtime: runtime }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let config = self.config.path().display().to_string();
        twinspan(&[arguments, &["--config", &config]].concat())
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn written(text: &str) -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("it can be written");
    file
}

/// What a command said, with times left out.
#[derive(Debug, PartialEq)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn twinspan(arguments: &[&str]) -> Said {
    let program = env!("CARGO_BIN_EXE_twinspan");
    let run =
        Command::new(program).args(arguments).env_remove("TWINSPAN_CONFIG").env("NO_COLOR", "1").output();
    let Output { status, stdout, stderr } = run.expect("it can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let timeless = |text: String| {
        let words = text.split_inclusive(char::is_whitespace);
        let mut after = "";
        let mut result = String::new();
        for word in words {
            let is_time = after.trim() == "took";
            result.push_str(if is_time { "N " } else { word });
            after = word;
        }
        result
    };
    Said { code: status.code(), out: timeless(text(stdout)), err: text(stderr) }
}

fn said(code: i32, out: &str, err: &str) -> Said {
    Said { code: Some(code), out: out.to_owned(), err: err.to_owned() }
}

#[test]
fn a_property_is_read_with_its_raw_registers_over_every_kind_of_frame() {
    for over in [Over::Tcp, Over::Rtu, Over::Ascii] {
        let field = Field::start(over);
        assert_eq!(
            field.run(&["read", "boiler", "temperature"]),
            said(0, "raw: holding register 10: 16812 (0x41ac) 0 (0x0000)\nvalue: 21.5 degC, took N ms\n", "")
        );
        assert_eq!(
            field.run(&["read", "boiler", "mode"]),
            said(0, "raw: holding register 21: 1 (0x0001)\nvalue: eco, took N ms\n", "")
        );
    }
}

#[test]
fn a_property_is_written_and_read_back() {
    let field = Field::start(Over::Tcp);
    assert_eq!(
        field.run(&["write", "boiler", "setpoint", "71.5"]),
        said(
            0,
            "written: 71.5, took N ms\nraw: holding register 20: 715 (0x02cb)\nvalue: 71.5 degC, took N ms\n",
            ""
        )
    );
    assert_eq!(field.unit.tables().holding[20], 715);
    assert_eq!(field.run(&["write", "boiler", "mode", "boost"]).code, Some(0));
    assert_eq!(field.unit.tables().holding[21], 2);
    assert_eq!(field.run(&["write", "boiler", "pump", "false"]).code, Some(0));
    assert!(!field.unit.tables().coils[0]);
    let only_written = field.run(&["write", "boiler", "reset", "true"]);
    assert_eq!(only_written, said(0, "written: true, took N ms\n", ""));
    assert!(field.unit.tables().coils[1]);
}

#[test]
fn what_cannot_be_asked_for_is_said_with_64_and_reaches_no_device() {
    let field = Field::start(Over::Tcp);
    let bad =
        |arguments: &[&str], err: &str| assert_eq!(field.run(arguments), said(64, "", err), "{arguments:?}");
    bad(&["read", "kettle", "temperature"], "error: there is no device default/kettle\n");
    bad(&["read", "boiler", "pressure"], "error: device default/boiler has no property pressure\n");
    bad(&["read", "boiler", "reset"], "error: reset of device default/boiler can only be written\n");
    bad(&["write", "boiler", "temperature", "3"], "error: the property is read only\n");
    bad(&["write", "boiler", "setpoint", "-5"], "error: -5 is outside the range 0 to 90\n");
    bad(
        &["read", "outside", "level"],
        "error: no mapper of this program serves device default/outside; ask the gateway for what it knows: \
         GET /api/v1/devices/default/outside/twin\n",
    );
    let wrong_type = field.run(&["write", "boiler", "setpoint", "warm"]);
    assert!(wrong_type.code == Some(64) && wrong_type.err.contains("warm"), "{wrong_type:?}");
    assert_eq!(field.unit.tables().requests, 0);
}

#[test]
fn what_the_device_does_not_do_is_said_with_1() {
    let field = Field::start(Over::Tcp);
    assert_eq!(
        field.run(&["read", "boiler", "gone"]),
        said(1, "", "error: illegal data address (exception 2)\n")
    );
    assert_eq!(
        field.run(&["write", "boiler", "mode", "turbo"]),
        said(1, "", "error: `turbo` is none of: off, eco, boost\n")
    );
    field.unit.set_fault(SimFault::Silent);
    assert_eq!(
        field.run(&["read", "boiler", "temperature"]),
        said(1, "", "error: no answer within 500 ms\n")
    );
    field.unit.set_fault(SimFault::Exception(6));
    assert_eq!(
        field.run(&["write", "boiler", "setpoint", "20"]),
        said(1, "", "error: server device busy (exception 6)\n")
    );
}

#[test]
fn a_plan_names_the_requests_of_every_device_and_asks_none() {
    let config = written(
        "gateway: {node: field}\n\
         models:\n  meter:\n    parameters: {unit: {type: int}}\n    modbus: {rtu: /dev/ttyS9, baud: 9600, unit: $(unit)}\n    properties:\n      \
         volts: {type: float, every: 1s, modbus: {input: 0, type: float32}}\n      \
         amps: {type: float, every: 1s, modbus: {input: 6, type: float32}}\n      \
         total: {type: float, every: 60s, modbus: {input: 342, type: float32}}\n\
         devices:\n  meter-1: {model: meter, with: {unit: 1}}\n  outside: {properties: {level: {type: int}}}\n",
    );
    let plan = twinspan(&["plan", &config.path().display().to_string()]);
    assert_eq!((plan.code, &*plan.err), (Some(0), ""));
    insta::assert_snapshot!(plan.out, @r"
    default/meter-1: rtu /dev/ttyS9 9600 8E1, unit 1
      every 1 s: 2 points -> 1 request, 41 ms a cycle and what the device needs itself
        input register 0 to 7, 2 points
      every 60 s: 1 point -> 1 request, 27 ms a cycle and what the device needs itself
        input register 342 to 343, 1 point
    default/outside: not a Modbus device, there is nothing to plan
    ");
}

#[test]
fn two_devices_that_want_one_serial_port_otherwise_are_a_fault_of_the_check() {
    let config = written(
        "gateway: {node: field}\ndevices:\n  \
         one: {modbus: {rtu: /dev/ttyS9, baud: 9600}, properties: {level: {type: int, modbus: {holding: 1}}}}\n  \
         two: {modbus: {rtu: /dev/ttyS9, unit: 2}, properties: {level: {type: int, modbus: {holding: 1}}}}\n",
    );
    let check = twinspan(&["check", &config.path().display().to_string()]);
    assert_eq!((check.code, &*check.out), (Some(64), ""));
    let err = check.err.replace(&config.path().display().to_string(), "plant.yaml");
    insta::assert_snapshot!(err, @r"
    fault: `/dev/ttyS9` has the baud rate 19200 here, and 9600 in another device
     --> plant.yaml:4:9 (devices.two.modbus)
      |
    4 |   two: {modbus: {rtu: /dev/ttyS9, unit: 2}, properties: {level: {type: int, modbus: {holding: 1}}}}
      |         ^^^^^^
      = the other one: plant.yaml:3:41
      = hint: all devices on `/dev/ttyS9` need the same

    1 fault in plant.yaml
    ");
}

#[test]
fn a_probe_finds_the_type_and_prints_it_ready_to_be_pasted() {
    for (over, framing) in
        [(Over::Tcp, &[][..]), (Over::Rtu, &["--framing", "rtu"]), (Over::Ascii, &["--framing", "ascii"])]
    {
        let field = Field::start(over);
        let address = field.address.to_string();
        let probe = twinspan(
            &[
                &["probe", "modbus", &address, "--holding", "10", "--count", "2", "--expect", "21..22"],
                framing,
            ]
            .concat(),
        );
        assert_eq!((probe.code, &*probe.err), (Some(0), ""), "{}", probe.out);
        insta::allow_duplicates! {
            insta::assert_snapshot!(probe.out, @r"
            holding register 10, counted from 0 (`holding: 10`)
              raw: 41ac 0000
                16812                        modbus: { holding: 10, type: uint16 }
                44097                        modbus: { holding: 10, type: uint16, byte_order: little }
                16812                        modbus: { holding: 10, type: int16 }
                -21439                       modbus: { holding: 10, type: int16, byte_order: little }
              * 21.5                         modbus: { holding: 10, type: float32 }
                2.3558629782228825e-41       modbus: { holding: 10, type: float32, word_order: little }
                -2.7426949600339867e-12      modbus: { holding: 10, type: float32, byte_order: little }
                6.179305838133146e-41        modbus: { holding: 10, type: float32, byte_order: little, word_order: little }
                1101791232                   modbus: { holding: 10, type: uint32 }
                16812                        modbus: { holding: 10, type: uint32, word_order: little }
                2889940992                   modbus: { holding: 10, type: uint32, byte_order: little }
                44097                        modbus: { holding: 10, type: uint32, byte_order: little, word_order: little }
                1101791232                   modbus: { holding: 10, type: int32 }
                16812                        modbus: { holding: 10, type: int32, word_order: little }
                -1405026304                  modbus: { holding: 10, type: int32, byte_order: little }
                44097                        modbus: { holding: 10, type: int32, byte_order: little, word_order: little }
                65                           modbus: { holding: 10, type: uint8, byte: high }
                172                          modbus: { holding: 10, type: uint8, byte: low }
                65                           modbus: { holding: 10, type: int8, byte: high }
                -84                          modbus: { holding: 10, type: int8, byte: low }

            holding register 10, counted from 1 (`holding: 9`)
              raw: 0000 41ac
                0                            modbus: { holding: 9, type: uint16 }
                0                            modbus: { holding: 9, type: uint16, byte_order: little }
                0                            modbus: { holding: 9, type: int16 }
                0                            modbus: { holding: 9, type: int16, byte_order: little }
                2.3558629782228825e-41       modbus: { holding: 9, type: float32 }
              * 21.5                         modbus: { holding: 9, type: float32, word_order: little }
                6.179305838133146e-41        modbus: { holding: 9, type: float32, byte_order: little }
                -2.7426949600339867e-12      modbus: { holding: 9, type: float32, byte_order: little, word_order: little }
                16812                        modbus: { holding: 9, type: uint32 }
                1101791232                   modbus: { holding: 9, type: uint32, word_order: little }
                44097                        modbus: { holding: 9, type: uint32, byte_order: little }
                2889940992                   modbus: { holding: 9, type: uint32, byte_order: little, word_order: little }
                16812                        modbus: { holding: 9, type: int32 }
                1101791232                   modbus: { holding: 9, type: int32, word_order: little }
                44097                        modbus: { holding: 9, type: int32, byte_order: little }
                -1405026304                  modbus: { holding: 9, type: int32, byte_order: little, word_order: little }
                0                            modbus: { holding: 9, type: bcd16 }
                0                            modbus: { holding: 9, type: bcd16, byte_order: little }
                0                            modbus: { holding: 9, type: uint8, byte: high }
                0                            modbus: { holding: 9, type: uint8, byte: low }
                0                            modbus: { holding: 9, type: int8, byte: high }
                0                            modbus: { holding: 9, type: int8, byte: low }

            plausible (the property is a float or an int):
              modbus: { holding: 10, type: float32 }
              modbus: { holding: 9, type: float32, word_order: little }
            ");
        }
    }
}

#[test]
fn a_probe_of_nothing_says_so() {
    let field = Field::start(Over::Tcp);
    let address = field.address.to_string();
    let nothing = twinspan(&["probe", "modbus", &address, "--holding", "500"]);
    assert_eq!(
        (nothing.code, &*nothing.err),
        (Some(1), "error: the device answers, but gives none of these registers\n")
    );
    field.unit.set_fault(SimFault::Silent);
    let silent = twinspan(&["probe", "modbus", &address, "--holding", "10", "--timeout", "50"]);
    assert_eq!((silent.code, &*silent.err), (Some(1), "error: no answer within 50 ms\n"));
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let gone = twinspan(&["probe", "modbus", &closed.to_string(), "--holding", "10"]);
    assert!(gone.code == Some(1) && gone.err.contains("refused"), "{gone:?}");
    for (arguments, fault) in [
        (&["/dev/ttyS9", "--unit", "0"][..], "the units on a serial line are 1 to 247"),
        (&["/dev/ttyS9", "--data-bits", "7"], "RTU frames need 8 data bits"),
        (&["/dev/ttyS9", "--stop-bits", "3"], "there are 1 or 2 stop bits"),
        (&["/dev/ttyS9", "--parity", "mark"], "mark"),
        (&["nowhere"], "not a host and port"),
        (&[NOBODY, "--expect", "warm"], "neither a number"),
    ] {
        let bad = twinspan(&[&["probe", "modbus", "--holding", "1"], arguments].concat());
        assert!(bad.code == Some(64) && bad.err.contains(fault), "{arguments:?}: {bad:?}");
    }
}
