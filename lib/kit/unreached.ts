import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';

/** The version is all that an AWS client reads of its package.json. */
function versionOnly(path: string): string {
  const { version } = JSON.parse(readFileSync(path, 'utf8'));
  return `export default ${JSON.stringify({ version })};`;
}

/**
 * The shapes of a client, with `"httpError":` for `[_hE]:`. A computed key may have an effect, for
 * all that esbuild knows, and would keep the shapes of every operation in the bundle.
 */
function withLiteralKeys(path: string): string {
  const text = readFileSync(path, 'utf8');
  const constants = text.matchAll(/^const (_\w+) = ("[^"\n]*");$/gm);
  const literals = new Map([...constants].map(([, name = '', literal = '']) => [name, literal]));
  return text.replaceAll(/\[(_\w+)\]:/g, (key, name) => `${literals.get(name) ?? key}:`);
}

/** The partitions of AWS without the names of their regions, which only people read. */
function withoutDescriptions(path: string): string {
  return readFileSync(path, 'utf8').replaceAll(/"description": "[^"\n]*"/g, '');
}

/** Our contracts without what they say to people, who read it in docs/openapi.json. */
function withoutWords(path: string): string {
  return readFileSync(path, 'utf8').replaceAll(
    /\bdescription: *\n? *'(?:[^'\\\n]|\\.)*'/g,
    "description: ''",
  );
}

/**
 * Parts of dependencies that no call of ours reaches in a Lambda, each with what stands in for
 * it. Together they are a tenth of a bundle. Had a call reached them after all, it would throw.
 */
const STAND_INS: readonly (readonly [RegExp, (path: string) => string])[] = [
  [/@aws-sdk\/client-[\w-]+\/package\.json$/, versionOnly],
  [/@aws-sdk\/client-[\w-]+\/dist-es\/schemas\/schemas_0\.js$/, withLiteralKeys],
  // Event streams are used by S3 Select and the like.
  [
    /@smithy\/core\/dist-es\/submodules\/event-streams\/index\.js$/,
    () => `export const resolveEventStreamSerdeConfig = (settings) => settings;
           export const eventStreamSerdeProvider = () => undefined;`,
  ],
  // Endpoints are discovered by Timestream.
  [/@aws-sdk\/endpoint-cache\/dist-es\/index\.js$/, () => 'export class EndpointCache {}'],
  [
    /@aws-sdk\/core\/dist-es\/submodules\/client\/util-endpoints\/lib\/aws\/partitions\.js$/,
    withoutDescriptions,
  ],
  // It warns of versions of Node that no Lambda of ours runs on.
  [
    /@aws-sdk\/core\/dist-es\/submodules\/client\/emitWarningIfUnsupportedVersion\.js$/,
    () => `export const state = { warningEmitted: false };
           export const emitWarningIfUnsupportedVersion = () => undefined;`,
  ],
  // Lambda says in which region it is; no metadata of an instance is asked for it.
  [
    /@smithy\/core\/dist-es\/submodules\/config\/.*\/getInstanceMetadataRegion\.js$/,
    () => 'export const getInstanceMetadataRegion = async () => undefined;',
  ],
  // Node has an MD5, a SHA-1 and a SHA-256 of its own.
  [
    /@aws-sdk\/checksums\/dist-es\/submodules\/sha\/sha1\/Sha1Js\.js$/,
    () => 'export class Sha1Js {}',
  ],
  [/@smithy\/core\/dist-es\/submodules\/checksum\/md5\/Md5Js\.js$/, () => 'export class Md5Js {}'],
  [
    /@smithy\/core\/dist-es\/submodules\/checksum\/sha256\/Sha256Js\.js$/,
    () => 'export class Sha256Js {}',
  ],
  // An access point over several regions would be signed in another way; buckets are in one.
  [
    /@aws-sdk\/signature-v4-multi-region\/dist-es\/SignatureV4MultiRegion\.js$/,
    () => `export { SignatureV4SignWithCredentials as SignatureV4MultiRegion }
           from './SignatureV4SignWithCredentials';`,
  ],
  // Our clients use the standard retries.
  [
    /@smithy\/core\/dist-es\/submodules\/retry\/util-retry\/AdaptiveRetryStrategy\.js$/,
    () => 'export class AdaptiveRetryStrategy {}',
  ],
  [/\/functions\/[^/]+\/([\w-]+\.)?contract\.ts$/, withoutWords],
  // JSON Schema is made when the documentation is built, not in a function.
  [/zod\/v4\/core\/(to-json-schema|json-schema-processors)\.js$/, () => 'module.exports = {};'],
];

/** Puts the stand-ins into a bundle. */
export const leaveOutUnreached: Plugin = {
  name: 'leave-out-unreached',
  setup(build) {
    // To `import` it, Node evaluates all that it exports, its WebSocket and with that the whole
    // of `fetch`: ten times the cost of the `require`, before the first line of ours runs.
    build.onResolve({ filter: /^node:http$/ }, ({ kind, path }) =>
      kind === 'require-call' ? { path, external: true } : { path, namespace: 'by-require' },
    );
    build.onLoad({ filter: /./, namespace: 'by-require' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
    }));
    for (const [filter, standIn] of STAND_INS) {
      build.onLoad({ filter }, ({ path }) => ({
        contents: standIn(path),
        loader: path.endsWith('.ts') ? 'ts' : 'js',
      }));
    }
  },
};
