/** The Content-Security-Policy of the console. Pure. */

/**
 * The browser loads code, styles and data of the console's own origin only. The pictures and fonts of the components are
 * `data:` and `blob:` URLs.
 * @param signInOrigins origins of the identity provider that a signing-in page sends requests to
 */
export const contentSecurityPolicy = (signInOrigins: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self' data:",
    "img-src 'self' blob: data:",
    `connect-src ${["'self'", ...signInOrigins].join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
