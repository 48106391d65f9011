import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Reads the files in the folder of a function's code. Each is read once and kept. */
export function ownFiles(folder: string): (name: string) => Promise<Uint8Array<ArrayBuffer>> {
  const read = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  return (name) => {
    const known = read.get(name) ?? readFile(join(folder, name));
    read.set(name, known);
    return known;
  };
}
