// tuf-js behind the arguments of firebreak-tuf: the independent client that reads what Firebreak publishes, and an
// example of another client under these tests (README.md says which of them it fails).
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Updater } from 'tuf-js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'metadata-dir': { type: 'string' },
    'metadata-url': { type: 'string' },
    'target-name': { type: 'string', multiple: true },
    'target-dir': { type: 'string' },
    'target-base-url': { type: 'string' },
  },
});

function updater() {
  return new Updater({
    metadataDir: values['metadata-dir'],
    metadataBaseUrl: values['metadata-url'],
    targetDir: values['target-dir'],
    targetBaseUrl: values['target-base-url'],
    config: { maxRootRotations: 256, fetchTimeout: 10_000 },
  });
}

const verbs = {
  init: () => fs.copyFileSync(positionals[1], path.join(values['metadata-dir'], 'root.json')),

  refresh: () => updater().refresh(),

  async download() {
    const client = updater();
    await client.refresh();
    for (const name of values['target-name']) {
      const target = await client.getTargetInfo(name);
      if (target === undefined) {
        throw new Error(`no role lists '${name}'`);
      }
      if ((await client.findCachedTarget(target)) === undefined) {
        await client.downloadTarget(target);
      }
    }
  },
};

try {
  await verbs[positionals[0]]();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
