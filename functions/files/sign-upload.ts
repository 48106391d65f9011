import type { PresignedPost, Uploads } from '../shared/bucket.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { AlertFile } from './file.ts';
import { uploadKey } from './file-keys.ts';
import { uploadEndsMs } from './file-looks.ts';

/** Below this a form is of no use any more. */
const FORM_MS_MIN = MINUTE_MS;

/**
 * The form that takes exactly the announced bytes under the file's own key, signed anew at each
 * call. Undefined when the file does not wait for an upload, or no longer than a minute.
 */
export async function signUpload(
  { uploads, clock }: Pick<World, 'clock'> & { readonly uploads: Uploads },
  file: AlertFile,
): Promise<(PresignedPost & { readonly expiresAtMs: number }) | undefined> {
  const leftMs = uploadEndsMs(file) - clock.nowMs();
  if (file.state !== 'awaiting_upload' || leftMs < FORM_MS_MIN) return undefined;

  const form = await uploads.presignPost({
    key: uploadKey(file),
    minBytes: file.bytes,
    maxBytes: file.bytes,
    expiresInSeconds: Math.floor(leftMs / SECOND_MS),
  });
  return { ...form, expiresAtMs: uploadEndsMs(file) };
}
