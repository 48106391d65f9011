import type { Examples } from '../../docs/openapi/examples.ts';

const KEY = 'EXAMPLE-KEY-NOT-A-SECRET'.padEnd(43, '0');
const SECRET = `whsec_${Buffer.from('an example and not a secret, 32!').toString('base64')}`;

/** Members of the form of an upload that hold a signature, or what it is made of. */
const SIGNED = /^(policy|bucket|x-amz-(credential|signature|security-token))$/i;

/** The same examples, with placeholders for keys, secrets, signatures and addresses. */
export function withPlaceholders(examples: Examples): Examples {
  const text = JSON.stringify(examples, (name, value) => {
    if (typeof value !== 'string') return value;
    if (SIGNED.test(name)) return `<${name}>`;
    return value
      .replaceAll(/\bth_(live|test)_([\dA-Z]{26})_[\w-]{43}/g, `th_$1_$2_${KEY}`)
      .replaceAll(/\bwhsec_[\w+/=]+/g, SECRET)
      .replaceAll(/\?X-Amz-[^"\s]*/g, '?X-Amz-Signature=<signature>')
      .replaceAll(/http:\/\/(127\.0\.0\.1|localhost):\d+\/[\w-]*files[\w-]*/g, UPLOAD)
      .replaceAll(/http:\/\/(127\.0\.0\.1|localhost):\d+/g, 'https://receiver.example.com');
  });
  return JSON.parse(text) as Examples;
}

const UPLOAD = 'https://files.example.com';
