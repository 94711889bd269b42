// Drives a ZNP coordinator with zigbee-herdsman, unmodified, and prints one line of JSON for each thing that it saw.
// usage: node herdsman.cjs PORT FOLDER DEVICES
const {Controller, setLogger} = require("zigbee-herdsman");

const [port, folder, expected] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const silent = () => {};
const shown = process.env.HERDSMAN_LOG ? (message) => console.error(typeof message === "function" ? message() : message) : silent;
setLogger({debug: shown, info: shown, warning: shown, error: shown});

const say = (what, body) => console.log(JSON.stringify({what, ...body}));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (what, met, seconds = 60) => {
    for (let tenths = 0; tenths < seconds * 10; tenths++) {
        if (met()) return;
        await sleep(100);
    }
    throw new Error(`never: ${what}`);
};

const controller = new Controller({
    network: {
        panID: 0x1a62,
        extendedPanID: [0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 1],
        channelList: [11],
        networkKey: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13],
        networkKeyDistribute: false,
    },
    serialPort: {path: `tcp://127.0.0.1:${port}`, adapter: "zstack"},
    databasePath: `${folder}/database`,
    databaseBackupPath: `${folder}/database.backup`,
    backupPath: `${folder}/backup.json`,
    acceptJoiningDeviceHandler: async () => true,
    adapter: {disableLED: true},
});

const reports = new Map();
controller.on("message", (event) => {
    if (event.type === "attributeReport" || event.type === "commandStatusChangeNotification") {
        const key = `${event.device.modelID}/${event.cluster}`;
        reports.set(key, event.data);
    }
});
controller.on("deviceInterview", (event) => {
    if (event.status === "failed") say("interview failed", {ieee: event.device.ieeeAddr});
});

const byModel = (model) => controller.getDevices().find((device) => device.modelID === model)?.getEndpoint(1);

async function main() {
    say("started", {result: await controller.start()});
    await controller.permitJoin(120);
    const interviewed = () => controller.getDevices().filter((d) => d.type !== "Coordinator" && d.interviewState === "SUCCESSFUL");
    await until("all devices interviewed", () => interviewed().length >= expected, 90);
    await controller.permitJoin(0);
    for (const device of interviewed()) {
        say("interviewed", {
            model: device.modelID,
            manufacturer: device.manufacturerName,
            type: device.type,
            power: device.powerSource,
            inputs: device.getEndpoint(1).inputClusters,
        });
    }

    const read = async (model, cluster, attributes) => say("read", {model, cluster, value: await byModel(model).read(cluster, attributes)});
    await read("SIM-PLUG", "haElectricalMeasurement", ["activePower", "rmsVoltage", "acPowerDivisor"]);
    await read("SIM-PLUG", "seMetering", ["currentSummDelivered"]);
    await read("SIM-CLIMATE", "msTemperatureMeasurement", ["measuredValue"]);
    await read("SIM-CLIMATE", "msRelativeHumidity", ["measuredValue"]);
    await read("SIM-THERMOSTAT", "hvacThermostat", ["occupiedHeatingSetpoint", "systemMode"]);
    await read("SIM-CONTACT", "ssIasZone", ["zoneState", "zoneType", "zoneStatus"]);
    await read("SIM-MOTION", "msOccupancySensing", ["occupancy"]);

    const command = async (model, cluster, name, fields, attribute) => {
        await byModel(model).command(cluster, name, fields);
        say("command", {model, name, value: await byModel(model).read(cluster, [attribute])});
    };
    await command("SIM-PLUG", "genOnOff", "toggle", {}, "onOff");
    await command("SIM-BULB", "genLevelCtrl", "moveToLevelWithOnOff", {level: 77, transtime: 0}, "currentLevel");
    await command("SIM-BULB", "lightingColorCtrl", "moveToColorTemp", {colortemp: 250, transtime: 0}, "colorTemperature");
    await command("SIM-BLIND", "closuresWindowCovering", "goToLiftPercentage", {percentageliftvalue: 60}, "currentPositionLiftPercentage");
    await byModel("SIM-THERMOSTAT").write("hvacThermostat", {occupiedHeatingSetpoint: 2250});
    await read("SIM-THERMOSTAT", "hvacThermostat", ["occupiedHeatingSetpoint"]);
    try {
        await byModel("SIM-THERMOSTAT").write("hvacThermostat", {occupiedHeatingSetpoint: 100});
    } catch (error) {
        say("refused", {reason: String(error.message)});
    }

    const report = async (model, cluster, attribute, change) => {
        await byModel(model).bind(cluster, controller.getDevicesByType("Coordinator")[0].getEndpoint(1));
        const item = {attribute, minimumReportInterval: 1, maximumReportInterval: 3, reportableChange: change};
        await byModel(model).configureReporting(cluster, [item]);
    };
    await report("SIM-CLIMATE", "msTemperatureMeasurement", "measuredValue", 5);
    await report("SIM-PLUG", "haElectricalMeasurement", "activePower", 5);
    await report("SIM-CLIMATE", "genPowerCfg", "batteryPercentageRemaining", 1);
    const wanted = ["SIM-CLIMATE/msTemperatureMeasurement", "SIM-PLUG/haElectricalMeasurement", "SIM-CLIMATE/genPowerCfg"];
    await until("reports", () => wanted.every((key) => reports.has(key)), 20);
    await until("an alarm", () => [...reports.keys()].some((key) => key.endsWith("ssIasZone")), 40);
    for (const key of wanted) say("report", {key, value: reports.get(key)});
    say("alarm", {});

    const blind = controller.getDevices().find((device) => device.modelID === "SIM-BLIND");
    await blind.removeFromNetwork();
    say("removed", {model: "SIM-BLIND"});
    await controller.backup();
    await controller.stop();
    say("done", {});
}

main().then(() => process.exit(0)).catch((error) => {
    say("failed", {reason: String(error.stack)});
    process.exit(1);
});
