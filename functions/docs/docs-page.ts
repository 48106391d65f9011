/**
 * What a browser may load for the page: its own code and the document, from this API and nobody
 * else. Styles may be inline, because the reference sets some of them so.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** How long a browser may use the page's code without asking. */
const UI_SECONDS = 86_400;

/** The headers of whatever the page consists of. */
export const PAGE_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
};

/** The headers of its code, which is kept and sent compressed. */
export const UI_HEADERS = {
  ...PAGE_HEADERS,
  'content-encoding': 'gzip',
  'cache-control': `public, max-age=${UI_SECONDS}`,
};

/**
 * The reference of the API as a page. Its addresses are relative, so that it works under any
 * prefix; fonts are the browser's own.
 */
export const DOCS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tallyhook API</title>
<link rel="icon" href="data:,">
<style>body { margin: 0 }</style>
<script type="module" src="docs/ui.js"></script>
</head>
<body>
<openapi-explorer spec-url="openapi.json" collapse hide-server-selection
  use-path-in-nav-bar></openapi-explorer>
<noscript>This page needs JavaScript. The API is described in
<a href="openapi.json">openapi.json</a>.</noscript>
</body>
</html>
`;
