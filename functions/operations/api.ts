import * as z from 'zod';
import { readConfig } from '../shared/config.ts';
import { api } from '../shared/http/api.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { allRoutes } from './all-routes.ts';
import { getHealth } from './get-health.ts';
import { refuseUnmatched } from './refuse-unmatched.ts';

const config = readConfig({ BUILD: z.string().default('unknown') });

const world = { clock: systemClock, ids: systemIds, log: jsonLog };

/** Both routes are public, so nobody is ever asked for a key. */
const nobody = () => Promise.reject(new Error('operations has public routes only'));

export const handler = api(world, [getHealth(config.BUILD), refuseUnmatched(allRoutes)], nobody);
