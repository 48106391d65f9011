import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';

const Text = z.string();

export const getOpenApiRoute = defineRoute({
  method: 'GET',
  path: '/openapi.json',
  summary: 'This document: OpenAPI 3.1 of the whole API and its webhooks',
  access: 'public',
  reply: {
    status: 200,
    otherStatuses: [304],
    schema: Text,
    contentType: 'application/json',
  },
});

export const getDocsRoute = defineRoute({
  method: 'GET',
  path: '/docs',
  summary: 'The same as a page for people',
  access: 'public',
  reply: {
    status: 200,
    otherStatuses: [304],
    schema: Text,
    contentType: 'text/html; charset=utf-8',
  },
});

export const getDocsUiRoute = defineRoute({
  method: 'GET',
  path: '/docs/ui.js',
  summary: 'The code of that page',
  access: 'public',
  reply: {
    status: 200,
    otherStatuses: [304],
    schema: z.union([Text, z.instanceof(Uint8Array)]),
    contentType: 'text/javascript; charset=utf-8',
  },
});

export const docsRoutes = [getOpenApiRoute, getDocsRoute, getDocsUiRoute];
