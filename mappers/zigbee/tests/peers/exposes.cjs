// What real devices offer, as zigbee2mqtt would tell it: NODE_PATH=.../node_modules node exposes.cjs > corpus/exposes.json
// needs `npm install zigbee-herdsman-converters`. With the word `all`, every definition; else as few as show every form there is.
const fs = require("fs");
const path = require("path");
const entry = require.resolve("zigbee-herdsman-converters");
const folder = path.join(path.dirname(entry), "devices");
const {prepareDefinition} = require("zigbee-herdsman-converters");

// Nothing of a text for people.
const plain = (key, value) => (key === "description" || key === "label" ? undefined : value);

function exposes(definition) {
    const found = prepareDefinition(definition).exposes;
    const list = typeof found === "function" ? found({isDummyDevice: true}, {}) : found;
    return JSON.parse(JSON.stringify(list, plain));
}

// The forms of all features: type, access, the keys that they have, and what they lie in.
function forms(list, inside = "") {
    return list.flatMap((item) => {
        const keys = Object.keys(item).filter((key) => !["name", "property"].includes(key));
        const form = `${inside}/${item.type}:${item.access}:${keys.sort()}:${typeof item.value_on}:${typeof item.values?.[0]}`;
        return [form, ...(item.features ? forms(item.features, `${inside}/${item.type}`) : [])];
    });
}

const all = [];
let failed = 0;
for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".js"))) {
    for (const definition of require(path.join(folder, file)).definitions ?? []) {
        try {
            all.push({model: definition.model, vendor: definition.vendor, exposes: exposes(definition)});
        } catch (error) {
            failed += 1;
        }
    }
}
let chosen = all;
if (process.argv[2] !== "all") {
    const seen = new Set();
    // The short ones first.
    const length = new Map(all.map((one) => [one, JSON.stringify(one).length]));
    all.sort((a, b) => length.get(a) - length.get(b));
    chosen = all.filter(({exposes}) => {
        const news = forms(exposes).filter((form) => !seen.has(form));
        news.forEach((form) => seen.add(form));
        return news.length > 0;
    });
}
console.error(`${all.length} definitions, ${failed} that could not be made, ${chosen.length} written`);
console.log(`[\n${chosen.map((one) => JSON.stringify(one)).join(",\n")}\n]`);
