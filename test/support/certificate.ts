import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

/** A fresh self-signed certificate for a host name, valid from a day ago until `notAfter`. */
export function selfSigned(
  name: string,
  notAfter = new Date(Date.now() + 86_400_000),
): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaWithSha256 = sequence(tag(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
  const commonName = tag(0x06, Buffer.from('550403', 'hex'));
  const issuer = sequence(tag(0x31, sequence(commonName, tag(0x0c, Buffer.from(name)))));
  const subjectAltName = sequence(
    tag(0x06, Buffer.from('551d11', 'hex')),
    tag(0x04, sequence(tag(0x82, Buffer.from(name)))),
  );
  const content = sequence(
    tag(0xa0, integer(2)),
    integer(1),
    ecdsaWithSha256,
    issuer,
    sequence(utcTime(new Date(Date.now() - 86_400_000)), utcTime(notAfter)),
    issuer,
    publicKey.export({ type: 'spki', format: 'der' }),
    tag(0xa3, sequence(subjectAltName)),
  );
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signature = sign('sha256', content, createPrivateKey(key));
  const whole = sequence(content, ecdsaWithSha256, tag(0x03, Buffer.from([0]), signature));
  const lines = whole.toString('base64').replace(/.{64}/g, '$&\n');
  return { key, cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n` };
}

/** One DER element: its tag, its length in the shortest form, and its parts. */
function tag(number: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([number, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return tag(0x30, ...parts);
}

function integer(value: number): Buffer {
  return tag(0x02, Buffer.from([value]));
}

function utcTime(at: Date): Buffer {
  const digits = at.toISOString().replace(/\D/g, '').slice(2, 14);
  return tag(0x17, Buffer.from(`${digits}Z`));
}
