// The client under test: any command that takes the arguments of firebreak-tuf. Its folders are looked at from outside
// only, and after each run what must always hold is checked.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const DEADLINE_MS = 30_000;

// The words of $FIREBREAK_TUF, without quoting.
export function clientCommand() {
  const command = process.env.FIREBREAK_TUF;
  assert.ok(command, 'FIREBREAK_TUF is not set: start the tests with tests/conformance/run');
  return command.split(/\s+/).filter((word) => word !== '');
}

// Bounded: a client that hangs is a failure, not the end of the tests.
function run(command, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env });
    const output = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, output: Buffer.concat(output).toString() });
    });
  });
}

export class Client {
  // server: what it talks to; home: an empty folder of its own
  constructor(server, home, command = clientCommand()) {
    this.server = server;
    this.command = command;
    this.home = home;
    this.metadataDir = path.join(home, 'metadata');
    this.targetDir = path.join(home, 'targets');
    this.initialRoot = null;
    fs.mkdirSync(this.metadataDir);
    fs.mkdirSync(this.targetDir);
  }

  // --- what it does; each demands its exit status

  // at: a Date that the client takes for now
  async run(args, { at } = {}) {
    const faked = at === undefined ? [] : ['faketime', '-f', `@${at.toISOString().slice(0, 19).replace('T', ' ')}`];
    const command = [...faked, ...this.command, ...args];
    this.last = await run(command, { ...process.env, TZ: 'UTC', LC_ALL: 'C' });
    this.last.command = command.join(' ');
    this.checkFolders();
    return this.last;
  }

  expect(status) {
    const { output, signal, command } = this.last;
    const got = this.last.status ?? signal;
    assert.equal(got, status, `'${command}' ended with ${got}, not ${status}:\n${output}`);
  }

  async tryInit(rootBytes) {
    const file = path.join(this.home, 'initial-root.json');
    fs.writeFileSync(file, rootBytes);
    this.initialRoot = rootBytes;
    return this.run(['--metadata-dir', this.metadataDir, 'init', file]);
  }

  async init(rootBytes) {
    await this.tryInit(rootBytes);
    this.expect(0);
  }

  async tryRefresh(options) {
    return this.run([...this.metadataArguments(), 'refresh'], options);
  }

  async refresh(options) {
    await this.tryRefresh(options);
    this.expect(0);
  }

  async refreshFails(options) {
    await this.tryRefresh(options);
    this.expect(1);
  }

  async tryDownload(names, options) {
    const targets = [names].flat().flatMap((name) => ['--target-name', name]);
    const folders = ['--target-dir', this.targetDir, '--target-base-url', `${this.server.url}/targets`];
    return this.run([...this.metadataArguments(), ...targets, ...folders, 'download'], options);
  }

  async download(names, options) {
    await this.tryDownload(names, options);
    this.expect(0);
  }

  async downloadFails(names, options) {
    await this.tryDownload(names, options);
    this.expect(1);
  }

  metadataArguments() {
    return ['--metadata-url', `${this.server.url}/metadata`, '--metadata-dir', this.metadataDir];
  }

  // --- what it has afterwards

  metadataFiles() {
    return fs.readdirSync(this.metadataDir).filter((name) => name.endsWith('.json')).sort();
  }

  metadataPath(name) {
    return path.join(this.metadataDir, `${name}.json`);
  }

  // The bytes of a trusted file, null where there is none. `name` as it stands in the file name.
  trusted(name) {
    const file = this.metadataPath(name);
    return fs.existsSync(file) ? fs.readFileSync(file) : null;
  }

  // {root: 1, timestamp: 3, ...} of all trusted files
  versions() {
    const version = (file) => JSON.parse(fs.readFileSync(path.join(this.metadataDir, file))).signed.version;
    return Object.fromEntries(this.metadataFiles().map((file) => [file.replace(/\.json$/, ''), version(file)]));
  }

  // Contents of all downloaded files as text, sorted; how they are called is the client's business.
  downloads() {
    return fs
      .readdirSync(this.targetDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name)).toString())
      .sort();
  }

  // --- what always holds

  // Each trusted file is, byte for byte, the root given or something served; so is each downloaded one.
  checkFolders() {
    const known = [this.initialRoot, ...this.server.served].filter((bytes) => bytes !== null);
    const isKnown = (bytes) => known.some((one) => one.equals(bytes));
    for (const file of this.metadataFiles()) {
      const bytes = fs.readFileSync(path.join(this.metadataDir, file));
      assert.ok(isKnown(bytes), `'${file}' among the trusted files is not what was served`);
    }
    for (const text of this.downloads()) {
      assert.ok(isKnown(Buffer.from(text)), 'a file in the target folder is not what was served');
    }
  }
}
