import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { ownFiles } from '../shared/own-files.ts';
import { getDocs, getDocsUi, getOpenApi } from './get-docs.ts';

const world = openInstance('docs/api');
const files = ownFiles(import.meta.dirname);

/** All routes are public, so nobody is ever asked for a key. */
const nobody = () => Promise.reject(new Error('docs has public routes only'));

export const handler = api(world, [getOpenApi(files), getDocs, getDocsUi(files)], nobody);
