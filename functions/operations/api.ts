import * as z from 'zod';
import { readConfig } from '../shared/environment.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { allRoutes } from './all-routes.ts';
import { getHealth } from './get-health.ts';
import { refuseUnmatched } from './refuse-unmatched.ts';

const config = readConfig({ BUILD: z.string().default('unknown') });

const world = openInstance('operations/api');

/** Both routes are public, so nobody is ever asked for a key. */
const nobody = () => Promise.reject(new Error('operations has public routes only'));

export const handler = api(world, [getHealth(config.BUILD), refuseUnmatched(allRoutes)], nobody);
