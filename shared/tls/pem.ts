/**
 * The certificates of a text in PEM, each between its own markers. What else is in it, such as a private key, stays
 * behind.
 */
export const certificatesIn = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
