// A repository to judge a client by. The draft of each role is an object of @tufjs/models that a test changes as it
// likes; publish() makes the next version of it: bytes under the path at which a client asks for them. What was
// published never changes by itself, so a test can serve any mixture of old, new and forged files.
//
//   const repo = new Repository();                       // root, timestamp, snapshot, targets, each at version 1
//   repo.signed('targets').version = 7;                  // the draft
//   repo.publish('targets', 'snapshot', 'timestamp');    // versions 8, 2, 2
//   repo.publishAs('snapshot', { version: 1 });          // a forgery: exactly version 1
//   repo.rewrite('timestamp', (json) => { ... });        // the bytes that are served, signature and all
import crypto from 'node:crypto';
import models from '@tufjs/models'; // CommonJS: no named imports
import { SigningKey, newKeys, signatureOf } from './keys.js';

const { MetaFile, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp } = models;

export const DAY_MS = 86_400_000;
export const TOP_LEVEL = ['root', 'timestamp', 'snapshot', 'targets'];

// The form of the specification: seconds, and Z.
export function timeText(date) {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

export function daysFromNow(days) {
  return new Date(Date.now() + days * DAY_MS);
}

// All but letters, digits and -._~ encoded: one spelling for each name, in URLs and file names.
export function quoted(name) {
  const hex = (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(name).replace(/[!'()*]/g, hex);
}

function digests(bytes, algorithms) {
  return Object.fromEntries(
    algorithms.map((name) => [name, crypto.createHash(name).update(bytes).digest('hex')]),
  );
}

export class Repository {
  // keyType: of all four roles; metaHashes: whether timestamp and snapshot give length and hashes of what they list
  constructor({ keyType = 'ed25519', metaHashes = false, expiresDays = 30, consistent = true } = {}) {
    this.keyType = keyType;
    this.metaHashes = metaHashes;
    this.expires = timeText(daysFromNow(expiresDays));
    this.drafts = new Map(); // role -> Metadata
    this.signers = new Map(); // role -> [SigningKey] that publish() signs with
    this.files = new Map(); // path from the base, as in the URL -> bytes
    this.latest = new Map(); // role -> path of what was published last

    const common = { version: 0, expires: this.expires };
    this.drafts.set('root', new Metadata(new Root({ ...common, consistentSnapshot: consistent })));
    const snapshotMeta = new MetaFile({ version: 1 });
    this.drafts.set('timestamp', new Metadata(new Timestamp({ ...common, snapshotMeta })));
    this.drafts.set('snapshot', new Metadata(new Snapshot({ ...common, meta: {} })));
    this.drafts.set('targets', new Metadata(new Targets(common)));
    for (const role of TOP_LEVEL) {
      this.setKeys(role, newKeys(1, keyType));
    }
    this.publish('targets', 'snapshot', 'timestamp', 'root');
  }

  // --- drafts

  signed(role) {
    return this.drafts.get(role).signed;
  }

  get root() {
    return this.signed('root');
  }

  get targets() {
    return this.signed('targets');
  }

  // Who may sign a top-level role, and who does.
  setKeys(role, keys, { threshold = this.root.roles[role].threshold, signers = keys } = {}) {
    this.root.roles[role].keyIDs.length = 0;
    this.root.roles[role].threshold = threshold;
    this.signers.set(role, [...signers]);
    for (const key of keys) {
      this.root.addKey(key.model, role);
    }
  }

  // One more key that may sign, and does.
  addKey(role, key = new SigningKey(this.keyType)) {
    this.root.addKey(key.model, role);
    this.signers.get(role).push(key);
    return key;
  }

  rotate(role) {
    this.setKeys(role, newKeys(this.root.roles[role].threshold, this.keyType));
  }

  // A target's bytes in the repository and its entry in a role. `custom` and the like: further fields.
  addTarget(path, content, { role = 'targets', algorithms = ['sha256'], fields = {} } = {}) {
    const bytes = Buffer.from(content);
    const hashes = digests(bytes, algorithms);
    const options = { path, length: bytes.length, hashes, unrecognizedFields: fields };
    this.signed(role).addTarget(new TargetFile(options));
    this.putTarget(path, hashes, bytes);
    return bytes;
  }

  // The bytes that are served for a target, at every name by which a client may ask for it.
  putTarget(path, hashes, bytes) {
    const parts = path.split('/').map(quoted);
    const last = parts.pop();
    for (const name of [last, ...Object.values(hashes).map((hash) => `${hash}.${last}`)]) {
      this.files.set(['targets', ...parts, name].join('/'), Buffer.from(bytes));
    }
  }

  // Make `role` a delegated role, if it is not yet one, and let `by` delegate to it, after those to which it delegates
  // already. Without `paths` and `pathHashPrefixes` the role may say anything without a separator.
  delegate(role, { by = 'targets', paths, pathHashPrefixes, terminating = false, keys, threshold = 1, fields = {} } = {}) {
    const used = keys ?? this.signers.get(role) ?? newKeys(threshold, this.keyType);
    const everything = paths === undefined && pathHashPrefixes === undefined ? ['*'] : undefined;
    const delegation = {
      name: role,
      keyids: used.map((key) => key.id),
      threshold,
      terminating,
      paths: paths ?? everything,
      path_hash_prefixes: pathHashPrefixes,
      ...fields,
    };
    const json = this.signed(by).delegations?.toJSON() ?? { keys: {}, roles: [] };
    json.roles = [...json.roles.filter((other) => other.name !== role), delegation];
    this.setDelegations(by, json, used);
    this.addTargetsRole(role, used);
  }

  // Hash bins, all with the same key. Returns the models' SuccinctRoles.
  delegateBins(namePrefix, bitLength, { by = 'targets', keys = newKeys(1, this.keyType) } = {}) {
    const keyids = keys.map((key) => key.id);
    const bins = { name_prefix: namePrefix, bit_length: bitLength, keyids, threshold: 1 };
    const { succinctRoles } = this.setDelegations(by, { keys: {}, succinct_roles: bins }, keys);
    for (const role of succinctRoles.getRoles()) {
      this.addTargetsRole(role, keys);
    }
    return succinctRoles;
  }

  // The models make Delegations only from their JSON.
  setDelegations(by, json, keys) {
    const signed = this.signed(by);
    const named = Object.fromEntries(keys.map((key) => [key.id, key.object]));
    const delegations = { ...json, keys: { ...json.keys, ...named } };
    signed.delegations = Targets.fromJSON({ ...signed.toJSON(), delegations }).delegations;
    return signed.delegations;
  }

  addTargetsRole(role, keys) {
    if (!this.drafts.has(role)) {
      this.drafts.set(role, new Metadata(new Targets({ version: 0, expires: this.expires })));
      this.signers.set(role, [...keys]);
    }
  }

  // --- publishing

  // The next version of each, in this order: what is listed before what lists it.
  publish(...roles) {
    for (const role of roles) {
      this.publishAs(role);
    }
  }

  // All delegated roles, then targets, snapshot and timestamp.
  publishAll() {
    const delegated = [...this.drafts.keys()].filter((role) => !TOP_LEVEL.includes(role));
    this.publish(...delegated, 'targets', 'snapshot', 'timestamp');
  }

  // One role. version: default the next; edit: changes the plain JSON of the signed part before it is signed, for
  // what the models cannot say; text: from the whole envelope to what is served, by default JSON.stringify.
  publishAs(role, { version, edit, text = JSON.stringify } = {}) {
    const draft = this.drafts.get(role);
    const keys = this.signers.get(role);
    draft.signed.version = version ?? draft.signed.version + 1;

    let envelope;
    if (edit === undefined) {
      draft.signatures = {};
      for (const key of keys) {
        draft.sign(key.signer);
      }
      envelope = draft.toJSON();
    } else {
      const signed = draft.signed.toJSON();
      edit(signed);
      envelope = { signatures: keys.map((key) => signatureOf(key, signed)), signed };
    }
    this.put(role, draft.signed.version, Buffer.from(text(envelope)));
  }

  // Serve bytes as a version of a role, and let its list tell of them.
  put(role, version, bytes) {
    const name = quoted(role);
    const path = role === 'timestamp' ? 'metadata/timestamp.json' : `metadata/${version}.${name}.json`;
    this.files.set(path, bytes);
    if (role === 'snapshot' || !TOP_LEVEL.includes(role) || role === 'targets') {
      this.files.set(`metadata/${name}.json`, bytes); // for clients without consistent snapshots
    }
    this.latest.set(role, path);
    this.list(role, version, bytes);
  }

  list(role, version, bytes) {
    const entry = new MetaFile({ version });
    if (this.metaHashes) {
      entry.length = bytes.length;
      entry.hashes = digests(bytes, ['sha256']);
    }
    if (role === 'snapshot') {
      this.signed('timestamp').snapshotMeta = entry;
    } else if (role === 'targets' || !TOP_LEVEL.includes(role)) {
      this.signed('snapshot').meta[`${role}.json`] = entry;
    }
  }

  // The bytes that were published last for a role.
  bytes(role) {
    return this.files.get(this.latest.get(role));
  }

  // Change what is served, without a new signature: `change` gets the parsed envelope. Returns the new bytes.
  rewrite(role, change, text = JSON.stringify) {
    const envelope = JSON.parse(this.bytes(role));
    change(envelope);
    return this.serve(role, Buffer.from(text(envelope)));
  }

  serve(role, bytes) {
    this.files.set(this.latest.get(role), bytes);
    return bytes;
  }
}
