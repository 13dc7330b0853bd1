// Signing keys of each type, made with node:crypto. A key's id is what other implementations compute, too:
// the SHA-256 of its canonical form.
import crypto from 'node:crypto';
import { canonicalize } from '@tufjs/canonical-json';
import models from '@tufjs/models'; // CommonJS: no named imports

const { Key, Signature } = models;

const pss = {
  padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
  saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST,
};

// One row a key type: how it is named in metadata, made, and used to sign. A further type is a further row.
const TYPES = {
  ed25519: {
    keytype: 'ed25519',
    scheme: 'ed25519',
    pair: ['ed25519'],
    digest: null,
  },
  p256: {
    keytype: 'ecdsa',
    scheme: 'ecdsa-sha2-nistp256',
    pair: ['ec', { namedCurve: 'P-256' }],
    digest: 'sha256',
  },
  p384: {
    keytype: 'ecdsa',
    scheme: 'ecdsa-sha2-nistp384',
    pair: ['ec', { namedCurve: 'P-384' }],
    digest: 'sha384',
  },
  rsa: {
    keytype: 'rsa',
    scheme: 'rsassa-pss-sha256',
    pair: ['rsa', { modulusLength: 2048 }],
    digest: 'sha256',
    options: pss,
    pool: 8,
  },
};

// The raw 32 bytes in hexadecimal for ed25519, PEM for the others.
function publicText(type, publicKey) {
  if (type === 'ed25519') {
    return Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url').toString('hex');
  }
  return publicKey.export({ format: 'pem', type: 'spki' });
}

// Some pairs take long to make: no more than `pool` of them, given out in turn. No test needs as many at once.
const pools = new Map(); // type -> pairs, the next to give out first

function newPair(type) {
  const { pair, pool = 0 } = TYPES[type];
  const pairs = pools.get(type) ?? [];
  pools.set(type, pairs);
  const next = pool > 0 && pairs.length === pool ? pairs.shift() : crypto.generateKeyPairSync(...pair);
  if (pool > 0) {
    pairs.push(next);
  }
  return next;
}

export class SigningKey {
  // `overrides`: another keytype or scheme than the type's own, or another text of the public key.
  constructor(type = 'ed25519', overrides = {}) {
    const row = TYPES[type];
    const { publicKey, privateKey } = newPair(type);
    this.row = row;
    this.privateKey = privateKey;
    this.setObject({
      keytype: row.keytype,
      scheme: row.scheme,
      keyval: { public: publicText(type, publicKey) },
      ...overrides,
    });
  }

  // The key object as it stands in metadata, and the id that follows from it.
  setObject(object) {
    this.object = object;
    this.id = crypto.createHash('sha256').update(canonicalize(object)).digest('hex');
  }

  // The same pair under another id: by default that of an object with one more field.
  alias(id = null, fields = { alias: crypto.randomUUID() }) {
    const other = Object.create(SigningKey.prototype);
    Object.assign(other, this);
    other.setObject({ ...this.object, ...fields });
    if (id !== null) {
      other.id = id;
    }
    return other;
  }

  // What @tufjs/models wants of it.
  get model() {
    return Key.fromJSON(this.id, this.object);
  }

  signBytes(bytes, overrides = {}) {
    const { digest, options } = { ...this.row, ...overrides };
    return crypto.sign(digest, bytes, { key: this.privateKey, ...options }).toString('hex');
  }

  // A `signer` as Metadata.sign() calls it.
  get signer() {
    return (bytes) => new Signature({ keyID: this.id, sig: this.signBytes(bytes) });
  }
}

export function newKeys(n, type = 'ed25519') {
  return Array.from({ length: n }, () => new SigningKey(type));
}

// {keyid, sig} over any JSON value.
export function signatureOf(key, signed, overrides) {
  return { keyid: key.id, sig: key.signBytes(Buffer.from(canonicalize(signed)), overrides) };
}

export { TYPES as KEY_TYPES };
