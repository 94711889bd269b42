"""An OPC UA server of asyncua for tests: PORT FOLDER [WORD ...]

Policies: none, Basic256Sha256 (sign, sign and encrypt), Aes128Sha256RsaOaep, Aes256Sha256RsaPss.
Users: anonymous, gw with password secret, and whoever has the certificate FOLDER/user.der.
Words: `moved`, there is another namespace before that of the plant; `plain`, no security and no thousand counters, to be up soon; `wait`, it
says that it is ready and
listens when it has read a line; `chain`, it shows its certificate together with its
issuer's wherever it can; `run=N`, what Boiler.Run holds. SIGTERM ends it cleanly.
Writing to the variables under `Control` changes the server: see below.
"""

import asyncio
import datetime
import logging
import signal
import sys
import time
from pathlib import Path

from asyncua import Server, ua, uamethod
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager
from cryptography.x509.oid import ExtendedKeyUsageOID

PORT, FOLDER, WORDS = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
PLAIN = "plain" in WORDS
RUN = next((int(word[4:]) for word in WORDS if word.startswith("run=")), 0)
NAMESPACE = "http://example.org/plant"
LOGINS = FOLDER / "logins"


class Users(UserManager):
    def get_user(self, iserver, username=None, password=None, certificate=None):
        with LOGINS.open("a") as log:
            log.write(f"{username}\n")
        if username is not None:
            if username == "gw" and password == "secret":
                return User(role=UserRole.Admin, name="gw")
            return None
        known = FOLDER / "user.der"
        if certificate is not None and known.exists() and certificate == known.read_bytes():
            return User(role=UserRole.Admin, name="owner")
        return User(role=UserRole.User)


def hours(number):
    now = datetime.datetime.now(datetime.timezone.utc)
    return now + datetime.timedelta(hours=number)


# What the source time of the variables under Clock is at the n-th tick.
TIMES = {
    "Ahead": lambda tick: hours(1),
    "Backwards": lambda tick: hours(-tick),
    "None": lambda tick: datetime.datetime(1601, 1, 1, tzinfo=datetime.timezone.utc),
    "Ancient": lambda tick: datetime.datetime(1601, 6, 1, tzinfo=datetime.timezone.utc),
    "Future": lambda tick: datetime.datetime(2999, 1, 1, tzinfo=datetime.timezone.utc),
}


async def certificate():
    await setup_self_signed_certificate(
        FOLDER / "key.pem",
        FOLDER / "cert.der",
        "urn:peer:asyncua",
        "127.0.0.1",
        [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
        {"countryName": "CN", "organizationName": "x"},
    )


async def chained():
    """A certificate of an issuer in place of one that signs itself; hands back the issuer's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    own = x509.load_der_x509_certificate((FOLDER / "cert.der").read_bytes())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer of the plant")])

    def builder(subject, public_key, extensions):
        built = x509.CertificateBuilder(
            name, subject, public_key, x509.random_serial_number(), own.not_valid_before_utc, own.not_valid_after_utc
        )
        for extension, critical in extensions:
            built = built.add_extension(extension, critical)
        return built.sign(key, hashes.SHA256())

    issuer = builder(name, key.public_key(), [(x509.BasicConstraints(True, 0), True)])
    leaf = builder(own.subject, own.public_key(), [(e.value, e.critical) for e in own.extensions])
    (FOLDER / "cert.der").write_bytes(leaf.public_bytes(serialization.Encoding.DER))
    return issuer


def show_chain(server, issuer):
    """With the issuer in the endpoints, in the answers that open channels, and in those that make sessions."""
    from asyncua.crypto.uacrypto import der_from_x509
    from asyncua.server.uaprocessor import UaProcessor

    for endpoint in server.iserver.endpoints:
        endpoint.ServerCertificate += der_from_x509(issuer)
    for policy in server._policies:
        policy.certificate_chain = [issuer]
    send = UaProcessor.send_response

    def send_with_chain(self, handle, header, response, *rest, **named):
        if isinstance(response, ua.CreateSessionResponse) and response.Parameters.ServerCertificate:
            response.Parameters.ServerCertificate += der_from_x509(issuer)
        return send(self, handle, header, response, *rest, **named)

    UaProcessor.send_response = send_with_chain


async def add(parent, ns, name, value, kind=None, writable=False):
    node = await parent.add_variable(ua.NodeId(f"{name}", ns), name.split(".")[-1], value, kind)
    if writable:
        await node.set_writable()
    return node


async def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    server = Server(user_manager=Users())
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{PORT}/plant")
    server.set_server_name("peer")
    await server.set_application_uri("urn:peer:asyncua")
    if not PLAIN:
        await certificate()
        issuer = await chained() if "chain" in WORDS else None
        await server.load_certificate(str(FOLDER / "cert.der"))
        await server.load_private_key(str(FOLDER / "key.pem"))
    policy = ua.SecurityPolicyType
    server.set_security_policy(
        [policy.NoSecurity]
        if PLAIN
        else [
            policy.NoSecurity,
            policy.Basic256Sha256_Sign,
            policy.Basic256Sha256_SignAndEncrypt,
            policy.Aes128Sha256RsaOaep_Sign,
            policy.Aes128Sha256RsaOaep_SignAndEncrypt,
            policy.Aes256Sha256RsaPss_Sign,
            policy.Aes256Sha256RsaPss_SignAndEncrypt,
        ]
    )
    server.set_identity_tokens([ua.AnonymousIdentityToken, ua.UserNameIdentityToken, ua.X509IdentityToken])
    if "moved" in WORDS:
        await server.register_namespace("urn:something-else")
    ns = await server.register_namespace(NAMESPACE)
    kind = ua.VariantType
    plant = await server.nodes.objects.add_object(ua.NodeId("Plant", ns), "Plant")
    boiler = await plant.add_object(ua.NodeId("Boiler", ns), "Boiler")
    temperature = await add(boiler, ns, "Boiler.Temp", 20.0, kind.Double)
    await temperature.add_property(
        ua.NodeId("Boiler.Temp.EURange", ns), ua.QualifiedName("EURange", 0), ua.Range(Low=0.0, High=120.0)
    )
    unit = ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        UnitId=4408652,
        DisplayName=ua.LocalizedText("°C"),
        Description=ua.LocalizedText("degree Celsius"),
    )
    await temperature.add_property(
        ua.NodeId("Boiler.Temp.EU", ns), ua.QualifiedName("EngineeringUnits", 0), unit
    )
    await add(boiler, ns, "Boiler.Setpoint", 50.0, kind.Double, writable=True)
    await add(boiler, ns, "Boiler.Serial", "TW-4711", kind.String)
    await add(boiler, ns, "Boiler.Run", RUN, kind.Int32)
    clocks = await plant.add_object(ua.NodeId("Clock", ns), "Clock")
    ticking = [(await add(clocks, ns, f"Clock.{name}", 0, kind.Int32), time) for name, time in TIMES.items()]
    types = await plant.add_object(ua.NodeId("Types", ns), "Types")
    for name, value in [
        ("Boolean", True), ("SByte", -5), ("Byte", 250), ("Int16", -3000), ("UInt16", 60000), ("Int32", -70000),
        ("UInt32", 4000000000), ("Int64", -5000000000), ("UInt64", 5000000000), ("Float", 0.1), ("Double", 0.25),
        ("String", "pump"), ("ByteString", b"\x01\x02\xff"),
    ]:
        await add(types, ns, f"Types.{name}", value, getattr(kind, name), writable=True)
    await add(types, ns, "Types.LocalizedText", ua.LocalizedText("warm", "en"), kind.LocalizedText, writable=True)
    await add(types, ns, "Types.Array", [1, 2, 3, 4], kind.Int32, writable=True)
    await add(types, ns, "Types.Nan", float("nan"), kind.Double)
    await add(types, ns, "Types.Uncertain", 1.5, kind.Double)
    await server.get_node(ua.NodeId("Types.Uncertain", ns)).write_value(
        ua.DataValue(ua.Variant(1.5, kind.Double), ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue))
    )
    await add(types, ns, "Types.Failed", 1.5, kind.Double)
    await server.get_node(ua.NodeId("Types.Failed", ns)).write_value(
        ua.DataValue(ua.Variant(1.5, kind.Double), ua.StatusCode(ua.StatusCodes.BadSensorFailure))
    )
    await types.add_variable(
        ua.NodeId("Types.State", ns), "State", 1, kind.Int32, ua.NodeId(ua.ObjectIds.ServerState)
    )
    multi = await add(types, ns, "Types.Mode", 1, kind.UInt32, writable=True)
    await multi.add_property(
        ua.NodeId("Types.Mode.Names", ns),
        ua.QualifiedName("EnumStrings", 0),
        [ua.LocalizedText("off"), ua.LocalizedText("heating"), ua.LocalizedText("cooling")],
    )
    from asyncua.common.structures104 import new_struct, new_struct_field

    struct, _ = await new_struct(
        server,
        ns,
        "Motor",
        [new_struct_field("Speed", kind.Double), new_struct_field("Name", kind.String),
         new_struct_field("Phases", kind.Int16, array=True)],
    )
    loaded = await server.load_data_type_definitions()
    motor = loaded["Motor"](Speed=12.5, Name="M1", Phases=[1, 2, 3]) if "Motor" in loaded else ua.Motor(12.5, "M1", [1, 2, 3])
    await types.add_variable(ua.NodeId("Types.Motor", ns), "Motor", ua.Variant(motor, kind.ExtensionObject), datatype=struct.nodeid)
    calls = []

    @uamethod
    def start(parent, speed, name):
        calls.append((speed, name))
        return speed * 2

    await boiler.add_method(
        ua.NodeId("Boiler.Start", ns), "Start", start,
        [ua.Argument(Name="speed", DataType=ua.NodeId(kind.Float.value), ValueRank=-1),
         ua.Argument(Name="name", DataType=ua.NodeId(kind.String.value), ValueRank=-1)],
        [kind.Double],
    )
    called = await add(boiler, ns, "Boiler.Called", "", kind.String)
    many = await plant.add_object(ua.NodeId("Many", ns), "Many")
    counters = [await add(many, ns, f"Many.{i}", i, kind.Int32) for i in range(0 if PLAIN else 1000)]
    control = await plant.add_object(ua.NodeId("Control", ns), "Control")
    count = await add(control, ns, "Control.Count", 0, kind.Int32, writable=True)
    remove = await add(control, ns, "Control.Remove", False, kind.Boolean, writable=True)
    forget = await add(control, ns, "Control.Forget", False, kind.Boolean, writable=True)
    silence = await add(control, ns, "Control.Silence", 0.0, kind.Double, writable=True)
    flaky = await add(boiler, ns, "Boiler.Flaky", 7, kind.Int32)
    if "wait" in WORDS:
        print("ready", flush=True)
        sys.stdin.readline()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with server:
        if "chain" in WORDS:
            show_chain(server, issuer)
        value, counted, tick = 20.0, 0, 0
        while not ended.is_set():
            await asyncio.sleep(0.1)
            tick += 1
            for node, time_of in ticking:
                status = ua.StatusCode(ua.StatusCodes.Good)
                await node.write_value(
                    ua.DataValue(ua.Variant(tick, kind.Int32), status, SourceTimestamp=time_of(tick))
                )
            value = 20.0 + (value - 19.5) % 80.0
            await temperature.write_value(value)
            await called.write_value(repr(calls))
            wanted = await count.read_value()
            if wanted != counted:
                counted = wanted
                for i, node in enumerate(counters):
                    await node.write_value(wanted + i, kind.Int32)
            if await remove.read_value() == (flaky is not None):
                if flaky is not None:
                    await server.delete_nodes([flaky])
                    flaky = None
                else:
                    flaky = await add(boiler, ns, "Boiler.Flaky", 8, kind.Int32)
            if await forget.read_value():
                await forget.write_value(False)
                for number in list(server.iserver.subscription_service.subscriptions):
                    await server.iserver.subscription_service.delete_subscriptions([number])
            if (pause := await silence.read_value()) > 0:
                await silence.write_value(0.0)
                time.sleep(pause)


logging.basicConfig(level=logging.CRITICAL)
asyncio.run(main())
