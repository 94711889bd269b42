CREATE TABLE documents (
    part INTEGER NOT NULL,
    device TEXT NOT NULL,
    property TEXT NOT NULL,
    author INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT,
    PRIMARY KEY (device, property, part)
) WITHOUT ROWID;
CREATE INDEX documents_by_seq ON documents (author, seq);
CREATE TABLE staging (
    part INTEGER NOT NULL,
    device TEXT NOT NULL,
    property TEXT NOT NULL,
    author INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT,
    PRIMARY KEY (device, property, part)
) WITHOUT ROWID;
CREATE TABLE incarnations (
    incarnation INTEGER PRIMARY KEY,
    last_revision INTEGER NOT NULL,
    started INTEGER NOT NULL
);
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    incarnation INTEGER,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO documents VALUES (1, 'default/pump-1', '', 0, 1, 1, '{"definition":{"protocol":"modbus","properties":{}},"state":"online"}');
INSERT INTO incarnations VALUES (77, 1, 1);
PRAGMA user_version = 1;
