// npm run build: makes the empty cluster that a new volume begins with.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { binaries, missing, program, template } from '../lib/files.js';

if (missing) {
  console.error(missing);
  process.exit(1);
}
// The package leaves its symlinks to a script of its own, which newer versions of npm run only when they are told to.
execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: binaries });
// Perl, Python and Tcl are not in a machine, so what joins them to Postgres goes.
const modules = `${binaries}/native/lib/postgresql`;
for (const name of fs.readdirSync(modules)) {
  if (/pl(perl|python3|tcl)/.test(name)) fs.rmSync(`${modules}/${name}`, { recursive: true });
}
fs.rmSync(template, { recursive: true, force: true });
const options = {
  unix_socket_directories: '/tmp',
  shared_buffers: '32MB', // of a machine of 256 MiB
  max_connections: '30',
  log_timezone: 'UTC',
  timezone: 'UTC',
};
execFileSync(
  program('initdb'),
  [
    ...['--pgdata', template, '--username', 'postgres', '--auth', 'trust', '--no-sync', '--wal-segsize', '1'],
    ...['--encoding', 'UTF8', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--locale', 'C'],
    ...Object.entries(options).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  ],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
