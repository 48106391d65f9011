/** An id, or a short word. A key or a secret that got into a path by mistake is neither. */
const PLAIN = /^([a-z]{2,4}_([0-7][0-9A-HJKMNP-TV-Z]{25}){1,2}|[\w@.:-]{0,30})$/;

/** A path as it may be logged and answered: what could be a secret that went astray is a `*`. */
export function safePath(path: string): string {
  return path
    .split('/')
    .map((it) => (PLAIN.test(it) ? it : '*'))
    .join('/');
}
