// The database's files on the volume, and its process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { access, program, template } from './files.js';

// prepare makes a cluster in dir, unless there is one. It appears whole or not at all.
export function prepare(dir) {
  if (fs.existsSync(`${dir}/PG_VERSION`)) return forget(dir);
  const begun = `${dir}.begun`;
  fs.rmSync(begun, { recursive: true, force: true });
  fs.cpSync(template, begun, { recursive: true });
  fs.chmodSync(begun, 0o700); // or Postgres refuses it
  fs.renameSync(begun, dir);
  console.log(`a new database is in ${dir}`);
}

// forget removes the note of a process that is no more. After the end of a machine, its number is that of another one in
// the next machine, and Postgres would take that for itself. The volume is here only, so nobody else runs it.
function forget(dir) {
  const note = `${dir}/postmaster.pid`;
  if (!fs.existsSync(note)) return;
  const pid = Number.parseInt(fs.readFileSync(note, 'utf8'), 10);
  let command = '';
  try {
    command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // there is no such process
  }
  if (!command.includes('/bin/postgres')) fs.rmSync(note);
}

// start runs Postgres. What it says is in the app's log. In a machine, clients come from outside of it.
export function start(dir) {
  const listen = process.env.NODEOS_RELEASE ? '*' : 'localhost';
  const postgres = spawn(program('postgres'), ['-D', dir, '-c', `listen_addresses=${listen}`, '-c', `hba_file=${access}`], { stdio: 'inherit' });
  const ended = once(postgres, 'exit').then(([code, signal]) => signal ?? `exit code ${code}`);
  return {
    ended,
    // stop lets transactions that run fail, and ends (a "fast shutdown").
    async stop() {
      postgres.kill('SIGINT');
      await ended;
    },
  };
}

// admit makes the token the password of those who come over TCP. Before that, nobody gets in there.
export async function admit(pool, token) {
  const { rows } = await pool.query("select format('alter role postgres password %L', $1::text) as line", [token]);
  await pool.query(rows[0].line);
}

// ready waits until the database answers. After a crash it reads its log first.
export async function ready(pool) {
  for (;;) {
    try {
      return await pool.query('select 1');
    } catch (err) {
      if (!['ENOENT', 'ECONNREFUSED', '57P03'].includes(err.code)) throw err;
      await wait(50);
    }
  }
}
