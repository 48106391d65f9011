import { text } from 'node:stream/consumers';
import { readForm } from './form.ts';
import { listObjects, listVersions } from './listing.ts';
import { checkPolicy } from './policy.ts';
import { S3Refusal } from './refusal.ts';
import type { S3Answer, S3Call } from './server.ts';
import { textsOf, xml, xmlDocument } from './xml.ts';

/** What a form may have stored with the object, besides its content type. */
const METADATA_PREFIX = 'x-amz-meta-';

/** Requests to the service and to a bucket as a whole. */
export async function bucketAction(call: S3Call): Promise<S3Answer> {
  const { method, bucket, query, store } = call;
  if (method === 'GET' && bucket === '') return { status: 200, body: listBuckets(call) };
  store.assertBucket(bucket);
  if (method === 'HEAD' || method === 'PUT') return { status: 200 };
  if (method === 'POST' && query.has('delete')) return removeAll(call);
  if (method === 'POST') return takeForm(call);
  if (method === 'GET' && query.has('location')) {
    return { status: 200, body: xmlDocument('LocationConstraint', []) };
  }
  if (method === 'GET' && query.get('list-type') === '2') {
    return { status: 200, body: listObjects(store, bucket, query) };
  }
  if (method === 'GET' && query.has('versions')) {
    return { status: 200, body: listVersions(store, bucket, query) };
  }
  throw new S3Refusal(501, 'NotImplemented', `The local S3 does not know ${method} ${query}`);
}

function listBuckets({ store }: S3Call): string {
  const buckets = store.buckets.map((name) =>
    xml('Bucket', [xml('Name', name), xml('CreationDate', new Date(0).toISOString())]),
  );
  return xmlDocument('ListAllMyBucketsResult', [xml('Buckets', buckets)]);
}

/** DeleteObjects. */
async function removeAll({ bucket, request, store }: S3Call): Promise<S3Answer> {
  const keys = textsOf(await text(request), 'Key');
  for (const key of keys) await store.remove(bucket, key);
  const removed = keys.map((key) => xml('Deleted', [xml('Key', key)]));
  return { status: 200, body: xmlDocument('DeleteResult', removed) };
}

/** An upload by a form that somebody signed in advance. */
async function takeForm({ bucket, request, store }: S3Call): Promise<S3Answer> {
  const form = await readForm(request.headers['content-type'] ?? '', request);
  const key = (form.fields.get('key') ?? '').replaceAll(`\${filename}`, form.fileName);
  if (key === '') throw new S3Refusal(400, 'InvalidArgument', 'The form has no key');
  const sizes = checkPolicy(
    new Map([...form.fields, ['bucket', bucket], ['key', key]]),
    Date.now(),
  );

  const metadata = [...form.fields].filter(([name]) => name.startsWith(METADATA_PREFIX));
  const type = form.fields.get('content-type') ?? 'application/octet-stream';
  const headers = { ...Object.fromEntries(metadata), 'content-type': type };
  const version = await store.put({ bucket, key, headers }, form.file, {
    reason: 'PostObject',
    sizes,
  });
  const wanted = Number(form.fields.get('success_action_status'));
  return {
    status: [200, 201].includes(wanted) ? wanted : 204,
    headers: {
      etag: `"${version.etag}"`,
      'x-amz-version-id': version.version_id,
      location: `/${bucket}/${encodeURI(key)}`,
    },
  };
}
