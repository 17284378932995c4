// npm run install, npm run build, npm run deploy: from a clone to a virtual machine.
import { spawnSync } from 'node:child_process';

const run = (program, ...args) => spawnSync(program, args, { stdio: 'inherit' });
const asked = (program, ...args) => spawnSync(program, args, { encoding: 'utf8' });
const installed = (program) => asked(program, '--version').error?.code !== 'ENOENT';

// finish ends as the program did.
const finish = ({ status, error }) => {
  if (error) console.error(error.message);
  process.exit(status ?? 1);
};
const stop = (...lines) => {
  console.error(lines.join('\n'));
  process.exit(1);
};

const addRemote = 'git remote add nodeos ssh://nodeos@HOST:2222/load-balancer';

const commands = {
  // npm calls a script of this name by itself, as part of `npm install` and `npm ci`. Then there is nothing to do, and
  // to install again would not end. With `npm run install` a person asks for it.
  install() {
    if (!process.env.npm_command?.startsWith('run')) return;
    const { status, error } = run(process.execPath, process.env.npm_execpath, 'ci');
    if (status !== 0) finish({ status, error });
    console.log('\nnpm test          tests the balancer');
    console.log(`npm run build     makes disk.img, which boots in QEMU${installed('gitd') ? '' : ' (needs gitd on this machine)'}`);
    console.log(`npm run deploy    pushes it${hasRemote() ? '' : `, after: ${addRemote}`}`);
  },

  // It makes a disk of the whole virtual machine: kernel, Node and this folder. Further words go to gitd.
  build(words) {
    if (!installed('gitd')) stop('gitd is not on this machine, or not in PATH; it makes the disk');
    finish(run('gitd', 'image', '.', ...(words.length ? words : ['-o', 'disk.img'])));
  },

  deploy(words) {
    if (!hasRemote()) stop('git does not know where to push yet. Type, with the host of your gitd:', '', `  ${addRemote}`, '  npm run deploy');
    if (asked('git', 'status', '--porcelain').stdout) console.error('What is not committed is not deployed:'), run('git', 'status', '--short');
    finish(run('git', 'push', 'nodeos', 'main', ...words));
  },
};

function hasRemote() {
  return asked('git', 'remote', 'get-url', 'nodeos').status === 0;
}

const [name, ...words] = process.argv.slice(2);
(commands[name] ?? (() => stop(`there is no command "${name}"; there are ${Object.keys(commands).join(', ')}`)))(words);
