/** Returns the PEM certificates in a text, and leaves out all other content, such as a private key. */
export const certificatesIn = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
