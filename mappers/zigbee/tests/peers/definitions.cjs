// The clusters and attributes that zigbee-herdsman knows, as one line of JSON: {cluster: {attribute: {type, name, writable}}} by number.
const {Clusters} = require("zigbee-herdsman/dist/zspec/zcl/definition/cluster.js");

const found = {};
for (const cluster of Object.values(Clusters)) {
    if (cluster.manufacturerCode !== undefined) continue;
    const attributes = (found[cluster.ID] ??= {});
    for (const attribute of Object.values(cluster.attributes)) {
        if (attribute.manufacturerCode !== undefined) continue;
        attributes[attribute.ID] = {type: attribute.type, name: attribute.name, writable: attribute.write === true};
    }
}
console.log(JSON.stringify(found));
