import { text } from 'node:stream/consumers';
import type { Version } from './catalog.ts';
import { withoutChunks } from './chunked.ts';
import { S3Refusal } from './refusal.ts';
import type { S3Answer, S3Call } from './server.ts';
import { textsOf, xml, xmlDocument } from './xml.ts';

/** Headers that are stored with an object and sent back with it, beside its metadata. */
const STORED_HEADERS = [
  'content-type',
  'content-disposition',
  'content-language',
  'cache-control',
  'expires',
];

/** Requests to one object. */
export async function objectAction(call: S3Call): Promise<S3Answer> {
  const { method, query } = call;
  const uploadId = query.get('uploadId') ?? undefined;
  if (method === 'GET' || method === 'HEAD') return readObject(call);
  if (method === 'PUT' && call.request.headers['x-amz-copy-source'] === undefined) {
    return uploadId === undefined ? putObject(call) : putPart(call, uploadId);
  }
  if (method === 'DELETE') return remove(call, uploadId);
  if (method === 'POST' && query.has('uploads')) return startUpload(call);
  if (method === 'POST' && uploadId !== undefined) return finishUpload(call, uploadId);
  throw new S3Refusal(501, 'NotImplemented', `The local S3 does not know ${method} ${query}`);
}

function readObject({ method, bucket, key, query, request, store }: S3Call): S3Answer {
  const version = store.find(bucket, key, query.get('versionId') ?? undefined);
  const range = rangeOf(request.headers.range, version.bytes);
  const { start, end } = range ?? { start: 0, end: version.bytes - 1 };
  const length = end - start + 1;
  return {
    status: range ? 206 : 200,
    headers: {
      ...JSON.parse(version.headers),
      ...factsOf(version),
      'accept-ranges': 'bytes',
      'content-length': length,
      'last-modified': new Date(version.modified_ms).toUTCString(),
      ...(range ? { 'content-range': `bytes ${start}-${end}/${version.bytes}` } : {}),
    },
    ...(method === 'GET' && length > 0 ? { body: store.read(version, start, end) } : {}),
  };
}

/**
 * The first and last byte of `bytes=a-b`, `bytes=a-` or `bytes=-n`. Undefined for the whole
 * object, also where the range is of another form, as in S3.
 */
export function rangeOf(
  header: string | undefined,
  bytes: number,
): { start: number; end: number } | undefined {
  const [, from = '', to = ''] = header?.match(/^bytes=(\d*)-(\d*)$/) ?? [];
  if (from === '' && to === '') return undefined;
  const start = from === '' ? Math.max(0, bytes - Number(to)) : Number(from);
  const end = from === '' || to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1);
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  if (start >= bytes) throw new S3Refusal(416, 'InvalidRange', 'The range cannot be satisfied');
  return { start, end };
}

const factsOf = ({ etag, version_id }: Version) => ({
  etag: `"${etag}"`,
  'x-amz-version-id': version_id,
});

async function putObject(call: S3Call): Promise<S3Answer> {
  const version = await call.store.put(placeOf(call), bodyOf(call));
  return { status: 200, headers: factsOf(version) };
}

async function putPart(call: S3Call, uploadId: string): Promise<S3Answer> {
  const number = Number(call.query.get('partNumber'));
  const { etag } = await call.store.putPart(uploadId, number, bodyOf(call));
  return { status: 200, headers: { etag: `"${etag}"` } };
}

async function remove(call: S3Call, uploadId: string | undefined): Promise<S3Answer> {
  const { store, bucket, key, query } = call;
  if (uploadId !== undefined) await store.dropUpload(uploadId);
  else await store.remove(bucket, key, query.get('versionId') ?? undefined);
  return { status: 204 };
}

function startUpload(call: S3Call): S3Answer {
  const UploadId = call.store.startUpload(placeOf(call));
  const parts = [xml('Bucket', call.bucket), xml('Key', call.key), xml('UploadId', UploadId)];
  return { status: 200, body: xmlDocument('InitiateMultipartUploadResult', parts) };
}

async function finishUpload(call: S3Call, uploadId: string): Promise<S3Answer> {
  const numbers = textsOf(await text(call.request), 'PartNumber').map(Number);
  const version = await call.store.finishUpload(uploadId, numbers);
  const result = [
    xml('Location', `/${call.bucket}/${call.key}`),
    xml('Bucket', call.bucket),
    xml('Key', call.key),
    xml('ETag', `"${version.etag}"`),
  ];
  return {
    status: 200,
    headers: { 'x-amz-version-id': version.version_id },
    body: xmlDocument('CompleteMultipartUploadResult', result),
  };
}

function placeOf({ bucket, key, request }: S3Call) {
  const stored = Object.entries(request.headers).filter(
    ([name]) => STORED_HEADERS.includes(name) || name.startsWith('x-amz-meta-'),
  );
  const headers = Object.fromEntries(stored.map(([name, value]) => [name, String(value)]));
  return { bucket, key, headers: { 'content-type': 'binary/octet-stream', ...headers } };
}

/** The body as it is meant: SDKs send it in signed chunks, or with a checksum behind it. */
function bodyOf({ request }: S3Call): AsyncIterable<Uint8Array> {
  const isChunked =
    String(request.headers['x-amz-content-sha256']).startsWith('STREAMING-') ||
    String(request.headers['content-encoding']).includes('aws-chunked');
  return isChunked ? withoutChunks(request) : request;
}
